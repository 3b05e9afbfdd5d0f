// A fuzz target: what is done with any bytes, and inputs to start from. Linked with libFuzzer (`./dev fuzz`), or with
// replay.cpp for the ordinary tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace leadsweep::fuzz {

/// Good inputs, one of each kind.
std::vector<std::string> seeds();

}  // namespace leadsweep::fuzz
