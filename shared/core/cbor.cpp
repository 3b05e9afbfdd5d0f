#include "shared/core/cbor.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace leadsweep {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostLevels = 64;

/// Puts a value together as it is read, down to kMostLevels.
class Builder : public nlohmann::json_sax<Json> {
public:
    Json take() { return std::move(root_); }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(number_integer_t value) override { return add(value); }
    bool number_unsigned(number_unsigned_t value) override { return add(value); }
    bool number_float(number_float_t value, const string_t&) override { return add(value); }
    bool string(string_t& value) override { return add(std::move(value)); }
    bool binary(binary_t& value) override { return add(std::move(value)); }
    bool start_object(std::size_t) override { return enter(Json::object()); }
    bool start_array(std::size_t) override { return enter(Json::array()); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool key(string_t& name) override {
        keyed_ = &(*open_.back())[name];
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
        throw Json::parse_error::create(error.id, position, error.what(), nullptr);
    }

private:
    Json& place(Json value) {
        if (open_.empty()) return root_ = std::move(value);
        if (open_.back()->is_object()) return *keyed_ = std::move(value);
        open_.back()->push_back(std::move(value));
        return open_.back()->back();
    }
    bool add(Json value) {
        place(std::move(value));
        return true;
    }
    bool enter(Json empty) {
        if (open_.size() == kMostLevels)
            throw Json::other_error::create(501, "more levels than any message has", nullptr);
        open_.push_back(&place(std::move(empty)));
        return true;
    }
    bool leave() {
        open_.pop_back();
        return true;
    }

    Json root_;
    std::vector<Json*> open_;  ///< the last one grows; those before hold it, and do not move while it does
    Json* keyed_ = nullptr;    ///< where the next value of the open object goes
};

}  // namespace

nlohmann::json parse_cbor(std::string_view bytes) {
    Builder builder;
    Json::sax_parse(bytes, &builder, Json::input_format_t::cbor);
    return builder.take();
}

}  // namespace leadsweep
