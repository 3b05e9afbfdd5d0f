#include "orchestrator/plan/site_file.hpp"
#include "shared/core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

std::vector<std::string> problems_in(const std::string& text) {
    try {
        (void)parse_site(text, "site.yaml");
    } catch (const InputError& error) {
        return error.problems();
    }
    return {};
}

}  // namespace

TEST_CASE("The site file of this project is read, and an empty one is all defaults") {
    const SiteSettings site = load_site_file(std::string(LEADSWEEP_SOURCE_DIR) + "/slurm/site.yaml");
    CHECK(site.launcher == "mpirun");
    CHECK(site.environment == std::string(LEADSWEEP_SOURCE_DIR) + "/slurm/environment.sh");
    CHECK(parse_site("", "site.yaml").nodes == 1);
}

TEST_CASE("Every slip in a site file is told with its place") {
    CHECK(problems_in("partion: gpu\nnodes: many\nnodes: 2\nsbatch: yes\n") ==
          std::vector<std::string>{"site.yaml:1:1: unknown key 'partion', did you mean 'partition'?",
                                   "site.yaml:2:8: nodes: 'many' is no whole number",
                                   "site.yaml:3:1: duplicate key 'nodes'",
                                   "site.yaml:4:9: sbatch: expected a list: [\"--constraint=a100\"]"});
    CHECK(problems_in("environment: no_such_file.sh\n").size() == 1);
    CHECK(problems_in("nodes: [").size() == 1);
    CHECK(problems_in("- a\n").size() == 1);
}

TEST_CASE("Values of a site file cannot become other options, or words of a shell") {
    for (const char* text : {"partition: \"gpu --uid=0\"", "account: \"$(id)\"", "partition: \"a\\n#SBATCH --uid=0\"",
                             "time: \"1; id\"", "memory: 64 GB", "launcher: bash", "sbatch: [\"constraint\"]",
                             "sbatch: [\"--x\\ny\"]", "sbatch: [\"--time=1\"]", "nodes: 0", "signal_s: -1"})
        CHECK_FALSE(problems_in(text).empty());
}

TEST_CASE("A time limit is read as Slurm reads it") {
    CHECK(seconds_of_time_limit("90") == 5400);
    CHECK(seconds_of_time_limit("10:30") == 630);
    CHECK(seconds_of_time_limit("8:00:00") == 28800);
    CHECK(seconds_of_time_limit("1-12") == 129600);
    CHECK(seconds_of_time_limit("2-00:30") == 174600);
    CHECK(seconds_of_time_limit("2-00:30:05") == 174605);
    for (const char* text : {"", "soon", "1h", "1:2:3:4", "-5", "0"}) CHECK(seconds_of_time_limit(text) == 0);
}
