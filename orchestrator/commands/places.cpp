#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/store/store_lock.hpp"
#include "shared/core/digest.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

std::string absolute(const std::string& path) {
    return fs::absolute(path).lexically_normal().string();
}

}  // namespace

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

Places resolve_places(Places places) {
    places.db = absolute(places.db);
    if (places.work.empty()) places.work = places.db + ".files";
    places.work = absolute(places.work);
    if (places.scratch.empty()) {
        places.scratch = fmt::format("{}/scratch/{}", places.work, host_name());
        for (const char* variable : {"SLURM_TMPDIR", "TMPDIR"}) {
            const char* folder = std::getenv(variable);
            if (!folder || !*folder) continue;
            places.scratch = fmt::format("{}/leadsweep-{}-{}", folder, ::getuid(), sha256(places.db).substr(0, 12));
            break;
        }
    }
    places.scratch = absolute(places.scratch);
    if (places.worker.empty())
        places.worker = (fs::read_symlink("/proc/self/exe").parent_path() / "leadsweep-worker").string();
    places.worker = absolute(places.worker);
    return places;
}

void give_way_to_sweep(const Places& places) {
    // A short question is answered at once. A long one then gets a seventieth of a core that workers keep busy: on two
    // cores less than 1 % of the sweep.
    constexpr itimerval kShort{{0, 0}, {0, 500'000}};
    if (!StoreLock::holder_of(places.db)) return;
    struct sigaction action {};
    action.sa_handler = [](int) { setpriority(PRIO_PROCESS, 0, 19); };
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, nullptr);
    setitimer(ITIMER_PROF, &kShort, nullptr);
}

void add_place_options(CLI::App& command, Places& places) {
    command.add_option("--db", places.db, "database of results")->capture_default_str();
    command.add_option("--work", places.work, "folder for checkpoints and artefacts, seen by every node [<db>.files]");
    command.add_option(
        "--scratch", places.scratch,
        "node-local folder for prepared records and logs [$SLURM_TMPDIR, $TMPDIR or <work>/scratch/<host>]");
    command.add_option("--worker", places.worker, "worker program [leadsweep-worker beside leadsweep]");
}

}  // namespace leadsweep
