// An element of a MATLAB matrix as ADC value, whatever its type: what levels 4 and 5 have in common.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "shared/core/errors.hpp"

namespace leadsweep {

/// `missing` for NaN. Throws InputError, naming the file and the element, for what is no whole number of 32 bits.
template <class Value>
std::int32_t adc_value(Value value, std::int32_t missing, const std::string& file, std::size_t element) {
    if constexpr (std::is_floating_point_v<Value>) {
        if (std::isnan(value)) return missing;
        const bool is_whole = value == std::trunc(value) && std::abs(value) <= Value{1U << 30U};
        if (!is_whole)
            throw InputError(fmt::format(
                "{}: element {} is {}, expected a whole number: the matrix holds no ADC values", file, element, value));
    } else if constexpr (sizeof(Value) >= sizeof(std::int32_t)) {
        if (!std::in_range<std::int32_t>(value))
            throw InputError(fmt::format("{}: element {} is {}, expected 32 bits: the matrix holds no ADC values", file,
                                         element, value));
    }
    return static_cast<std::int32_t>(value);
}

}  // namespace leadsweep
