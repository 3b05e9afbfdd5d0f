#include "orchestrator/store/store_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::string describe_self() {
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
    std::string text = fmt::format("host {}, pid {}", host.data(), getpid());
    if (const char* slurm = std::getenv("SLURM_JOB_ID")) text += fmt::format(", Slurm job {}", slurm);
    return text;
}

std::string read_holder(int descriptor) {
    std::array<char, 512> buffer{};
    const ssize_t count = pread(descriptor, buffer.data(), buffer.size(), 0);
    std::string text(trim(std::string_view(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0)));
    return text.empty() ? "an unknown process" : text;
}

constexpr std::chrono::milliseconds kLeaseInterval{1000};

/// Errors of a lock that say "not here" and not "somebody else has it".
bool says_no_locks(int error) {
    return error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

}  // namespace

StoreLock::StoreLock(const std::string& database_path, std::optional<bool> has_locks) {
    const std::string path = database_path + ".lock";
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0) throw FileError(path, errno, "open");
    struct flock lock = whole_file();
    int error = has_locks.value_or(true) ? 0 : ENOLCK;
    if (error == 0 && fcntl(descriptor_, F_OFD_SETLK, &lock) != 0) error = errno;
    const std::string self = describe_self();
    if (error == 0 && (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, self.data(), self.size(), 0) < 0)) {
        error = errno;
        close(descriptor_);
        throw FileError(path, error, "write");
    }
    if (error == 0) return;
    const std::string holder = read_holder(descriptor_);
    close(descriptor_);
    descriptor_ = -1;
    if (error == EAGAIN || error == EACCES)
        throw InputError(
            fmt::format("{}: in use by another leadsweep ({}); wait for it or stop it, or name another "
                        "database with --db",
                        database_path, holder));
    if (!says_no_locks(error)) throw FileError(path, error, "lock");
    lease_ = std::make_unique<StoreLease>(database_path, self, kLeaseInterval);
}

StoreLock::~StoreLock() {
    if (descriptor_ >= 0) close(descriptor_);
}

std::optional<std::string> StoreLock::holder_of(const std::string& database_path) {
    const std::string path = database_path + ".lock";
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return std::nullopt;
    struct flock lock = whole_file();
    std::optional<std::string> holder;
    const bool has_locks = fcntl(descriptor, F_OFD_GETLK, &lock) == 0;
    if (has_locks && lock.l_type != F_UNLCK) holder = read_holder(descriptor);
    close(descriptor);
    return holder ? holder : StoreLease::holder_of(database_path, kLeaseInterval);
}

}  // namespace leadsweep
