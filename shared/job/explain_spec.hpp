// The part of a job that says how lead importance is computed: `explain` of a sweep file.
#pragma once

#include <cstdint>
#include <string>

#include "shared/job/key_note.hpp"

namespace leadsweep {

struct ExplainSpec {
    std::string method = "lime";
    std::int64_t segments = 10;
    std::int64_t perturbations = 1200;
    std::int64_t records_per_class = 50;
    std::string records = "labelled";
    std::string space = "leads";
    std::string align = "window";
    std::string target = "logit";
    std::string baseline = "lead_mean";
    std::int64_t background_records = 16;
    double ridge = 1.0;
    double kernel_width = 0.25;
    double min_r2 = 0.1;
};

/// The part of visit_settings() (job_spec.hpp) that is about `explain`.
template <class Spec, class Visitor>
void visit_explain_settings(Spec& explain, Visitor&& v) {
    using K = KeyNote;
    v(K{"explain.method",
        "",
        KeyPart::kEvaluate,
        "how lead importance is computed",
        0,
        0,
        {"lime", "kernel_shap", "occlusion", "none"}},
      explain.method);
    v(K{"explain.segments", "", KeyPart::kEvaluate, "equal parts of the window; 1 explains whole leads", 1, 1000},
      explain.segments);
    v(K{"explain.perturbations", "", KeyPart::kEvaluate, "masked copies of each explained record", 2, 1e7},
      explain.perturbations);
    v(K{"explain.records_per_class", "records", KeyPart::kEvaluate, "most explained positives of a class", 1, 1e6},
      explain.records_per_class);
    v(K{"explain.records",
        "",
        KeyPart::kEvaluate,
        "which positives of the tested fold; true_positives: logit above 0",
        0,
        0,
        {"labelled", "true_positives"}},
      explain.records);
    v(K{"explain.space",
        "",
        KeyPart::kEvaluate,
        "what is masked: leads, or the electrodes behind them, which keeps III = II - I",
        0,
        0,
        {"leads", "electrodes"}},
      explain.space);
    v(K{"explain.align",
        "",
        KeyPart::kEvaluate,
        "segments: equal parts of the window; P, QRS, ST-T and rest of all beats; or 50 ms pieces of them (beat_time)",
        0,
        0,
        {"window", "beats", "beat_time"}},
      explain.align);
    v(K{"explain.target", "", KeyPart::kEvaluate, "what is explained", 0, 0, {"logit", "probability"}}, explain.target);
    v(K{"explain.baseline",
        "",
        KeyPart::kEvaluate,
        "what takes the place of a masked part",
        0,
        0,
        {"lead_mean", "zero", "segment_mean", "background"}},
      explain.baseline);
    v(K{"explain.background_records", "records", KeyPart::kEvaluate,
        "training records whose parts take the place of masked ones (baseline: background)", 1, 10000},
      explain.background_records);
    v(K{"explain.ridge", "", KeyPart::kEvaluate, "penalty of the linear model", 0, 1e6}, explain.ridge);
    v(K{"explain.kernel_width",
        "",
        KeyPart::kEvaluate,
        "width of the kernel over the masks' cosine distance",
        0,
        100,
        {},
        true},
      explain.kernel_width);
    v(K{"explain.min_r2", "", KeyPart::kEvaluate, "explanations that fit worse are left out of maps, and counted", 0,
        1},
      explain.min_r2);
}

}  // namespace leadsweep
