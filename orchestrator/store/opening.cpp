#include "orchestrator/store/opening.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

#include "shared/ecg/classes.hpp"

namespace leadsweep {

void create_private_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) throw FileError(path, errno, "open for writing");
    ::close(descriptor);
}

void prepare_file(const std::string& path, OpenMode mode) {
    const std::filesystem::path file(path);
    if (mode == OpenMode::kExisting) {
        if (!std::filesystem::is_regular_file(file))
            throw InputError(fmt::format("{}: no such database; name one with --db, or start a sweep first", path));
        return;
    }
    std::error_code error;
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
    if (error) throw FileError(file.parent_path().string(), error.value(), "create the folder");
}

void set_journal(Connection& connection, bool is_on_network) {
    if (is_on_network) connection.execute("PRAGMA locking_mode = EXCLUSIVE");
    const std::string wanted = is_on_network ? "truncate" : "wal";
    const auto mode = connection.text("PRAGMA journal_mode = " + wanted);
    if (mode != wanted)
        throw StoreError(connection.path(), "PRAGMA journal_mode = " + wanted, 0, 0,
                         "SQLite chose journal mode " + mode.value_or("none"));
    connection.execute(
        "PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; "
        "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864");
}

void store_classes(Connection& connection) {
    for (const char* name : {"challenge2021", "synthetic"}) store_classes(connection, label_set(name));
}

void store_classes(Connection& connection, const LabelSet& set) {
    constexpr std::string_view kInsert = "INSERT OR IGNORE INTO classes VALUES (?, ?, ?)";
    for (const auto& one : set.classes) connection.run(kInsert, one.code, one.abbreviation, one.name);
    for (std::size_t group = 0; group < set.groups.size(); ++group) {
        std::string full_name;
        for (const std::size_t index : set.groups[group])
            full_name += (full_name.empty() ? "" : " or ") + set.classes[index].name;
        connection.run(kInsert, set.group_code(group), set.group_abbreviation(group), full_name);
    }
}

}  // namespace leadsweep
