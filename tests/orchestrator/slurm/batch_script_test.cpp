#include <fmt/format.h>

#include "orchestrator/slurm/batch_script.hpp"
#include "orchestrator/slurm/external_program.hpp"
#include "orchestrator/slurm/submissions.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;

namespace {

BatchScript sample_script() {
    BatchScript script;
    script.job_name = "losses";
    script.nodes = 2;
    script.gpus_per_node = 4;
    script.time = "8:00:00";
    script.signal_s = 120;
    script.launcher = "mpirun";
    script.max_requeues = 7;
    script.folder = "/results/x.sqlite.slurm";
    script.work = "/results/x.sqlite.files";
    script.leadsweep = "/opt/leadsweep";
    script.arguments = {"sweep.yaml", "--db", "/results/x.sqlite"};
    return script;
}

}  // namespace

TEST_CASE("The batch script asks for nodes, GPUs, a warning and a requeue") {
    const std::string text = render_batch_script(sample_script());
    for (const char* line : {"#SBATCH --nodes=2\n", "#SBATCH --ntasks-per-node=1\n", "#SBATCH --gpus-per-node=4\n",
                             "#SBATCH --time=8:00:00\n", "#SBATCH --signal=B:USR1@120\n", "#SBATCH --requeue\n",
                             "#SBATCH --open-mode=append\n", "#SBATCH --job-name=leadsweep-losses\n",
                             "\nmax_requeues=7\n", "\narguments=(sweep.yaml --db /results/x.sqlite)\n"})
        CHECK_THAT(text, ContainsText(line));
    CHECK(text.find('@' + std::string("ARG")) == std::string::npos);
    CHECK(text.find("--array") == std::string::npos);
    CHECK(text.find("--partition") == std::string::npos);
}

TEST_CASE("The shell takes every argument of the batch script as it is") {
    const std::vector<std::string> hostile{
        "$(touch /tmp/owned)", "`id`", "a'b\"c", "two  words", "@WORK@", "; exit 7", "new\nline",
        "--x=$HOME",           "\\",   ""};
    BatchScript script = sample_script();
    script.arguments = hostile;
    const std::string text = render_batch_script(script);
    const auto begin = text.find("arguments=(");
    const auto end = text.find("\nlauncher=");
    const auto run =
        run_external_program({"bash", "-c", text.substr(begin, end - begin) + "\nprintf '%s\\0' \"${arguments[@]}\""},
                             std::chrono::seconds(20));
    REQUIRE(run);
    std::string expected;
    for (const auto& argument : hostile) expected += argument + '\0';
    CHECK(run->out == expected);
    CHECK(run->err.empty());
}

TEST_CASE("No text reaches a line of #SBATCH that would begin another one") {
    BatchScript script = sample_script();
    script.folder = "/results\n#SBATCH --uid=0";
    CHECK_THROWS_AS(render_batch_script(script), InputError);
    script = sample_script();
    script.job_name = "a\n#SBATCH --uid=0; $(id)";
    CHECK_THAT(render_batch_script(script), ContainsText("--job-name=leadsweep-a__SBATCH_--uid_0____id_\n"));
    script.folder = "/with %j and \"quotes\"";
    CHECK_THAT(render_batch_script(script), ContainsText("--output=\"/with %%j and \\\"quotes\\\"/%x-%j.out\"\n"));
}

TEST_CASE("The batch script is one that bash understands") {
    const TemporaryFolder folder;
    write_file_durably(folder / "script", render_batch_script(sample_script()));
    const auto run = run_external_program({"bash", "-n", folder / "script"}, std::chrono::seconds(20));
    REQUIRE(run);
    CHECK(run->code == 0);
    CHECK(run->err.empty());
}

TEST_CASE("Submissions are remembered, lines that cannot be read left out") {
    const TemporaryFolder folder;
    const std::string place = folder / "slurm";
    CHECK(submissions_in(place).empty());
    make_slurm_folder(place);
    remember_submission(place, {"12", "losses", "2026-01-31T12:00:00.000Z", 0});
    write_file_durably(place + "/submissions.jsonl", read_file(place + "/submissions.jsonl") + "{torn\n");
    remember_submission(place, {"13", "a \"name\"\n", "2026-01-31T13:00:00.000Z", 4});
    const auto all = submissions_in(place);
    REQUIRE(all.size() == 2);
    CHECK(all[0].id == "12");
    CHECK(all[1].sweep == "a \"name\"\n");
    CHECK(all[1].shards == 4);
}

TEST_CASE("A program that is not there is told apart from one that fails or hangs") {
    CHECK(!run_external_program({"leadsweep-no-such-program"}, std::chrono::seconds(5)));
    const auto failed = run_external_program({"sh", "-c", "echo out; echo err >&2; exit 3"}, std::chrono::seconds(5));
    REQUIRE(failed);
    CHECK(failed->code == 3);
    CHECK(failed->out == "out\n");
    CHECK(failed->err == "err\n");
    CHECK_THROWS_AS(run_external_program({"sleep", "60"}, std::chrono::seconds(1)), Error);
}
