// `leadsweep-worker serve`: greets its supervisor and does what it is told until the command pipe ends.
#pragma once

#include <string>

namespace leadsweep {

/// Takes the device `uuid` (threads pinned to `core_list`, "0,1"; all if empty) and serves descriptors 3 and 4. Returns
/// the exit code. Throws InputError where the device is not there.
int serve(const std::string& uuid, const std::string& core_list);

}  // namespace leadsweep
