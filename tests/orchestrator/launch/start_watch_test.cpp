#include "orchestrator/launch/start_watch.hpp"

#include <csignal>
#include <functional>
#include <thread>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

constexpr int kWentOn = 77;

/// The end of a process that does `work` and then ends with kWentOn.
int exit_code_of(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(kWentOn);
    }
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("A rank ends when what started it dies before the ranks met", "[launch]") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // the rank, left alone, becomes a child of this process
    const pid_t launcher = ::fork();
    if (launcher == 0) {
        if (::fork() == 0) {
            StartWatch watch;
            ::kill(::getppid(), SIGKILL);
            std::this_thread::sleep_for(std::chrono::seconds(20));
            ::_exit(kWentOn);
        }
        ::pause();
    }
    int status = 0;
    REQUIRE(::waitpid(launcher, &status, 0) == launcher);
    CHECK(WTERMSIG(status) == SIGKILL);
    REQUIRE(::wait(&status) > 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == kExitInterrupted);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

TEST_CASE("A rank ends when the ranks have not met after the longest time", "[launch]") {
    CHECK(exit_code_of([] {
              StartWatch watch(std::chrono::seconds(1));
              std::this_thread::sleep_for(std::chrono::seconds(20));
          }) == kExitInterrupted);
}

TEST_CASE("Nothing ends a rank after the ranks met", "[launch]") {
    CHECK(exit_code_of([] {
              { StartWatch watch(std::chrono::seconds(0)); }
              { StartWatch watch(std::chrono::seconds(1)); }
              std::this_thread::sleep_for(std::chrono::milliseconds(1500));
          }) == kWentOn);
}
