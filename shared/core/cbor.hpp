// CBOR from other processes.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace leadsweep {

/// Like nlohmann::json::from_cbor, which goes down as deep as the bytes ask: a megabyte of opening brackets would end
/// this process for want of stack. Throws nlohmann::json::exception for more than some dozen levels, as for all other
/// bytes that are no CBOR.
nlohmann::json parse_cbor(std::string_view bytes);

}  // namespace leadsweep
