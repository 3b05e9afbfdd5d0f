// Keeps a second writer away from a database: by a kernel lock that dies with its process, or by a lease where the file
// system gives no locks. The text in the lock file is only for the message.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "orchestrator/store/store_lease.hpp"

namespace leadsweep {

class StoreLock {
public:
    /// Locks `<database_path>.lock` (open file description lock, also kept by NFS 4), or takes a StoreLease where that
    /// is not possible. Throws InputError naming host, pid and Slurm job of the holder; FileError.
    /// `has_locks`: nothing: find out; false: as if the file system gave none.
    explicit StoreLock(const std::string& database_path, std::optional<bool> has_locks = std::nullopt);
    ~StoreLock();
    StoreLock(const StoreLock&) = delete;
    StoreLock& operator=(const StoreLock&) = delete;

    bool is_of_kernel() const { return lease_ == nullptr; }
    /// Whether it is still this process's: a lease can be taken over, a kernel lock cannot.
    bool is_held() const { return !lease_ || lease_->is_held(); }

    /// Who holds the lock ("host node7, pid 123, Slurm job 45"), nothing if nobody does.
    static std::optional<std::string> holder_of(const std::string& database_path);

private:
    int descriptor_ = -1;
    std::unique_ptr<StoreLease> lease_;
};

}  // namespace leadsweep
