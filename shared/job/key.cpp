#include "shared/job/key.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/job/semantics.hpp"

namespace leadsweep {
namespace {

std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump();
}

Digest point_digest(const SpecText& spec, bool has_fold) {
    std::string text;
    spec.append_canonical(text, KeyPart::kNone, has_fold);
    return sha256_bytes(text);
}

/// {"data":...,"lists":...,"semantics":[...],"settings":{...}}
Digest train_digest(const SpecText& spec, const DataIdentity& data) {
    static const std::string kSemantics =
        fmt::format("[{},{},{}]", semantics::kPreparation, semantics::kModel, semantics::kTraining);
    std::string text = fmt::format(R"({{"data":{},"lists":{},"semantics":{},"settings":)", quoted(data.data_digest),
                                   quoted(data.lists_digest), kSemantics);
    spec.append_canonical(text, KeyPart::kTrain);
    return sha256_bytes(text += '}');
}

/// {"semantics":[...],"settings":{...},"train_key":...}
Digest whole_digest(const SpecText& spec, const Digest& train_key) {
    static const std::string kStart =
        fmt::format(R"({{"semantics":[{},{}],"settings":)", semantics::kMetrics, semantics::kExplain);
    std::string text = kStart;
    spec.append_canonical(text, KeyPart::kEvaluate);
    text += R"(,"train_key":")";
    text += hex_of(train_key);
    return sha256_bytes(text += "\"}");
}

}  // namespace

std::string point_of(const JobSpec& spec) {
    return hex_of(point_digest(SpecText(spec), true));
}

JobDigests digests_of(const SpecText& spec, const DataIdentity& data) {
    JobDigests digests{point_digest(spec, true), point_digest(spec, false), train_digest(spec, data), {}};
    digests.key = whole_digest(spec, digests.train_key);
    return digests;
}

JobKeys keys_of(const JobSpec& spec, const DataIdentity& data) {
    const JobDigests digests = digests_of(SpecText(spec), data);
    return {hex_of(digests.point), hex_of(digests.group), hex_of(digests.train_key), hex_of(digests.key)};
}

}  // namespace leadsweep
