#include "worker/commands.hpp"

#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "worker/bench.hpp"
#include "worker/dataset/record_export.hpp"
#include "worker/dataset/survey.hpp"
#include "worker/devices.hpp"
#include "worker/explain_record.hpp"
#include "worker/predict_records.hpp"
#include "worker/serve.hpp"
#include "worker/train_by_hand.hpp"

namespace leadsweep {
namespace {

int print_devices(int threads) {
    nlohmann::json list = nlohmann::json::array();
    for (const Device& d : list_devices(threads))
        list.push_back({{"kind", d.kind},
                        {"uuid", d.uuid},
                        {"name", d.name},
                        {"cores", d.cores},
                        {"memory_bytes", d.memory_bytes}});
    std::cout << list.dump() << std::endl;
    return kExitDone;
}

void add_devices(CLI::App& app, int& exit_code) {
    auto threads = std::make_shared<int>(1);
    auto* command = app.add_subcommand("devices", "list the devices of this machine as JSON");
    command->add_option("--threads", *threads, "cores of one CPU device");
    command->callback([threads, &exit_code] { exit_code = print_devices(*threads); });
}

void add_serve(CLI::App& app, int& exit_code) {
    struct Options {
        std::string uuid, cores;
    };
    auto options = std::make_shared<Options>();
    auto* command = app.add_subcommand("serve", "take commands on descriptor 3, tell facts on descriptor 4");
    command->add_option("--device", options->uuid, "id of the device, as `devices` lists it")->required();
    command->add_option("--cores", options->cores, "cores of a CPU device, separated by commas");
    command->callback([options, &exit_code] { exit_code = serve(options->uuid, options->cores); });
}

/// A command that answers what a file asks by writing another.
void add_question(CLI::App& app, int& exit_code, const char* name, const char* about, const char* asked,
                  int (*answer)(const std::string& question, const std::string& out)) {
    struct Options {
        std::string question, out;
    };
    auto options = std::make_shared<Options>();
    auto* command = app.add_subcommand(name, about);
    command->add_option(asked, options->question)->required();
    command->add_option("--out", options->out, "file to write")->required();
    command->callback([options, answer, &exit_code] { exit_code = answer(options->question, options->out); });
}

void add_train(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<TrainByHand>();
    auto* command = app.add_subcommand("train", "run one job by hand, under a debugger or a profiler");
    command->add_option("JOB", options->job, "JSON: the spec of a job, or job.json of a failed attempt")->required();
    command->add_option("--device", options->device, "cpu, cuda, cuda:1, or an id as `devices` lists it")
        ->capture_default_str();
    command->add_option("--threads", options->threads, "cores of a CPU device")->capture_default_str();
    command->add_option("--out", options->out, "folder for checkpoints and results")->capture_default_str();
    command->footer(
        "Ctrl-C leaves a checkpoint in --out, from which the same command goes on.\n"
        "Example (a spec has the keys of sweeps/README.md; what is left out has its default):\n"
        "  echo '{\"data\": {\"synthetic\": {\"patients\": 60}}, \"sampling_hz\": 75, \"train\": {\"epochs\": 2}}' > "
        "job.json\n"
        "  leadsweep-worker train job.json --threads 2 --out try");
    command->callback([options, &exit_code] { exit_code = train_by_hand(*options); });
}

void add_bench(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<BenchOptions>();
    auto* command = app.add_subcommand("bench", "speed of the study's network on this machine, as one line of JSON");
    command->add_option("--device", options->device, "as for train")->capture_default_str();
    command->add_option("--threads", options->threads, "cores of a CPU device")->capture_default_str();
    command->add_option("--batch", options->batch, "records of a batch, over all ranks")->capture_default_str();
    command->add_option("--samples", options->samples, "samples of a record")->capture_default_str();
    command->add_option("--steps", options->steps, "measured steps, after two to warm up")->capture_default_str();
    command->add_option("--precision", options->precision, "fp32, tf32 or bf16")
        ->capture_default_str()
        ->check(CLI::IsMember({"fp32", "tf32", "bf16"}));
    command->add_option("--ranks", options->ranks, "workers of a gang over TCP, each started by this command")
        ->capture_default_str();
    command->add_option("--rank", options->rank, "this one of them")->capture_default_str();
    command->add_option("--meet", options->meet, "file in which rank 0 tells the others where to meet");
    command->callback([options, &exit_code] { exit_code = run_bench(*options); });
}

}  // namespace

void add_commands(CLI::App& app, int& exit_code) {
    add_devices(app, exit_code);
    add_train(app, exit_code);
    add_bench(app, exit_code);
    add_serve(app, exit_code);
    add_question(app, exit_code, "survey", "tell what is in the records that a request file names", "REQUEST",
                 run_survey);
    add_question(app, exit_code, "record", "write the leads of one record, in uV, as safetensors", "HEADER",
                 export_record);
    add_question(app, exit_code, "predict", "apply trained models to the records of a request file", "REQUEST",
                 run_predict);
    add_question(app, exit_code, "explain", "explain one record in detail, as a request file asks", "REQUEST",
                 run_explain);
}

}  // namespace leadsweep
