// Values in JSON and CBOR that came from other processes and from files.
#pragma once

#include <concepts>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace leadsweep {

template <class T>
concept WholeNumber = std::integral<T> && !std::same_as<T, bool>;

/// The number that `json` holds. nlohmann casts whatever number it finds: here a fraction, and a number that T cannot
/// hold, is a nlohmann::json::type_error, as is what is no number.
template <WholeNumber T>
T whole_number(const nlohmann::json& json) {
    if (const auto* natural = json.get_ptr<const nlohmann::json::number_unsigned_t*>()) {
        if (std::in_range<T>(*natural)) return static_cast<T>(*natural);
    } else if (const auto* integer = json.get_ptr<const nlohmann::json::number_integer_t*>()) {
        if (std::in_range<T>(*integer)) return static_cast<T>(*integer);
    }
    throw nlohmann::json::type_error::create(
        302, fmt::format("found {}, expected a whole number of {} bits", json.dump(), 8 * sizeof(T)), nullptr);
}

/// json.get_to(value), but for whole numbers, alone and in a list, which whole_number() reads, and null, which is
/// "nothing" where that is allowed.
template <class T>
void read_value(const nlohmann::json& json, T& value) {
    json.get_to(value);
}
template <WholeNumber T>
void read_value(const nlohmann::json& json, T& value) {
    value = whole_number<T>(json);
}
template <WholeNumber T>
void read_value(const nlohmann::json& json, std::vector<T>& values) {
    values.clear();
    for (const auto& element : json.get_ref<const nlohmann::json::array_t&>())
        values.push_back(whole_number<T>(element));
}
template <class T>
void read_value(const nlohmann::json& json, std::optional<T>& value) {
    if (json.is_null())
        value.reset();
    else
        read_value(json, value.emplace());
}

}  // namespace leadsweep
