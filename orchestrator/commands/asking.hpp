// How commands reach a running coordinator.
#pragma once

#include <optional>
#include <string>

#include "orchestrator/control/client.hpp"
#include "orchestrator/store/store_lock.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {

inline constexpr double kQuestionTimeout_s = 10;  ///< answered between two ticks
inline constexpr double kChangeTimeout_s = 120;   ///< answered when durable

/// The reply of the coordinator that has this database; nothing where none runs. Throws InputError where it refuses or
/// does not answer in time.
template <class Reply>
std::optional<Reply> ask_running(const std::string& db, const ControlRequest& request, double timeout_s) {
    const auto reply = ask_coordinator(db, request, timeout_s, [&db] { return StoreLock::holder_of(db); });
    if (!reply) return std::nullopt;
    if (const auto* error = std::get_if<ErrorReply>(&*reply)) throw InputError(error->message);
    if (const auto* expected = std::get_if<Reply>(&*reply)) return *expected;
    throw InputError("the coordinator gave an answer to another question; use the same leadsweep for both");
}

}  // namespace leadsweep
