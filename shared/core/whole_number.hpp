// Whole numbers in JSON and CBOR from other processes.
#pragma once

#include <concepts>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include "shared/core/errors.hpp"

namespace leadsweep {

template <class T>
concept WholeNumber = std::integral<T> && !std::same_as<T, bool>;

/// The number that `json` holds. nlohmann casts whatever number it finds: here a fraction, and a number that T cannot
/// hold, is a ProtocolError, as is what is no number.
template <WholeNumber T>
T whole_number(const nlohmann::json& json) {
    if (const auto* natural = json.get_ptr<const nlohmann::json::number_unsigned_t*>()) {
        if (std::in_range<T>(*natural)) return static_cast<T>(*natural);
    } else if (const auto* integer = json.get_ptr<const nlohmann::json::number_integer_t*>()) {
        if (std::in_range<T>(*integer)) return static_cast<T>(*integer);
    }
    throw ProtocolError(fmt::format("found {}, expected a whole number of {} bits", json.dump(), 8 * sizeof(T)));
}

}  // namespace leadsweep
