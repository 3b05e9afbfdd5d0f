#include "tests/orchestrator/store/power_cut_vfs.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace leadsweep::testing {
namespace {

struct OpenFile {
    sqlite3_file base;
    PowerCutDisk* disk;
    std::string* name;
};

OpenFile& of(sqlite3_file* file) {
    return *reinterpret_cast<OpenFile*>(file);
}
CutFile& data(sqlite3_file* file) {
    return of(file).disk->file(*of(file).name);
}

void apply_change(std::string& content, const CutFile::Change& change) {
    const auto offset = static_cast<std::size_t>(change.offset);
    if (change.bytes.empty()) {
        content.resize(std::min(content.size(), offset));
        return;
    }
    if (content.size() < offset + change.bytes.size()) content.resize(offset + change.bytes.size(), '\0');
    content.replace(offset, change.bytes.size(), change.bytes);
}

int close_file(sqlite3_file* file) {
    delete of(file).name;
    return SQLITE_OK;
}

int read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
    if (of(file).disk->is_off()) return SQLITE_IOERR_READ;
    const std::string& content = data(file).content;
    const auto start = std::min(content.size(), static_cast<std::size_t>(offset));
    const auto count = std::min(content.size() - start, static_cast<std::size_t>(size));
    std::memcpy(bytes, content.data() + start, count);
    std::memset(static_cast<char*>(bytes) + count, 0, static_cast<std::size_t>(size) - count);
    return count == static_cast<std::size_t>(size) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int change(sqlite3_file* file, CutFile::Change made) {
    CutFile& changed = data(file);
    changed.unsynced.push_back(made);
    // At the write during which the power fails, the disk may have got it in part: as for all that is unsynced.
    if (!of(file).disk->count_change()) return SQLITE_IOERR_WRITE;
    apply_change(changed.content, made);
    return SQLITE_OK;
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    if (of(file).disk->is_off()) return SQLITE_IOERR_WRITE;
    return change(file, {offset, std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size))});
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (of(file).disk->is_off()) return SQLITE_IOERR_TRUNCATE;
    return change(file, {size, ""});
}

int sync(sqlite3_file* file, int) {
    if (!of(file).disk->count_change()) return SQLITE_IOERR_FSYNC;
    CutFile& synced = data(file);
    synced.durable = synced.content;
    synced.unsynced.clear();
    return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>(data(file).content.size());
    return SQLITE_OK;
}

int ignore_lock(sqlite3_file*, int) {
    return SQLITE_OK;
}
int check_lock(sqlite3_file*, int* is_locked) {
    *is_locked = 0;
    return SQLITE_OK;
}
int control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file*) {
    return 4096;
}
int characteristics(sqlite3_file*) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // as SQLite takes every disk on Linux for
}

int map_shared(sqlite3_file* file, int region, int size, int must_extend, void volatile** memory) {
    auto& regions = data(file).shared_memory;
    const auto index = static_cast<std::size_t>(region);
    *memory = nullptr;
    if (index >= regions.size() && !must_extend) return SQLITE_OK;
    while (index >= regions.size()) regions.emplace_back(static_cast<std::size_t>(size), '\0');
    *memory = regions[index].data();
    return SQLITE_OK;
}
int lock_shared(sqlite3_file*, int, int, int) {
    return SQLITE_OK;
}
void order_shared(sqlite3_file*) {}
int unmap_shared(sqlite3_file* file, int is_deleted) {
    if (is_deleted) data(file).shared_memory.clear();
    return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {2,
                                     close_file,
                                     read,
                                     write,
                                     truncate,
                                     sync,
                                     file_size,
                                     ignore_lock,
                                     ignore_lock,
                                     check_lock,
                                     control,
                                     sector_size,
                                     characteristics,
                                     map_shared,
                                     lock_shared,
                                     order_shared,
                                     unmap_shared,
                                     nullptr,
                                     nullptr};

PowerCutDisk& disk_of(sqlite3_vfs* vfs) {
    return *static_cast<PowerCutDisk*>(vfs->pAppData);
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_used) {
    if (disk_of(vfs).is_off()) return SQLITE_CANTOPEN;
    static int unnamed = 0;
    const std::string path = name ? name : "unnamed " + std::to_string(++unnamed);
    if (!disk_of(vfs).exists(path) && (flags & SQLITE_OPEN_CREATE) == 0 && (flags & SQLITE_OPEN_MAIN_DB) == 0)
        return SQLITE_CANTOPEN;
    new (file) OpenFile{{&kMethods}, &disk_of(vfs), new std::string(path)};
    (void)data(file);
    if (flags_used) *flags_used = flags;
    return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int) {
    if (!disk_of(vfs).count_change()) return SQLITE_IOERR_DELETE;
    if (!disk_of(vfs).exists(name)) return SQLITE_IOERR_DELETE_NOENT;
    disk_of(vfs).remove(name);
    return SQLITE_OK;
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* is_there) {
    *is_there = disk_of(vfs).exists(name) ? 1 : 0;
    return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

}  // namespace

PowerCutDisk::PowerCutDisk() : earlier_(sqlite3_vfs_find(nullptr)) {
    vfs_ = *earlier_;  // clock, randomness and sleep are the machine's
    vfs_.iVersion = 1;
    vfs_.szOsFile = sizeof(OpenFile);
    vfs_.zName = "power_cut";
    vfs_.pNext = nullptr;
    vfs_.pAppData = this;
    vfs_.xOpen = open_file;
    vfs_.xDelete = delete_file;
    vfs_.xAccess = access_file;
    vfs_.xFullPathname = full_path;
    sqlite3_vfs_register(&vfs_, 1);
}

PowerCutDisk::~PowerCutDisk() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(earlier_, 1);
}

bool PowerCutDisk::count_change() {
    if (is_off_) return false;
    ++changes_;
    if (changes_left_ >= 0 && changes_left_-- == 0) is_off_ = true;
    return !is_off_;
}

void PowerCutDisk::power_cycle(Loss loss, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (auto& [name, file] : files_) {
        file.content = file.durable;
        for (CutFile::Change& made : file.unsynced) {
            const auto fate = loss == Loss::kAll ? 0 : random() % 3;
            if (fate == 0) continue;
            if (fate == 1 && !made.bytes.empty()) {  // torn: the front part, or the rear part
                const auto cut = 1 + random() % made.bytes.size();
                if (random() % 2 == 0) {
                    made.bytes.resize(cut);
                } else {
                    made.offset += static_cast<std::int64_t>(made.bytes.size() - cut);
                    made.bytes.erase(0, made.bytes.size() - cut);
                }
            }
            apply_change(file.content, made);
        }
        file.durable = file.content;
        file.unsynced.clear();
        file.shared_memory.clear();
    }
    is_off_ = false;
    changes_left_ = -1;
}

}  // namespace leadsweep::testing
