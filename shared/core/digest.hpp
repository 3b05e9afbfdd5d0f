// SHA-256 digests as lower-case hexadecimal text, or as 32 bytes where very many are kept (OpenSSL's implementation).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace leadsweep {

std::string sha256(std::string_view bytes);
std::string sha256(std::span<const std::byte> bytes);
using Digest = std::array<std::uint8_t, 32>;
Digest sha256_bytes(std::string_view bytes);
std::string hex_of(const Digest& digest);

/// For unordered containers: any part of a digest is a good hash.
struct DigestHash {
    std::size_t operator()(const Digest& digest) const noexcept {
        std::size_t part = 0;
        std::memcpy(&part, digest.data(), sizeof part);
        return part;
    }
};

/// Digest of a file's content. Throws FileError.
std::string sha256_file(const std::string& path);

/// Digest of bytes that come in pieces.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    void update(const void* data, std::size_t size_bytes);
    /// The digest of all updates; the object is used up.
    std::string finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace leadsweep
