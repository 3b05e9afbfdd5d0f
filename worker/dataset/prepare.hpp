// From a record to what the network sees: window, resampling, order of leads, normalising. No files are opened here.
//
// Order: leads in µV by name -> the first window_s seconds at the native rate, zeros after the end of a short record ->
// Fourier resampling of that window to JobSpec::window_samples() -> zscore if asked for -> float32.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shared/job/job_spec.hpp"
#include "worker/dataset/synthetic.hpp"
#include "worker/dataset/wfdb_record.hpp"

namespace leadsweep {

/// What was repaired in one record.
struct PrepareNotes {
    std::int64_t padded_samples = 0;   ///< zeros per lead after the end, at the native rate
    std::int64_t missing_samples = 0;  ///< interpolated, over all leads used
    std::int64_t constant_leads = 0;   ///< leads used that do not change within the window
    bool is_unitless = false;          ///< unit NU, read as mV

    bool is_repaired() const { return padded_samples > 0 || missing_samples > 0 || constant_leads > 0 || is_unitless; }
};

/// Prepares many records; those of one rate share a Fourier transform, which is what makes it fast.
/// `out` of every add is [L, T] with L = spec.data.leads.size(), T = spec.window_samples(); it is filled by the end of
/// flush() and must live so long. zscore: mean 0 and standard deviation 1 (divided by T) of each lead over the window,
/// padding included; a constant lead becomes 0.
class Preparer {
public:
    /// Throws InputError for a lead name of the spec that is none of the twelve, or an empty window.
    explicit Preparer(const JobSpec& spec);
    /// Throws InputError naming record and lead if the record lacks a lead.
    PrepareNotes add(const WfdbRecord& record, std::span<float> out);
    PrepareNotes add(const SyntheticRecord& record, std::span<float> out);
    /// Fills what was added. Must be called before the object is destroyed.
    void flush();

    std::int64_t leads() const { return static_cast<std::int64_t>(leads_.size()); }
    std::int64_t samples() const { return samples_; }

private:
    struct Native {
        std::int64_t samples;  ///< of the window at the native rate
        std::int64_t used;     ///< of them present in the record
    };
    Native start_record(const std::string& name, double sampling_hz, std::int64_t samples, std::span<float> out);
    void finish_record(const Native& native, std::span<float> out, PrepareNotes& notes);
    std::vector<std::int64_t> find_leads(const std::string& name, const std::vector<std::string>& present) const;
    std::span<double> row(std::size_t lead);

    std::vector<std::size_t> leads_;  ///< wanted, as indices into kLeadNames
    std::int64_t samples_ = 0;        ///< T
    double window_s_ = 0;
    bool is_zscored_ = false;
    std::int64_t native_samples_ = 0;  ///< of all records waiting
    std::vector<double> waiting_;      ///< [records * L, native_samples_]
    std::vector<std::span<float>> outputs_;
    std::vector<std::uint8_t> is_constant_;  ///< [records * L]
};

/// One record at once: Preparer's add and flush.
PrepareNotes prepare_record(const WfdbRecord& record, const JobSpec& spec, std::span<float> out);
PrepareNotes prepare_record(const SyntheticRecord& record, const JobSpec& spec, std::span<float> out);

}  // namespace leadsweep
