// Catch2 beside LibTorch, which has a CHECK macro of its own. One thread computes in these tests: small tensors gain
// nothing from several, and gangs of threads would take each other's cores.
#pragma once

#include <torch/torch.h>
#undef CHECK

#include "tests/support/catch.hpp"

namespace leadsweep::test {
inline const bool kIsSingleThreaded = (at::set_num_threads(1), true);
}
