#include "shared/job/pack_key.hpp"

#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/job/semantics.hpp"

namespace leadsweep {

std::int64_t shard_count(std::int64_t records) {
    return (records + kRecordsPerShard - 1) / kRecordsPerShard;
}

nlohmann::json preparation_settings(const JobSpec& spec) {
    return {{"data.window_s", spec.data.window_s},
            {"data.windows", spec.data.windows},
            {"data.stride_s", spec.data.stride_s},
            {"data.missing", spec.data.missing},
            {"data.band_pass_hz", spec.data.band_pass_hz},
            {"data.normalize", spec.data.normalize},
            {"data.leads", spec.data.leads},
            {"data.derive_leads", spec.data.derive_leads},
            {"data.layout", spec.data.layout},
            {"data.pack_type", spec.data.pack_type},
            {"sampling_hz", spec.sampling_hz},
            {"semantics", semantics::kPreparation}};
}

std::string pack_key(const JobSpec& spec, const std::string& data_digest) {
    return sha256(nlohmann::json{{"preparation", preparation_settings(spec)}, {"data", data_digest}}.dump());
}

}  // namespace leadsweep
