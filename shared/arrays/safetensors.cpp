#include "shared/arrays/safetensors.hpp"

#include <array>
#include <bit>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/core/json_values.hpp"

namespace leadsweep {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

struct TypeName {
    ElementType type;
    std::string_view name;
    std::size_t size;
};
constexpr std::array<TypeName, 6> kTypes{{{ElementType::kF32, "F32", 4},
                                          {ElementType::kF64, "F64", 8},
                                          {ElementType::kI16, "I16", 2},
                                          {ElementType::kI32, "I32", 4},
                                          {ElementType::kI64, "I64", 8},
                                          {ElementType::kU8, "U8", 1}}};

const TypeName& describe(ElementType type) {
    for (const auto& known : kTypes)
        if (known.type == type) return known;
    throw std::logic_error("unnamed element type");
}

ElementType type_from(std::string_view name) {
    for (const auto& known : kTypes)
        if (known.name == name) return known.type;
    throw InputError(fmt::format("element type '{}' is not supported", name));
}

}  // namespace

std::size_t size_of(ElementType type) {
    return describe(type).size;
}

const NamedArray& ArrayFile::at(const std::string& name) const {
    const auto found = arrays.find(name);
    if (found == arrays.end()) throw InputError(fmt::format("array '{}' is missing", name));
    return found->second;
}

std::string encode_arrays(const ArrayFile& file) {
    nlohmann::json header = nlohmann::json::object();
    if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
    std::size_t offset = 0;
    for (const auto& [name, array] : file.arrays) {
        header[name] = {{"dtype", describe(array.type).name},
                        {"shape", array.shape},
                        {"data_offsets", {offset, offset + array.bytes.size()}}};
        offset += array.bytes.size();
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = text.size();
    std::string encoded(reinterpret_cast<const char*>(&length), sizeof length);
    encoded.reserve(sizeof length + text.size() + offset);
    encoded += text;
    for (const auto& [name, array] : file.arrays)
        encoded.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
    return encoded;
}

ArrayFile decode_arrays(std::string_view bytes, const std::string& path) {
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) throw InputError(fmt::format("{}: too short for an array file", path));
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > bytes.size() - sizeof length)
        throw InputError(fmt::format("{}: header of {} bytes in a file of {}: torn, or no safetensors file", path,
                                     length, bytes.size()));
    const std::string_view data = bytes.substr(sizeof length + length);
    ArrayFile file;
    std::uint64_t used = 0;
    try {
        const auto header = nlohmann::json::parse(bytes.substr(sizeof length, length));
        for (const auto& [name, entry] : header.items()) {
            if (name == "__metadata__") {
                entry.get_to(file.metadata);
                continue;
            }
            NamedArray array;
            array.type = type_from(entry.at("dtype").get<std::string>());
            read_value(entry.at("shape"), array.shape);
            const auto begin = whole_number<std::uint64_t>(entry.at("data_offsets").at(0));
            const auto end = whole_number<std::uint64_t>(entry.at("data_offsets").at(1));
            if (begin > end || end > data.size())
                throw InputError(
                    fmt::format("array '{}' ends at byte {} of {}: the file is torn", name, end, data.size()));
            std::uint64_t expected = size_of(array.type);
            for (const auto extent : array.shape) {
                if (extent < 0 || (extent > 0 && expected > data.size() / static_cast<std::uint64_t>(extent) + 8))
                    throw InputError(fmt::format("array '{}' has an impossible shape", name));
                expected *= static_cast<std::uint64_t>(extent);
            }
            if (expected != end - begin)
                throw InputError(
                    fmt::format("array '{}' has {} bytes where its shape needs {}", name, end - begin, expected));
            const auto raw = std::as_bytes(std::span(data.substr(begin, end - begin)));
            array.bytes.assign(raw.begin(), raw.end());
            file.arrays.emplace(name, std::move(array));
            used += end - begin;
        }
        // As the format asks: no byte without an array.
        if (used != data.size())
            throw InputError(fmt::format("{} bytes of arrays in {} bytes of data", used, data.size()));
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{}: no safetensors header: {}", path, error.what()));
    } catch (const InputError& error) {
        throw InputError(fmt::format("{}: {}", path, error.what()));
    }
    return file;
}

std::string save_arrays(const ArrayFile& file, const std::string& path) {
    const std::string bytes = encode_arrays(file);
    write_file_durably(path, bytes);
    return sha256(bytes);
}

ArrayFile load_arrays(const std::string& path) {
    return decode_arrays(read_file(path), path);
}

}  // namespace leadsweep
