// From a record to what the network sees: window, filter, resampling, order of leads, normalising. No files are opened
// here.
//
// Order: leads in µV by name, or derived from I and II -> window_s seconds at the native rate -> band-pass if asked for
// -> zeros after the end of a short record -> Fourier resampling of that window to JobSpec::window_samples() -> zscore
// if asked for -> 0 where samples are missing, if they are to be masked -> float32 -> the mistaken reshape if asked
// for.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shared/ecg/catalogue.hpp"
#include "shared/job/job_spec.hpp"
#include "worker/dataset/band_pass.hpp"
#include "worker/dataset/synthetic.hpp"
#include "worker/dataset/wfdb_record.hpp"

namespace leadsweep {

/// What was repaired in one window.
struct PrepareNotes {
    std::int64_t padded_samples = 0;   ///< zeros per lead after the end, at the native rate
    std::int64_t missing_samples = 0;  ///< interpolated or masked, over all leads used
    std::int64_t constant_leads = 0;   ///< leads used that do not change within the window
    std::int64_t derived_leads = 0;    ///< computed from I and II
    bool is_unitless = false;          ///< unit NU, read as mV

    bool is_repaired() const {
        return padded_samples > 0 || missing_samples > 0 || constant_leads > 0 || derived_leads > 0 || is_unitless;
    }
};

/// Windows of a record: 1 where data.windows is `first` or the record is shorter than two; else as many as begin
/// stride_s apart and lie within the record. What is left at its end is in none.
std::int64_t window_count(const DataSpec& data, double sampling_hz, std::int64_t samples);

/// Whether a record can be prepared so: it can be read, gives all leads, and its rate holds the band-pass.
bool can_be_prepared(const CatalogueRecord& record, const DataSpec& data);

/// Prepares many windows; those of one rate share a Fourier transform, which is what makes it fast.
/// `out` of every add is [L, T] with L = spec.data.leads.size(), T = spec.window_samples(); it is filled by the end of
/// flush() and must live so long. zscore: mean 0 and standard deviation 1 (divided by T) of each lead over the window,
/// padding included; a constant lead becomes 0.
class Preparer {
public:
    /// Throws InputError for a lead name of the spec that is none of the twelve, or an empty window.
    explicit Preparer(const JobSpec& spec);
    /// Prepares window `window` of a record. Throws InputError naming record and lead if the record lacks a lead, or
    /// record and rate if the band-pass reaches half its rate.
    PrepareNotes add(const WfdbRecord& record, std::span<float> out, std::int64_t window = 0);
    PrepareNotes add(const SyntheticRecord& record, std::span<float> out, std::int64_t window = 0);
    /// Fills what was added. Must be called before the object is destroyed.
    void flush();

    std::int64_t leads() const { return static_cast<std::int64_t>(leads_.size()); }
    std::int64_t samples() const { return samples_; }

private:
    struct Native {
        std::int64_t first;    ///< sample of the record with which the window begins
        std::int64_t samples;  ///< of the window at the native rate
        std::int64_t used;     ///< of them present in the record
    };
    Native start_window(const std::string& name, double sampling_hz, std::int64_t samples, std::int64_t window,
                        std::span<float> out);
    void finish_window(const Native& native, double sampling_hz, std::span<float> out, PrepareNotes& notes);
    /// Index of each wanted lead among those present; -1 for one that is derived.
    std::vector<std::int64_t> find_leads(const std::string& name, const std::vector<std::string>& present) const;
    void derive(const WfdbRecord& record, std::size_t lead, const Native& native, PrepareNotes& notes);
    void note_missing(const WfdbRecord& record, std::int64_t signal, std::size_t lead, const Native& native);
    std::span<double> row(std::size_t lead);
    const BandPass& filter_for(const std::string& name, double sampling_hz);
    void mask(std::size_t row, std::span<float> out) const;

    std::vector<std::size_t> leads_;  ///< wanted, as indices into kLeadNames
    std::int64_t samples_ = 0;        ///< T
    DataSpec data_;
    bool is_zscored_ = false;
    std::map<double, BandPass> filters_;  ///< by native rate
    std::int64_t native_samples_ = 0;     ///< of all windows waiting
    std::vector<double> waiting_;         ///< [windows * L, native_samples_]
    std::vector<std::span<float>> outputs_;
    std::vector<std::uint8_t> is_constant_;  ///< [windows * L]
    /// Row of `waiting_` and a native sample of it that is missing, in order; filled only where they are masked.
    std::vector<std::pair<std::size_t, std::int64_t>> missing_;
};

/// One window at once: Preparer's add and flush.
PrepareNotes prepare_record(const WfdbRecord& record, const JobSpec& spec, std::span<float> out);
PrepareNotes prepare_record(const SyntheticRecord& record, const JobSpec& spec, std::span<float> out);

}  // namespace leadsweep
