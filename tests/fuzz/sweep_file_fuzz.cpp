// Any text as a sweep file: a sweep or InputError.
#include "orchestrator/plan/sweep_file.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "tests/fuzz/target.hpp"

using namespace leadsweep;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        (void)parse_sweep(std::string(reinterpret_cast<const char*>(data), size), "/nowhere/sweep.yaml");
    } catch (const InputError&) {
        // As promised.
    }
    return 0;
}

std::vector<std::string> fuzz::seeds() {
    std::vector<std::string> seeds;
    for (const char* name : {"demo.yaml", "real_small.yaml", "smoke.yaml"})
        seeds.push_back(read_file(std::string(LEADSWEEP_SOURCE_DIR "/sweeps/") + name));
    seeds.push_back(
        "name: s\ndata: {synthetic: {patients: 12}, table: {file: l.csv, record: p}}\nbase: {loss: bce}\n"
        "axes: {fold: all, model.depth: [6, 9]}\nzip: [{train.batch: [32, 64], train.learning_rate: [1e-3, 2e-3]}]\n"
        "exclude: [{sampling_hz: 500, model.depth: 9}]\ninclude: [{sampling_hz: 25, fold: all}]\n"
        "when: [{if: {sampling_hz: 500}, set: {resources.devices: 2}}]\n");
    return seeds;
}
