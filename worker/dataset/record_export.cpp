#include "worker/dataset/record_export.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/errors.hpp"
#include "worker/dataset/wfdb_record.hpp"

namespace leadsweep {

int export_record(const std::string& header_path, const std::string& out_path) {
    const WfdbRecord record = read_wfdb_record(header_path);
    const auto samples = static_cast<std::size_t>(record.samples);
    std::vector<float> signal;
    std::vector<double> lead(samples);
    std::string names;
    bool is_unitless = false;
    for (std::int64_t i = 0; i < record.leads(); ++i) {
        lead_in_microvolt(record, i, lead);
        for (const double value : lead) signal.push_back(static_cast<float>(value));
        const auto& line = record.header.signals[static_cast<std::size_t>(i)];
        names += (i == 0 ? "" : "\n") + line.lead;
        is_unitless = is_unitless || line.unit == PhysicalUnit::kNone || line.unit == PhysicalUnit::kOther;
    }
    ArrayFile file;
    file.arrays["signal"] = NamedArray::of<float>(signal, {record.leads(), record.samples});
    file.metadata = {{"leads", names},
                     {"sampling_hz", fmt::format("{}", record.sampling_hz)},
                     {"is_unitless", is_unitless ? "1" : "0"}};
    save_arrays(file, out_path);
    return kExitDone;
}

}  // namespace leadsweep
