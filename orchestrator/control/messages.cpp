#include "orchestrator/control/messages.hpp"

#include <array>
#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/json_values.hpp"

namespace leadsweep {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 5> kRequestKinds{"cancel", "retry", "why", "backup", "status"};
constexpr std::array<std::string_view, 6> kReplyKinds{"cancel", "retry", "why", "backup", "status", "error"};

template <class Message, class Kind>
concept Is = std::same_as<std::remove_const_t<Message>, Kind>;

// Name and place of each field. Works for const and mutable messages alike.
template <class M, class Visit>
requires(Is<M, CancelRequest> || Is<M, RetryRequest>) void visit_fields(M& m, Visit&& visit) {
    visit("jobs", m.jobs);
}
template <Is<WhyRequest> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("job", m.job);
}
template <Is<BackupRequest> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("path", m.path);
}
template <Is<StatusRequest> M, class Visit>
void visit_fields(M&, Visit&&) {}
template <Is<CancelReply> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("waiting", m.waiting);
    visit("running", m.running);
    visit("ended", m.ended);
}
template <Is<RetryReply> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("queued", m.queued);
    visit("later", m.later);
    visit("kept", m.kept);
}
template <Is<WhyReply> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("reason", m.reason);
}
template <Is<BackupReply> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("size_bytes", m.size_bytes);
}
template <Is<ErrorReply> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("message", m.message);
}
template <Is<RunningAttempt> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("job", m.job);
    visit("attempt", m.attempt);
    visit("label", m.label);
    visit("node", m.node);
    visit("device", m.device);
    visit("phase", m.phase);
    visit("epoch", m.epoch);
    visit("epochs", m.epochs);
    visit("fraction", m.fraction);
    visit("loss", m.loss);
    visit("records_per_s", m.records_per_s);
    visit("seconds", m.seconds);
}
template <Is<NodeUse> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("node", m.node);
    visit("device_kind", m.device_kind);
    visit("workers", m.workers);
    visit("busy", m.busy);
}
template <Is<StatusReply> M, class Visit>
void visit_fields(M& m, Visit&& visit) {
    visit("sweep", m.sweep);
    visit("elapsed_s", m.elapsed_s);
    visit("jobs", m.jobs);
    visit("finished", m.finished);
    visit("failed", m.failed);
    visit("remaining_s", m.remaining_s);
    visit("running", m.running);
    visit("running_count", m.running_count);
    visit("nodes", m.nodes);
}

struct Ignore {
    template <class Field>
    void operator()(const char*, Field&) const {}
};
template <class T>
concept HasFields = requires(T& value) {
    visit_fields(value, Ignore{});
};

template <class T>
constexpr bool kIsList = false;
template <class T>
constexpr bool kIsList<std::vector<T>> = true;

template <class T>
Json written(const T& value) {
    Json json = Json::object();
    if constexpr (HasFields<const T>)
        visit_fields(value, [&](const char* name, const auto& field) { json[name] = written(field); });
    else if constexpr (requires { value.has_value(); })
        json = value ? Json(*value) : Json(nullptr);
    else if constexpr (requires { value.value; })
        json = value.value;
    else if constexpr (kIsList<T>) {
        json = Json::array();
        for (const auto& element : value) json.push_back(written(element));
    } else
        json = value;
    return json;
}

template <class T>
void read(const Json& json, T& value) {
    if constexpr (HasFields<T>)
        visit_fields(value, [&](const char* name, auto& field) { read(json.at(name), field); });
    else if constexpr (requires { value.has_value(); }) {
        if (!json.is_null()) read(json, value.emplace());
    } else if constexpr (requires { value.value; })
        read(json, value.value);
    else if constexpr (kIsList<T>) {
        for (const Json& element : json.get_ref<const Json::array_t&>()) read(element, value.emplace_back());
    } else
        read_value(json, value);
}

template <class Variant, std::size_t Size>
Json written_kind(const Variant& message, const std::array<std::string_view, Size>& kinds) {
    static_assert(Size == std::variant_size_v<Variant>);
    Json json = std::visit([](const auto& one) { return written(one); }, message);
    json["kind"] = kinds[message.index()];
    return json;
}

template <class Variant, std::size_t... Index>
void read_kind(const Json& json, const std::string& kind, const auto& kinds, Variant& message,
               std::index_sequence<Index...>) {
    const bool is_known =
        ((kind == kinds[Index] ? (read(json, message.template emplace<Index>()), true) : false) || ...);
    if (!is_known) throw ProtocolError(fmt::format("kind '{}' is unknown", kind));
}

template <class Variant>
Variant decoded(const Json& json, const auto& kinds) {
    Variant message;
    read_kind(json, json.at("kind").get<std::string>(), kinds, message,
              std::make_index_sequence<std::variant_size_v<Variant>>());
    return message;
}

/// Runs `decode` on the parsed text; whatever is wrong with it is a ProtocolError.
template <class Decode>
auto guarded(const std::string& text, Decode&& decode) {
    try {
        return decode(Json::parse(text));
    } catch (const Json::exception& error) {
        throw ProtocolError(error.what());
    }
}

}  // namespace

std::string encode(const Letter& letter) {
    Json json = written_kind(letter.request, kRequestKinds);
    json["to"] = letter.to;
    json["by"] = letter.by;
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Letter decode_letter(const std::string& text) {
    return guarded(text, [](const Json& json) {
        return Letter{json.at("to").get<std::string>(), json.at("by").get<std::string>(),
                      decoded<ControlRequest>(json, kRequestKinds)};
    });
}

std::string encode(const ControlReply& reply) {
    return written_kind(reply, kReplyKinds).dump(-1, ' ', false, Json::error_handler_t::replace);
}

ControlReply decode_reply(const std::string& text) {
    return guarded(text, [](const Json& json) { return decoded<ControlReply>(json, kReplyKinds); });
}

}  // namespace leadsweep
