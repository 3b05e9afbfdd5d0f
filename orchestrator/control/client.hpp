// The asking side of `<db>.control/`: what commands do while a coordinator runs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "orchestrator/control/messages.hpp"

namespace leadsweep {

/// Who runs the database's coordinator now, as its lock tells; nothing if nobody does.
using HolderOf = std::function<std::optional<std::string>()>;

/// Who this process asks for: "alice on node7".
std::string asker();

/// Asks the coordinator that holds the database and waits for its reply. A coordinator that takes its place meanwhile
/// is asked anew. Nothing where no coordinator runs, or it ended before it answered. Throws InputError where it does
/// not answer within `timeout_s` (the request is taken back), FileError where the folder cannot be used.
std::optional<ControlReply> ask_coordinator(const std::string& database_path, const ControlRequest& request,
                                            double timeout_s, const HolderOf& holder_of);

}  // namespace leadsweep
