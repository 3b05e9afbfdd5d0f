#include "shared/core/digest.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include <openssl/evp.h>

#include "shared/core/errors.hpp"

namespace leadsweep {

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    if (!state_->context || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL could not start a SHA-256 digest");
}

Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t size_bytes) {
    if (EVP_DigestUpdate(state_->context, data, size_bytes) != 1)
        throw std::runtime_error("OpenSSL could not update a SHA-256 digest");
}

std::string Sha256::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned int size = 0;
    if (EVP_DigestFinal_ex(state_->context, raw.data(), &size) != 1)
        throw std::runtime_error("OpenSSL could not finish a SHA-256 digest");
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * size);
    for (unsigned int i = 0; i < size; ++i) {
        text += kDigits[raw[i] >> 4U];
        text += kDigits[raw[i] & 15U];
    }
    return text;
}

std::string sha256(std::string_view bytes) {
    Sha256 digest;
    digest.update(bytes.data(), bytes.size());
    return digest.finish();
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
