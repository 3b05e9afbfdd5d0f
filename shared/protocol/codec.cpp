#include "shared/protocol/codec.hpp"

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include "shared/core/cbor.hpp"
#include "shared/core/json_values.hpp"

namespace leadsweep {
namespace {

using Json = nlohmann::json;

// nlohmann::json reads text byte by byte, and most of what goes to a worker is the spec of its job: a long text stands
// behind the others in one byte string before the array, and its length in its place in the array.
constexpr std::size_t kLongText = 256;
constexpr char kByteString = '\x5a';  ///< of CBOR, with a length of kLengthBytes, most significant first
constexpr std::size_t kLengthBytes = 4;

template <class Message, class Kind>
concept Is = std::same_as<std::remove_const_t<Message>, Kind>;

// The fields of each message in the order on the wire. Works for const and mutable messages alike.
template <Is<Device> M>
auto fields(M& m) {
    return std::tie(m.kind, m.uuid, m.name, m.cores, m.memory_bytes);
}
template <Is<GangPlace> M>
auto fields(M& m) {
    return std::tie(m.rank, m.size);
}
template <Is<Assign> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.key, m.train_key, m.spec, m.lists_path, m.lists_digest, m.pack_folder,
                    m.attempt_folder, m.resume_folder, m.model_path, m.model_digest, m.gang);
}
template <Is<Prepare> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.spec, m.catalogue_path, m.pack_folder, m.shard);
}
template <Is<Rendezvous> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.address, m.token);
}
template <Is<Stop> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.reason);
}
template <Is<Shutdown> M>
auto fields(M&) {
    return std::tuple<>();
}
template <Is<Hello> M>
auto fields(M& m) {
    return std::tie(m.protocol, m.build, m.semantics, m.device, m.pid);
}
template <Is<Beat> M>
auto fields(M&) {
    return std::tuple<>();
}
template <Is<Progress> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.phase, m.epoch, m.epochs, m.fraction, m.loss, m.records_per_s);
}
template <Is<CheckpointSaved> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.epoch, m.digest);
}
template <Is<RendezvousOffered> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.address, m.token);
}
template <Is<Finished> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.seconds, m.result_path, m.result_digest);
}
template <Is<Prepared> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.seconds);
}
template <Is<Failed> M>
auto fields(M& m) {
    return std::tie(m.attempt, m.failure, m.message);
}
template <Is<ToWorkerOf> M>
auto fields(M& m) {
    return std::tie(m.worker, m.message);
}
template <Is<ReplaceWorker> M>
auto fields(M& m) {
    return std::tie(m.worker, m.why);
}
template <Is<StopSupervisor> M>
auto fields(M& m) {
    return std::tie(m.is_now);
}
template <Is<StartWorkers> M>
auto fields(M& m) {
    return std::tie(m.slots_per_device);
}
template <Is<ResetSupervisor> M>
auto fields(M& m) {
    return std::tie(m.registration);
}
template <Is<CoordinatorBeat> M>
auto fields(M& m) {
    return std::tie(m.incarnation);
}
template <Is<SupervisorReady> M>
auto fields(M& m) {
    return std::tie(m.node, m.pid, m.devices, m.registration);
}
template <Is<SupervisorBeat> M>
auto fields(M&) {
    return std::tuple<>();
}
template <Is<WorkerReady> M>
auto fields(M& m) {
    return std::tie(m.worker, m.hello, m.log_path);
}
template <Is<FromWorkerOf> M>
auto fields(M& m) {
    return std::tie(m.worker, m.message, m.log_length);
}
template <Is<WorkerLost> M>
auto fields(M& m) {
    return std::tie(m.worker, m.failure, m.message, m.log_length);
}
template <Is<SupervisorFailed> M>
auto fields(M& m) {
    return std::tie(m.message);
}

template <class T>
constexpr bool kIsVariant = false;
template <class... T>
constexpr bool kIsVariant<std::variant<T...>> = true;
template <class T>
constexpr bool kIsId = false;
template <class Tag>
constexpr bool kIsId<Id<Tag>> = true;
template <class T>
constexpr bool kIsVector = false;
template <class T>
constexpr bool kIsVector<std::vector<T>> = true;

template <class T>
Json to_wire(const T& value, std::string& long_texts);

template <class Variant>
Json variant_to_wire(const Variant& message, std::string& long_texts) {
    return std::visit([&](const auto& m) { return Json::array({message.index(), to_wire(m, long_texts)}); }, message);
}

Json text_to_wire(const std::string& text, std::string& long_texts) {
    if (text.size() < kLongText) return text;
    long_texts += text;
    return text.size();
}

template <class T>
Json to_wire(const T& value, std::string& long_texts) {
    if constexpr (kIsVariant<T>)
        return variant_to_wire(value, long_texts);
    else if constexpr (kIsId<T>)
        return value.value;
    else if constexpr (std::same_as<T, std::string>)
        return text_to_wire(value, long_texts);
    else if constexpr (std::same_as<T, FailureClass>)
        return to_string(value);
    else if constexpr (requires { fields(value); }) {
        Json row = Json::array();
        std::apply([&](const auto&... field) { (row.push_back(to_wire(field, long_texts)), ...); }, fields(value));
        return row;
    } else
        return value;
}

template <class T>
void from_wire(const Json& json, T& value, std::string_view& long_texts);

template <class Variant, std::size_t... Index>
void variant_from_wire(const Json& json, Variant& message, std::string_view& long_texts,
                       std::index_sequence<Index...>) {
    const auto index = whole_number<std::size_t>(json.at(0));
    const bool is_known =
        ((index == Index ? (from_wire(json.at(1), message.template emplace<Index>(), long_texts), true) : false) ||
         ...);
    if (!is_known) throw ProtocolError(fmt::format("message kind {} is unknown", index));
}

std::string text_from_wire(const Json& json, std::string_view& long_texts) {
    if (json.is_string()) return json.get<std::string>();
    const auto size = whole_number<std::size_t>(json);
    if (size > long_texts.size())
        throw ProtocolError(fmt::format("a text of {} bytes is said to follow, {} do", size, long_texts.size()));
    std::string text(long_texts.substr(0, size));
    long_texts.remove_prefix(size);
    return text;
}

template <class T>
void from_wire(const Json& json, T& value, std::string_view& long_texts) {
    if constexpr (kIsVariant<T>)
        variant_from_wire(json, value, long_texts, std::make_index_sequence<std::variant_size_v<T>>());
    else if constexpr (kIsId<T>)
        from_wire(json, value.value, long_texts);
    else if constexpr (std::same_as<T, std::string>)
        value = text_from_wire(json, long_texts);
    else if constexpr (kIsVector<T>) {
        value.clear();
        for (const Json& element : json.get_ref<const Json::array_t&>())
            from_wire(element, value.emplace_back(), long_texts);
    } else if constexpr (std::same_as<T, FailureClass>) {
        const auto known = failure_class_from(json.get<std::string>());
        if (!known) throw ProtocolError(fmt::format("failure class {} is unknown", json.dump()));
        value = *known;
    } else if constexpr (requires { fields(value); }) {
        std::size_t index = 0;
        std::apply([&](auto&... field) { (from_wire(json.at(index++), field, long_texts), ...); }, fields(value));
    } else
        read_value(json, value);
}

std::string byte_string(std::string_view bytes) {
    std::string out{kByteString};
    for (std::size_t i = kLengthBytes; i-- > 0;) out += static_cast<char>(bytes.size() >> (8 * i));
    out += bytes;
    return out;
}

/// The byte string at the start of `bytes`, which is cut off; "" where there is none.
std::string_view take_byte_string(std::string_view& bytes) {
    if (!bytes.starts_with(kByteString)) return {};
    constexpr std::size_t kHead = 1 + kLengthBytes;
    std::size_t size = 0;
    for (const char byte : bytes.substr(1, kLengthBytes)) size = size << 8U | static_cast<unsigned char>(byte);
    if (bytes.size() < kHead || size > bytes.size() - kHead)
        throw ProtocolError(fmt::format("long texts of {} bytes are cut off", size));
    const std::string_view content = bytes.substr(kHead, size);
    bytes.remove_prefix(kHead + size);
    return content;
}

template <class Variant>
std::string encode_variant(const Variant& message) {
    std::string long_texts;
    const Json array = to_wire(message, long_texts);
    std::string bytes = long_texts.empty() ? "" : byte_string(long_texts);
    Json::to_cbor(array, bytes);
    if (bytes.size() > kMaxMessageBytes)
        throw ProtocolError(fmt::format("message of {} bytes: large things travel as files", bytes.size()));
    return bytes;
}

template <class Variant>
Variant decode_variant(std::string_view bytes) {
    Variant message;
    try {
        std::string_view long_texts = take_byte_string(bytes);
        from_wire(parse_cbor(bytes), message, long_texts);
        if (!long_texts.empty())
            throw ProtocolError(fmt::format("{} bytes of long texts belong to no field", long_texts.size()));
    } catch (const Json::exception& error) {
        throw ProtocolError(fmt::format("no message of protocol {}: {}", kProtocolVersion, error.what()));
    }
    return message;
}

}  // namespace

std::string encode(const ToWorker& message) {
    return encode_variant(message);
}
std::string encode(const FromWorker& message) {
    return encode_variant(message);
}
std::string encode(const ToSupervisor& message) {
    return encode_variant(message);
}
std::string encode(const FromSupervisor& message) {
    return encode_variant(message);
}

ToWorker decode_to_worker(std::string_view bytes) {
    return decode_variant<ToWorker>(bytes);
}
FromWorker decode_from_worker(std::string_view bytes) {
    return decode_variant<FromWorker>(bytes);
}
ToSupervisor decode_to_supervisor(std::string_view bytes) {
    return decode_variant<ToSupervisor>(bytes);
}
FromSupervisor decode_from_supervisor(std::string_view bytes) {
    return decode_variant<FromSupervisor>(bytes);
}

}  // namespace leadsweep
