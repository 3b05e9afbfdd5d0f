#include "shared/core/files.hpp"

#include <cerrno>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// A file descriptor that is closed at the end of its scope.
class Descriptor {
public:
    Descriptor(const std::string& path, int flags, mode_t mode, const char* purpose)
        : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
        if (fd_ < 0) throw FileError(path, errno, purpose);
    }
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    void write_all(std::string_view content) {
        while (!content.empty()) {
            const ssize_t written = ::write(fd_, content.data(), content.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) throw FileError(path_, errno, "write");
            content.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    void sync() {
        if (::fsync(fd_) != 0 && errno != EINVAL) throw FileError(path_, errno, "fsync");
    }

private:
    std::string path_;
    int fd_;
};

void create_folders(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw FileError(folder.string(), error.value(), "create the folder");
}

}  // namespace

void sync_file(const std::filesystem::path& path) {
    Descriptor(path.string(), O_RDONLY, 0, "open for fsync").sync();
    sync_folder(path.parent_path());
}

void sync_folder(const std::filesystem::path& folder) {
    Descriptor(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY, 0, "open the folder for fsync").sync();
}

void write_file_durably(const std::filesystem::path& path, std::string_view content) {
    if (path.has_parent_path()) create_folders(path.parent_path());
    const std::string temporary = fmt::format("{}.tmp.{}", path.string(), ::getpid());
    try {
        Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600, "create");
        file.write_all(content);
        file.sync();
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error_number = errno;
        ::unlink(temporary.c_str());
        throw FileError(path.string(), error_number, "rename the finished file into place");
    }
    sync_folder(path.parent_path());
}

std::string read_file(const std::filesystem::path& path) {
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw FileError(path.string(), errno, "open for reading");
    std::ostringstream content;
    content << stream.rdbuf();
    if (stream.bad()) throw FileError(path.string(), errno, "read");
    return std::move(content).str();
}

void require_writable_folder(const std::filesystem::path& folder) {
    const bool existed = std::filesystem::exists(folder);
    create_folders(folder);
    if (!existed) std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
    const std::string probe = (folder / fmt::format(".probe.{}", ::getpid())).string();
    {
        Descriptor file(probe, O_WRONLY | O_CREAT | O_TRUNC, 0600, "write to the folder");
        file.write_all("leadsweep");
        file.sync();
    }
    ::unlink(probe.c_str());
}

}  // namespace leadsweep
