#include "worker/explain/mean_beat.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "shared/core/median.hpp"
#include "worker/explain/beats.hpp"

namespace leadsweep {
namespace {

constexpr auto kMoments = static_cast<std::size_t>(kMeanBeatMoments);

/// Of one record: sums over its beats, then means; [R, M] signal, [M] how many beats reach there.
struct BeatOfRecord {
    std::vector<double> signal;
    std::vector<std::vector<std::int64_t>> parts;  ///< [M]: the segment that lies there, of each beat
};

BeatOfRecord beat_of(std::span<const float> rows, std::size_t row_count, std::span<const BeatSpan> spans,
                     std::span<const std::int64_t> segment_of_sample, double sampling_hz) {
    const std::size_t samples = rows.size() / row_count;
    BeatOfRecord beat{std::vector<double>(row_count * kMoments, 0), std::vector<std::vector<std::int64_t>>(kMoments)};
    std::vector<double> medians;
    for (std::size_t row = 0; row < row_count; ++row)
        medians.push_back(median_of(rows.subspan(row * samples, samples)));
    for (const BeatSpan& span : spans)
        for (std::size_t m = 0; m < kMoments; ++m) {
            const double at = static_cast<double>(span.r) +
                              (kMeanBeatBegin_s + static_cast<double>(m) * kMeanBeatStep_s) * sampling_hz;
            if (at < static_cast<double>(span.begin) || at > static_cast<double>(span.end - 1)) continue;
            const auto before = static_cast<std::size_t>(at);
            const std::size_t after = std::min(before + 1, samples - 1);
            const double share = at - static_cast<double>(before);
            beat.parts[m].push_back(segment_of_sample[share < 0.5 ? before : after]);
            for (std::size_t row = 0; row < row_count; ++row)
                beat.signal[row * kMoments + m] += (1 - share) * static_cast<double>(rows[row * samples + before]) +
                                                   share * static_cast<double>(rows[row * samples + after]) -
                                                   medians[row];
        }
    for (std::size_t m = 0; m < kMoments; ++m)
        for (std::size_t row = 0; row < row_count; ++row)
            beat.signal[row * kMoments + m] /= static_cast<double>(std::max<std::size_t>(1, beat.parts[m].size()));
    return beat;
}

/// Of all classes; sums over records, then means.
class MeanBeats {
public:
    MeanBeats(std::size_t classes, std::size_t rows)
        : rows_(rows),
          signal_(classes * rows * kMoments, 0),
          importance_(classes * rows * kMoments, 0),
          records_(classes * kMoments, 0) {}

    /// `coefficients` [R, S] of class k.
    void add(std::size_t k, const BeatOfRecord& beat, std::span<const double> coefficients) {
        const std::size_t segments = coefficients.size() / rows_;
        for (std::size_t m = 0; m < kMoments; ++m) {
            if (beat.parts[m].empty()) continue;
            ++records_[k * kMoments + m];
            for (std::size_t row = 0; row < rows_; ++row) {
                double sum = 0;
                for (const std::int64_t part : beat.parts[m])
                    sum += coefficients[row * segments + static_cast<std::size_t>(part)];
                const std::size_t at = (k * rows_ + row) * kMoments + m;
                importance_[at] += sum / static_cast<double>(beat.parts[m].size());
                signal_[at] += beat.signal[row * kMoments + m];
            }
        }
    }

    void store(ArrayFile& arrays) const {
        const auto classes = static_cast<std::int64_t>(records_.size() / kMoments);
        const auto rows = static_cast<std::int64_t>(rows_);
        arrays.arrays["beat_signal"] = NamedArray::of<float>(means(signal_), {classes, rows, kMeanBeatMoments});
        arrays.arrays["beat_importance"] = NamedArray::of<float>(means(importance_), {classes, rows, kMeanBeatMoments});
        arrays.arrays["beat_records"] = NamedArray::of<std::int32_t>(records_, {classes, kMeanBeatMoments});
    }

private:
    std::vector<float> means(const std::vector<double>& sums) const {
        std::vector<float> values(sums.size());
        for (std::size_t i = 0; i < sums.size(); ++i) {
            const std::int32_t n = records_[i / (rows_ * kMoments) * kMoments + i % kMoments];
            values[i] = n == 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(sums[i] / n);
        }
        return values;
    }

    std::size_t rows_;
    std::vector<double> signal_;
    std::vector<double> importance_;
    std::vector<std::int32_t> records_;
};

}  // namespace

void add_mean_beats(const RecordSource& records, const ExplainPlan& plan, const std::vector<Explanation>& explanations,
                    const Explainer& explainer, const JobSpec& spec, ArrayFile& arrays) {
    if (spec.explain.align == "window" || arrays.arrays.empty()) return;
    const std::size_t row_count = explainer.rows().size();
    MeanBeats means(plan.records_of_class.size(), row_count);
    std::vector<float> signal(static_cast<std::size_t>(records.leads() * records.samples()));
    for (std::size_t i = 0; i < plan.records.size(); ++i) {
        const Explanation& explanation = explanations.at(i);
        if (explanation.refusal != Refusal::kNone) continue;
        records.copy(plan.records[i], signal.data());
        const Division division = explainer.divide(signal);
        const auto spans = beat_spans(division.r_peaks, records.samples());
        const BeatOfRecord beat = beat_of(explainer.row_signals(signal), row_count, spans, division.segment_of_sample,
                                          spec.sampling_hz);
        for (const std::int64_t k : plan.classes_of(plan.records[i])) {
            if (explanation.r2[k].item<double>() < spec.explain.min_r2) continue;
            const auto coefficients = explanation.coefficients[k].contiguous();
            means.add(static_cast<std::size_t>(k), beat,
                      {coefficients.const_data_ptr<double>(), static_cast<std::size_t>(coefficients.numel())});
        }
    }
    means.store(arrays);
    arrays.metadata["beat_begin_s"] = fmt::format("{}", kMeanBeatBegin_s);
    arrays.metadata["beat_step_s"] = fmt::format("{}", kMeanBeatStep_s);
    arrays.metadata["beat_unit"] = spec.data.normalize == "zscore" ? "sd" : "uV";
}

}  // namespace leadsweep
