// Keeps a second writer away where the file system gives no locks: a counter in `FILE.lease` that its holder raises in
// every interval. Whoever wants the database watches it for three intervals of his own; clocks of two hosts are never
// compared.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace leadsweep {

class StoreLease {
public:
    /// Takes the lease of a database nobody holds: at once where it was given back, after three intervals where its
    /// holder died. Throws InputError naming the holder; FileError.
    StoreLease(const std::string& database_path, const std::string& self, std::chrono::milliseconds interval);
    /// Gives it back.
    ~StoreLease();
    StoreLease(const StoreLease&) = delete;
    StoreLease& operator=(const StoreLease&) = delete;

    /// Whether nobody has taken it over while this process slept. Reads the file: to be asked before every commit.
    bool is_held() const;

    /// Who renews the lease of this database, nothing if nobody does. Watches it where it was not given back.
    static std::optional<std::string> holder_of(const std::string& database_path, std::chrono::milliseconds interval);

private:
    void write(std::uint64_t count) const;
    void keep(std::uint64_t count);

    std::string path_;
    std::string self_;  ///< who holds it, for people
    std::string mark_;  ///< random: this object alone
    std::chrono::milliseconds interval_;
    std::mutex mutex_;
    std::condition_variable ending_;
    bool is_ending_ = false;
    std::thread thread_;
};

}  // namespace leadsweep
