#include "orchestrator/transport/short_wait.hpp"

#include <chrono>
#include <thread>

#include "orchestrator/transport/mailbox.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

/// What a wait did.
struct Seen {
    int looks = 0;
    int sleeps = 0;
};

Seen wait_once(ShortWait& wait, bool has_come, std::chrono::milliseconds sleep) {
    Seen seen;
    wait.wait(
        [&] {
            ++seen.looks;
            return has_come;
        },
        [&] {
            ++seen.sleeps;
            if (sleep.count() > 0) std::this_thread::sleep_for(sleep);
        });
    return seen;
}

}  // namespace

TEST_CASE("A wait looks around before it sleeps where the last one was short", "[transport]") {
    using std::chrono::milliseconds;
    ShortWait wait;
    const Seen first = wait_once(wait, false, milliseconds(2));
    CHECK(first.looks == 0);
    CHECK(first.sleeps == 1);
    CHECK(wait_once(wait, true, milliseconds(0)).looks == 0);  // the last one was long

    // Another process may take the core at any moment, and so make any wait a long one: most are short.
    int seen_at_once = 0;
    int looked_and_slept = 0;
    for (int i = 0; i < 100; ++i) {
        wait_once(wait, true, milliseconds(0));  // short, whether it looks or not
        const Seen come = wait_once(wait, true, milliseconds(0));
        seen_at_once += come.looks == 1 && come.sleeps == 0 ? 1 : 0;
        const Seen not_come = wait_once(wait, false, milliseconds(0));
        looked_and_slept += not_come.looks > 0 && not_come.sleeps == 1 ? 1 : 0;
    }
    CHECK(seen_at_once > 50);
    CHECK(looked_and_slept > 50);

    wait_once(wait, false, milliseconds(2));
    CHECK(wait_once(wait, false, milliseconds(0)).looks == 0);  // so work that lasts costs no looks
}

TEST_CASE("A mailbox loses nothing, however its reader waits", "[transport]") {
    Mailbox<int> mailbox;
    constexpr int kMessages = 20000;
    std::thread writer([&] {
        for (int i = 0; i < kMessages; ++i) {
            mailbox.push(i);
            if (i % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    int next = 0;
    bool is_in_order = true;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (next < kMessages && std::chrono::steady_clock::now() < deadline)
        for (const int message : mailbox.wait_and_take(std::chrono::milliseconds(50)))
            is_in_order = is_in_order && message == next++;
    writer.join();
    CHECK(next == kMessages);
    CHECK(is_in_order);
    CHECK(mailbox.take().empty());
}
