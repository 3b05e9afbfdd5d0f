// One record from a file, prepared for a network.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "worker/dataset/prepare.hpp"
#include "worker/dataset/wfdb_record.hpp"
#include "worker/model/record_source.hpp"

namespace leadsweep {

class OneRecord final : public RecordSource {
public:
    /// Throws InputError as prepare_record().
    OneRecord(const WfdbRecord& record, const JobSpec& spec)
        : leads_(static_cast<std::int64_t>(spec.data.leads.size())),
          samples_(spec.window_samples()),
          signal_(static_cast<std::size_t>(leads_ * samples_)),
          notes_(prepare_record(record, spec, signal_)) {}
    std::int64_t leads() const override { return leads_; }
    std::int64_t samples() const override { return samples_; }
    void copy(std::int64_t, float* out) const override { std::copy(signal_.begin(), signal_.end(), out); }
    const std::vector<float>& signal() const { return signal_; }  ///< [L, T]
    const PrepareNotes& notes() const { return notes_; }

private:
    std::int64_t leads_;
    std::int64_t samples_;
    std::vector<float> signal_;
    PrepareNotes notes_;
};

/// What was repaired, for people; "" where nothing was.
std::string words_of(const PrepareNotes& notes);

}  // namespace leadsweep
