#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/store/read_store.hpp"
#include "orchestrator/transport/mpi_world.hpp"

namespace leadsweep {

std::string version_text() {
    return fmt::format(
        "leadsweep {}\n"
        "SQLite {}, {}, yaml-cpp {}, cpp-httplib {}, Boost {}, fmt {}.{}.{}, nlohmann-json {}.{}.{}, CLI11 {}\n"
        "`leadsweep-worker --version` tells LibTorch's, CUDA's and NCCL's.",
        LEADSWEEP_VERSION, sqlite_version(), mpi_library(), YAML_CPP_VERSION, CPP_HTTPLIB_VERSION, BOOST_VERSION_TEXT,
        FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100, NLOHMANN_JSON_VERSION_MAJOR,
        NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH, CLI11_VERSION);
}

}  // namespace leadsweep
