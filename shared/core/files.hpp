// Files that are written whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace leadsweep {

/// Writes `content` to a temporary name beside `path`, fsyncs it, renames it over `path` and fsyncs the folder: a
/// reader sees the old file or the new one, also after a power cut. Creates missing folders. Throws FileError.
void write_file_durably(const std::filesystem::path& path, std::string_view content);

/// Makes an existing file and the entry in its folder durable. Throws FileError.
void sync_file(const std::filesystem::path& path);
void sync_folder(const std::filesystem::path& folder);

/// The whole content. Throws FileError.
std::string read_file(const std::filesystem::path& path);

/// Creates the folder (0700 for new ones) if needed and proves by a real write that it can be written. Throws
/// FileError.
void require_writable_folder(const std::filesystem::path& folder);

}  // namespace leadsweep
