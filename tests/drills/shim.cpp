// Preloaded into the programs under drill (LD_PRELOAD): a disk that is full, slow or read-only, a clock that jumps.
// What is wrong at the moment stands in a small file that the drill writes, mapped here (LEADSWEEP_SHIM).
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

struct Control {
    double clock_jump_s;  ///< added to the real-time clock
    double sync_delay_s;  ///< each fsync and fdatasync takes so much longer
    double disk_error;    ///< errno of every write, and for EROFS of opening to write, below LEADSWEEP_SHIM_DISK
};

const Control& control() {
    static const Control calm{};
    static const Control* const mapped = [] {
        const char* path = std::getenv("LEADSWEEP_SHIM");
        const int file = path ? static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)) : -1;
        if (file < 0) return &calm;
        void* memory = ::mmap(nullptr, sizeof(Control), PROT_READ, MAP_SHARED, file, 0);
        ::close(file);
        return memory == MAP_FAILED ? &calm : static_cast<const Control*>(memory);
    }();
    return *mapped;
}

template <class Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool is_on_disk(const char* path) {
    static const char* const disk = std::getenv("LEADSWEEP_SHIM_DISK");
    return disk && std::strncmp(path, disk, std::strlen(disk)) == 0;
}

/// Sets errno where the disk refuses to write to this file.
bool is_refused(int file) {
    if (control().disk_error == 0) return false;
    char link[64] = "/proc/self/fd/";
    char digits[16];
    int count = 0;
    for (int rest = file; rest > 0 || count == 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
    char* end = link + std::strlen(link);
    while (count > 0) *end++ = digits[--count];
    *end = '\0';
    char path[4096];
    const int saved = errno;
    const ssize_t size = ::readlink(link, path, sizeof path - 1);
    errno = saved;
    if (size <= 0) return false;
    path[size] = '\0';
    if (!is_on_disk(path)) return false;
    errno = static_cast<int>(control().disk_error);
    return true;
}

bool is_refused(const char* path, int flags) {
    if (control().disk_error != EROFS || (flags & (O_WRONLY | O_RDWR | O_CREAT)) == 0 || !is_on_disk(path))
        return false;
    errno = EROFS;
    return true;
}

void delay() {
    const double seconds = control().sync_delay_s;
    if (seconds <= 0) return;
    timespec left{static_cast<time_t>(seconds),
                  static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
    while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, size_t size) {
    static auto* const call = real<ssize_t(int, const void*, size_t)>("write");
    return is_refused(file) ? -1 : call(file, bytes, size);
}

ssize_t writev(int file, const iovec* parts, int count) {
    static auto* const call = real<ssize_t(int, const iovec*, int)>("writev");
    return is_refused(file) ? -1 : call(file, parts, count);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
    static auto* const call = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    return is_refused(file) ? -1 : call(file, bytes, size, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t offset) {
    static auto* const call = real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
    return is_refused(file) ? -1 : call(file, bytes, size, offset);
}

int open(const char* path, int flags, ...) {
    static auto* const call = real<int(const char*, int, mode_t)>("open");
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return is_refused(path, flags) ? -1 : call(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    static auto* const call = real<int(const char*, int, mode_t)>("open64");
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return is_refused(path, flags) ? -1 : call(path, flags, mode);
}

int fsync(int file) {
    static auto* const call = real<int(int)>("fsync");
    delay();
    return call(file);
}

int fdatasync(int file) {
    static auto* const call = real<int(int)>("fdatasync");
    delay();
    return call(file);
}

int clock_gettime(clockid_t clock, timespec* time) {
    static auto* const call = real<int(clockid_t, timespec*)>("clock_gettime");
    const int result = call(clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec += static_cast<time_t>(control().clock_jump_s);
    return result;
}

int gettimeofday(timeval* time, void* zone) {
    static auto* const call = real<int(timeval*, void*)>("gettimeofday");
    const int result = call(time, zone);
    time->tv_sec += static_cast<time_t>(control().clock_jump_s);
    return result;
}

time_t time(time_t* result) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
}
