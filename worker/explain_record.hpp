// One record explained in detail, to be drawn. What `leadsweep explain` runs.
#pragma once

#include <string>

namespace leadsweep {

/// `leadsweep-worker explain`: reads a request and writes the answer, both JSON.
///
/// Request: "model": {"path", "digest"}; "record": header file; "class": its code, "" for the most probable;
/// "settings":
/// {"explain": {..}} that take the place of the model's own.
/// Answer: "notes"; "class_code", "class_index", "probability"; "rows" [R]; "coefficients" [R][S] and "r2" (null: the
/// method has none) of that class, "min_r2"; "faithfulness" by name (faithfulness.hpp); "segment_of_sample" [T] at
/// "sampling_hz"; "align", "method", "target", "window_s"; "signal_uv" [R][N] of the window at "signal_hz", as the file
/// has it, and "is_unitless". Returns an exit code; throws InputError, FileError, JobError(kInvalid).
int run_explain(const std::string& request_path, const std::string& answer_path);

}  // namespace leadsweep
