// A disk in memory that forgets what was not synced: an SQLite VFS for tests. Files live in it alone; a power cut keeps
// of each unsynced write nothing, or by chance nothing, a part or all of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <sqlite3.h>

namespace leadsweep::testing {

/// One file: what a power cut leaves, what programs see, and the way from one to the other.
struct CutFile {
    struct Change {
        std::int64_t offset = 0;
        std::string bytes;  ///< empty: the file is cut to `offset`
    };
    std::string durable;
    std::string content;
    std::vector<Change> unsynced;
    std::vector<std::vector<char>> shared_memory;  ///< of a write-ahead log; lost with the power
};

class PowerCutDisk {
public:
    enum class Loss { kAll, kRandom };

    /// Becomes SQLite's default VFS as long as it lives; one at a time.
    PowerCutDisk();
    ~PowerCutDisk();
    PowerCutDisk(const PowerCutDisk&) = delete;
    PowerCutDisk& operator=(const PowerCutDisk&) = delete;

    /// The power fails at the change (write, truncation, sync, deletion) after so many more; from then on everything is
    /// an error. -1: never.
    void fail_after(std::int64_t changes) { changes_left_ = changes; }
    std::int64_t changes() const { return changes_; }
    bool is_off() const { return is_off_; }
    /// All connections must be closed. What was not synced is lost as `loss` says.
    void power_cycle(Loss loss, std::uint64_t seed);

    // For the functions of the VFS.
    CutFile& file(const std::string& name) { return files_[name]; }
    bool exists(const std::string& name) const { return files_.count(name) > 0; }
    void remove(const std::string& name) { files_.erase(name); }
    /// False where the power is off or fails just now.
    bool count_change();

private:
    sqlite3_vfs vfs_{};
    sqlite3_vfs* earlier_ = nullptr;
    std::map<std::string, CutFile> files_;
    std::int64_t changes_ = 0;
    std::int64_t changes_left_ = -1;
    bool is_off_ = false;
};

}  // namespace leadsweep::testing
