// The kernel lock that keeps a second writer away from a database. It dies with its process; the text in the file is
// only for the message.
#pragma once

#include <optional>
#include <string>

namespace leadsweep {

class StoreLock {
public:
    /// Locks `<database_path>.lock` (open file description lock, also kept by NFS 4). Throws InputError naming host,
    /// pid and Slurm job of the holder, or saying that the file system gives no locks; FileError.
    explicit StoreLock(const std::string& database_path);
    ~StoreLock();
    StoreLock(const StoreLock&) = delete;
    StoreLock& operator=(const StoreLock&) = delete;

    /// Who holds the lock ("host node7, pid 123, Slurm job 45"), nothing if nobody does.
    static std::optional<std::string> holder_of(const std::string& database_path);

private:
    int descriptor_ = -1;
};

}  // namespace leadsweep
