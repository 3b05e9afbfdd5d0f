// Messages as bytes: CBOR of [index of the alternative, [field, field, ...]]; where texts are long, a sequence (RFC 8742)
// of one byte string with all of them and that array, in which their lengths stand. Both programs and the test double of
// the transport use this one codec.
#pragma once

#include <string>
#include <string_view>

#include "shared/protocol/messages.hpp"

namespace leadsweep {

std::string encode(const ToWorker& message);
std::string encode(const FromWorker& message);
std::string encode(const ToSupervisor& message);
std::string encode(const FromSupervisor& message);

/// Throw ProtocolError where the bytes are no message of this kind: never anything else, whatever the bytes.
ToWorker decode_to_worker(std::string_view bytes);
FromWorker decode_from_worker(std::string_view bytes);
ToSupervisor decode_to_supervisor(std::string_view bytes);
FromSupervisor decode_from_supervisor(std::string_view bytes);

}  // namespace leadsweep
