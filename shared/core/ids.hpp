// Identifiers with a type of their own, so that an attempt cannot be passed where a job is meant.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace leadsweep {

/// A number that names one thing of the kind `Tag`. 0 means "none".
template <class Tag>
struct Id {
    std::uint64_t value = 0;
    constexpr auto operator<=>(const Id&) const = default;
    constexpr explicit operator bool() const { return value != 0; }
};

using JobId = Id<struct JobTag>;                ///< row of `jobs`
using AttemptId = Id<struct AttemptTag>;        ///< row of `attempts`; never reused in the life of a database
using WorkerId = Id<struct WorkerTag>;          ///< a worker process, unique within a coordinator's run
using Incarnation = Id<struct IncarnationTag>;  ///< one life of a coordinator on a database

}  // namespace leadsweep

template <class Tag>
struct std::hash<leadsweep::Id<Tag>> {
    std::size_t operator()(leadsweep::Id<Tag> id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
