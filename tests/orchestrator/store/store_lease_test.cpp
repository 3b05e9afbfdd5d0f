// Where a file system gives no locks, a lease that is renewed keeps the second writer away.
#include "orchestrator/store/store_lease.hpp"

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/store/read_store.hpp"
#include "orchestrator/store/store_lock.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

constexpr std::chrono::milliseconds kInterval{60};

}  // namespace

TEST_CASE("A lease that is renewed is refused to others, who are told its holder", "[store]") {
    const TemporaryFolder folder;
    const std::string db = folder.file("a.sqlite");
    {
        const StoreLease first(db, "host a, pid 1", kInterval);
        CHECK(first.is_held());
        CHECK_THROWS_WITH(StoreLease(db, "host b, pid 2", kInterval), ContainsText("host a, pid 1"));
        CHECK(StoreLease::holder_of(db, kInterval) == "host a, pid 1");
        CHECK(first.is_held());
    }
    CHECK_FALSE(StoreLease::holder_of(db, kInterval));
    const auto start = std::chrono::steady_clock::now();
    const StoreLease second(db, "host b, pid 2", kInterval);
    CHECK(second.is_held());
    CHECK(std::chrono::steady_clock::now() - start < 3 * kInterval);  // it was given back: nothing to watch
}

TEST_CASE("A lease whose holder died is taken over after three intervals; whoever slept finds it gone", "[store]") {
    const TemporaryFolder folder;
    const std::string db = folder.file("a.sqlite");
    write_file_durably(db + ".lease", "0123456789abcdef 41 host dead, pid 9");
    const auto start = std::chrono::steady_clock::now();
    const StoreLease mine(db, "host b, pid 2", kInterval);
    CHECK(std::chrono::steady_clock::now() - start >= 3 * kInterval);
    CHECK(mine.is_held());
    write_file_durably(db + ".lease", "fedcba9876543210 0 host c, pid 3");
    CHECK_FALSE(mine.is_held());
    std::this_thread::sleep_for(3 * kInterval);
    CHECK_FALSE(mine.is_held());
    CHECK(read_file(db + ".lease") == "fedcba9876543210 0 host c, pid 3");
}

TEST_CASE("A store without locks works under its lease, and commits nothing once that is lost", "[store]") {
    const TemporaryFolder folder;
    StoreOptions options;
    options.has_locks = false;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"), options);
    CHECK(store.needs_snapshots());
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{job_row(0, 75, "bce")});
    CHECK_THROWS_AS(ResultStore::open(store.path(), options), InputError);
    CHECK(StoreLock::holder_of(store.path()));
    write_file_durably(store.path() + ".lease", "fedcba9876543210 0 host c, pid 3");
    CHECK_THROWS_WITH(finish(store, jobs[0], result_with_f1(0.4)), ContainsText("took the database over"));
}
