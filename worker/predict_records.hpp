// The trained model at work: records by path in, probabilities and explanations out. What `leadsweep predict` runs.
#pragma once

#include <string>

namespace leadsweep {

/// `leadsweep-worker predict`: reads a request and writes the answer, both JSON.
///
/// Request: "models": [{"path", "digest"}], all of one label set; "records": header files; "explain": bool.
/// Answer: "class_codes" [K]; "leads"; "records": [{"path", "notes", "problem"}, or with "probabilities" [models][K]
/// and, if asked for, "importance" [K][L][S]: signed coefficients on the logit, mean over the models]. What is wrong
/// with one record goes into its `problem`. Returns an exit code; throws InputError, FileError.
int run_predict(const std::string& request_path, const std::string& answer_path);

}  // namespace leadsweep
