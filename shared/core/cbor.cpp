#include "shared/core/cbor.hpp"

#include <cstddef>

namespace leadsweep {
namespace {

using Json = nlohmann::json;

constexpr int kMostLevels = 64;
constexpr std::size_t kHarmlessBytes = 1024;  ///< so few bytes cannot nest deep enough to matter

/// Follows the levels and keeps nothing else.
class LevelCounter : public nlohmann::json_sax<Json> {
public:
    bool is_too_deep() const { return is_too_deep_; }

    bool start_object(std::size_t) override { return enter(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool key(string_t&) override { return true; }
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool parse_error(std::size_t, const std::string&, const Json::exception&) override { return false; }

private:
    bool enter() {
        is_too_deep_ = is_too_deep_ || ++levels_ > kMostLevels;
        return !is_too_deep_;
    }
    bool leave() {
        --levels_;
        return true;
    }

    int levels_ = 0;
    bool is_too_deep_ = false;
};

}  // namespace

nlohmann::json parse_cbor(std::string_view bytes) {
    if (bytes.size() > kHarmlessBytes) {
        LevelCounter counter;
        Json::sax_parse(bytes, &counter, Json::input_format_t::cbor);
        if (counter.is_too_deep()) throw Json::other_error::create(501, "more levels than any message has", nullptr);
    }
    return Json::from_cbor(bytes);
}

}  // namespace leadsweep
