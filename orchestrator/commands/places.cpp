#include <array>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
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

void add_place_options(CLI::App& command, Places& places) {
    command.add_option("--db", places.db, "database of results")->capture_default_str();
    command.add_option("--work", places.work, "folder for checkpoints and artefacts, seen by every node [<db>.files]");
    command.add_option(
        "--scratch", places.scratch,
        "node-local folder for prepared records and logs [$SLURM_TMPDIR, $TMPDIR or <work>/scratch/<host>]");
    command.add_option("--worker", places.worker, "worker program [leadsweep-worker beside leadsweep]");
}

}  // namespace leadsweep
