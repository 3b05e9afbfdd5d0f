// A seal in a file of arrays: a digest over all that it holds, kept within it. Tells a whole file from a damaged one
// without asking anybody else.
#pragma once

#include "shared/arrays/safetensors.hpp"

namespace leadsweep {

/// Puts the SHA-256 over names, bytes and metadata into the metadata, as `digest`.
void seal(ArrayFile& file);
/// False where there is no seal as well.
bool has_whole_seal(const ArrayFile& file);

}  // namespace leadsweep
