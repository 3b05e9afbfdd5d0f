// One record for other programs: what `leadsweep data --plot` draws.
#pragma once

#include <string>

namespace leadsweep {

/// `leadsweep-worker record`: writes the leads of a record in µV as safetensors: float32 `signal` [L, N]; metadata
/// "leads" (names, separated by line breaks), "sampling_hz", "is_unitless" ("1" where a lead has no unit). Missing
/// samples are interpolated. Returns an exit code; throws InputError, FileError.
int export_record(const std::string& header_path, const std::string& out_path);

}  // namespace leadsweep
