#include "shared/arrays/sealed_arrays.hpp"

#include "shared/core/digest.hpp"

namespace leadsweep {
namespace {

constexpr const char* kSeal = "digest";

std::string digest_of(const ArrayFile& file) {
    Sha256 digest;
    for (const auto& [name, array] : file.arrays) {
        digest.update(name.data(), name.size() + 1);
        digest.update(array.bytes.data(), array.bytes.size());
    }
    for (const auto& [name, text] : file.metadata) {
        if (name == kSeal) continue;
        digest.update(name.data(), name.size() + 1);
        digest.update(text.data(), text.size() + 1);
    }
    return digest.finish();
}

}  // namespace

void seal(ArrayFile& file) {
    file.metadata[kSeal] = digest_of(file);
}

bool has_whole_seal(const ArrayFile& file) {
    const auto found = file.metadata.find(kSeal);
    return found != file.metadata.end() && found->second == digest_of(file);
}

}  // namespace leadsweep
