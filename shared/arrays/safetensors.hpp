// Named arrays in a file (the safetensors format): u64 length of a JSON header, the header, the raw little-endian data.
// Readable in Python by safetensors.numpy.load_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/core/errors.hpp"

namespace leadsweep {

enum class ElementType { kF32, kF64, kI16, kI32, kI64, kU8 };
std::size_t size_of(ElementType type);

template <class T>
constexpr ElementType element_type_of() {
    if constexpr (std::is_same_v<T, float>)
        return ElementType::kF32;
    else if constexpr (std::is_same_v<T, double>)
        return ElementType::kF64;
    else if constexpr (std::is_same_v<T, std::int16_t>)
        return ElementType::kI16;
    else if constexpr (std::is_same_v<T, std::int32_t>)
        return ElementType::kI32;
    else if constexpr (std::is_same_v<T, std::int64_t>)
        return ElementType::kI64;
    else
        return ElementType::kU8;
}

/// An array that owns its bytes: row-major, little-endian.
struct NamedArray {
    ElementType type = ElementType::kF32;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;

    template <class T>
    static NamedArray of(std::span<const T> values, std::vector<std::int64_t> shape) {
        const auto raw = std::as_bytes(values);
        return {element_type_of<T>(), std::move(shape), {raw.begin(), raw.end()}};
    }
    /// The values. Throws InputError if the element type is another.
    template <class T>
    std::vector<T> values() const {
        if (type != element_type_of<T>()) throw InputError("array has another element type than expected");
        std::vector<T> copied(bytes.size() / sizeof(T));
        if (!bytes.empty()) std::memcpy(copied.data(), bytes.data(), bytes.size());
        return copied;
    }
};

/// Arrays by name, and text metadata.
struct ArrayFile {
    std::map<std::string, NamedArray> arrays;
    std::map<std::string, std::string> metadata;

    /// Throws InputError naming the array that is missing.
    const NamedArray& at(const std::string& name) const;
};

std::string encode_arrays(const ArrayFile& file);
/// Throws InputError where the bytes are torn or no safetensors; `path` is for the message.
ArrayFile decode_arrays(std::string_view bytes, const std::string& path);

/// Writes durably (shared/core/files.hpp) and returns the SHA-256 of the bytes.
std::string save_arrays(const ArrayFile& file, const std::string& path);
/// Throws FileError or InputError.
ArrayFile load_arrays(const std::string& path);

}  // namespace leadsweep
