// Any JSON as a job, as it comes with Assign and out of the database: a job or InputError.
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/job/job_spec.hpp"
#include "tests/fuzz/target.hpp"

using namespace leadsweep;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto json = nlohmann::json::parse(data, data + size, nullptr, false);
    if (json.is_discarded()) return 0;
    try {
        (void)to_json(job_spec_from_json(json));
    } catch (const InputError&) {
        // As promised.
    }
    return 0;
}

std::vector<std::string> fuzz::seeds() {
    JobSpec spec;
    spec.fold = 3;
    spec.sampling_hz = 100;
    return {to_json(JobSpec{}).dump(), to_json(spec).dump(), "{}"};
}
