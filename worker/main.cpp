// leadsweep-worker: one device's worth of work. Started by a supervisor; `devices` and `survey` are single questions.
#include <iostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "worker/dataset/record_export.hpp"
#include "worker/dataset/survey.hpp"
#include "worker/devices.hpp"
#include "worker/predict_records.hpp"
#include "worker/serve.hpp"

namespace {

using namespace leadsweep;

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

}  // namespace

int main(int count, char** arguments) try {
    CLI::App app{"leadsweep-worker computes on one device; leadsweep starts it.", "leadsweep-worker"};
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("leadsweep-worker {}, {}", LEADSWEEP_VERSION, describe_build()));
    int threads = 1;
    std::string uuid, cores, request, out;
    auto* devices = app.add_subcommand("devices", "list the devices of this machine as JSON");
    devices->add_option("--threads", threads, "cores of one CPU device");
    auto* worker = app.add_subcommand("serve", "take commands on descriptor 3, tell facts on descriptor 4");
    worker->add_option("--device", uuid, "id of the device, as `devices` lists it")->required();
    worker->add_option("--cores", cores, "cores of a CPU device, separated by commas");
    const auto add_question = [&](const char* name, const char* about, const char* asked) {
        auto* question = app.add_subcommand(name, about);
        for (const auto& [option, value] : {std::pair{asked, &request}, std::pair{"--out", &out}})
            question->add_option(option, *value)->required();
        return question;
    };
    add_question("survey", "tell what is in the records that a request file names", "REQUEST");
    auto* prediction = add_question("predict", "apply trained models to the records of a request file", "REQUEST");
    auto* record = add_question("record", "write the leads of one record, in uV, as safetensors", "HEADER");
    CLI11_PARSE(app, count, arguments);
    if (*devices || *worker) return *devices ? print_devices(threads) : serve(uuid, cores);
    if (*record) return export_record(request, out);
    return *prediction ? run_predict(request, out) : run_survey(request, out);
} catch (const std::exception& error) {
    std::cerr << "leadsweep-worker: " << error.what() << std::endl;
    return dynamic_cast<const leadsweep::InputError*>(&error) ? leadsweep::kExitBadInput : leadsweep::kExitInternal;
}
