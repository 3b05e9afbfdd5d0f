#include "shared/core/digest.hpp"

#include <cerrno>
#include <cstdio>
#include <vector>

#include <openssl/evp.h>

#include "shared/core/errors.hpp"

namespace leadsweep {

namespace {

/// Looked up once: OpenSSL 3 searches its providers each time it is asked by name.
const EVP_MD* algorithm() {
    static EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return found;
}

class Hasher {
public:
    Hasher() = default;
    ~Hasher() { EVP_MD_CTX_free(context_); }
    Hasher(const Hasher&) = delete;
    Hasher& operator=(const Hasher&) = delete;

    void start() {
        if (!context_ || EVP_DigestInit_ex2(context_, algorithm(), nullptr) != 1)
            throw std::runtime_error("OpenSSL could not start a SHA-256 digest");
    }
    void update(const void* data, std::size_t size_bytes) {
        if (EVP_DigestUpdate(context_, data, size_bytes) != 1)
            throw std::runtime_error("OpenSSL could not update a SHA-256 digest");
    }
    Digest finish() {
        Digest digest;
        unsigned int size = 0;
        if (EVP_DigestFinal_ex(context_, digest.data(), &size) != 1)
            throw std::runtime_error("OpenSSL could not finish a SHA-256 digest");
        return digest;
    }

private:
    EVP_MD_CTX* context_ = EVP_MD_CTX_new();
};

}  // namespace

struct Sha256::State : Hasher {};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    state_->start();
}

Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t size_bytes) {
    state_->update(data, size_bytes);
}

std::string Sha256::finish() {
    return hex_of(state_->finish());
}

std::string hex_of(const Digest& digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * digest.size());
    for (const std::uint8_t byte : digest) {
        text += kDigits[byte >> 4U];
        text += kDigits[byte & 15U];
    }
    return text;
}

Digest sha256_bytes(std::string_view bytes) {
    thread_local Hasher hasher;
    hasher.start();
    hasher.update(bytes.data(), bytes.size());
    return hasher.finish();
}

std::string sha256(std::string_view bytes) {
    return hex_of(sha256_bytes(bytes));
}

std::string sha256(std::span<const std::byte> bytes) {
    return sha256(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string sha256_file(const std::string& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) throw FileError(path, errno, "open for reading");
    Sha256 digest;
    std::vector<char> buffer(1 << 20);
    while (const std::size_t read = std::fread(buffer.data(), 1, buffer.size(), file.get()))
        digest.update(buffer.data(), read);
    if (std::ferror(file.get())) throw FileError(path, errno, "read");
    return digest.finish();
}

}  // namespace leadsweep
