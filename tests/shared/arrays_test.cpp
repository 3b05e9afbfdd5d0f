#include "shared/arrays/safetensors.hpp"

#include <cstring>

#include "shared/arrays/sealed_arrays.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

/// A file as the format's description lays it out, written by hand.
std::string by_hand(const std::string& header, const std::string& data) {
    const std::uint64_t length = header.size();
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes + header + data;
}

std::string problem_of(const std::string& bytes) {
    try {
        decode_arrays(bytes, "x.safetensors");
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("Arrays of every type survive the way through a file", "[arrays]") {
    ArrayFile file;
    const std::vector<float> f32 = {1.5F, -2.0F, 0.25F};
    const std::vector<double> f64 = {1e-300, 7.0};
    const std::vector<std::int16_t> i16 = {-32768, 32767, 1, 2};
    const std::vector<std::int32_t> i32 = {-5};
    const std::vector<std::int64_t> i64 = {1LL << 60};
    const std::vector<std::uint8_t> u8 = {0, 255};
    file.arrays["f32"] = NamedArray::of<float>(f32, {3});
    file.arrays["f64"] = NamedArray::of<double>(f64, {2, 1});
    file.arrays["i16"] = NamedArray::of<std::int16_t>(i16, {2, 2});
    file.arrays["i32"] = NamedArray::of<std::int32_t>(i32, {});
    file.arrays["i64"] = NamedArray::of<std::int64_t>(i64, {1});
    file.arrays["u8"] = NamedArray::of<std::uint8_t>(u8, {2});
    file.arrays["none"] = NamedArray::of<float>({}, {0, 12});
    file.metadata["fold"] = "3";
    const auto loaded = decode_arrays(encode_arrays(file), "x");
    CHECK(loaded.metadata == file.metadata);
    CHECK(loaded.at("f32").values<float>() == f32);
    CHECK(loaded.at("f64").values<double>() == f64);
    CHECK(loaded.at("f64").shape == std::vector<std::int64_t>{2, 1});
    CHECK(loaded.at("i16").values<std::int16_t>() == i16);
    CHECK(loaded.at("i32").values<std::int32_t>() == i32);
    CHECK(loaded.at("i64").values<std::int64_t>() == i64);
    CHECK(loaded.at("u8").values<std::uint8_t>() == u8);
    CHECK(loaded.at("none").values<float>().empty());
    CHECK_THROWS_AS(loaded.at("f32").values<double>(), InputError);
    CHECK_THROWS_AS(loaded.at("f16"), InputError);
}

TEST_CASE("A file laid out by hand is read, and ours begins as the format says", "[arrays]") {
    const std::string data("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);  // 1.0f, -2.0f
    const auto file = decode_arrays(by_hand(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", data), "x");
    CHECK(file.at("a").values<float>() == std::vector<float>{1.0F, -2.0F});
    const std::string ours = encode_arrays(file);
    std::uint64_t length = 0;
    std::memcpy(&length, ours.data(), sizeof length);
    CHECK(ours[8] == '{');
    CHECK(ours.size() == 8 + length + 8);
    CHECK(ours.substr(8 + length) == data);
}

TEST_CASE("A file written by Python's safetensors is read", "[arrays]") {
    const auto file =
        load_arrays(std::string(LEADSWEEP_SOURCE_DIR) + "/tests/reference/resample/reference.safetensors");
    CHECK(file.metadata.count("scipy") == 1);
    CHECK(file.at("input_7_5").shape == std::vector<std::int64_t>{2, 7});
    CHECK(file.at("output_7_5").values<double>().size() == 10);
}

TEST_CASE("A seal breaks when an array, its name or what the file says of itself changes", "[arrays]") {
    const std::vector<float> values{1, 2};
    ArrayFile file;
    file.arrays["a"] = NamedArray::of<float>(values, {2});
    file.metadata["epoch"] = "3";
    CHECK_FALSE(has_whole_seal(file));
    seal(file);
    CHECK(has_whole_seal(decode_arrays(encode_arrays(file), "x")));
    const auto is_broken_by = [&](auto&& change) {
        ArrayFile changed = file;
        change(changed);
        return !has_whole_seal(changed);
    };
    CHECK(is_broken_by([](ArrayFile& f) { f.arrays["a"].bytes[5] ^= std::byte{1}; }));
    CHECK(is_broken_by([](ArrayFile& f) { f.arrays["b"] = f.arrays["a"]; }));
    CHECK(is_broken_by([](ArrayFile& f) { f.metadata["epoch"] = "4"; }));
    CHECK(is_broken_by([](ArrayFile& f) { f.metadata["more"] = ""; }));
}

TEST_CASE("Torn and impossible array files are refused by name", "[arrays]") {
    const std::string data(8, '\0');
    for (const std::string& bytes :
         {std::string("abc"), std::string(8, '\xFF'), by_hand("{}", "").substr(0, 9), by_hand("no json", ""),
          by_hand(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", data),
          by_hand(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", data.substr(1)),
          by_hand(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", data),
          by_hand(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", data),
          by_hand(R"({"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}})", data),
          by_hand(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8e300]}})", data),
          by_hand(R"({"a":{"dtype":"F8","shape":[8],"data_offsets":[0,8]}})", data),
          by_hand(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", data),
          by_hand(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", data + "more")})
        CHECK(problem_of(bytes).find("x.safetensors") == 0);
}
