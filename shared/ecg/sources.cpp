#include "shared/ecg/sources.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>
#include <vector>

#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

bool is_number(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// A folder that only keeps folders small.
bool is_part(const std::string& folder) {
    const std::string_view text = folder;
    if (is_number(text)) return true;
    for (const std::string_view prefix : {"g", "records"})
        if (text.starts_with(prefix) && is_number(text.substr(prefix.size()))) return true;
    return false;
}

std::vector<std::string> folders_of(const std::string& path) {
    auto parts = split(path, '/');
    parts.pop_back();
    return parts;
}

std::size_t shared_folders(const std::vector<CatalogueRecord>& records) {
    std::vector<std::string> shared;
    bool is_first = true;
    for (const auto& record : records) {
        const auto folders = folders_of(record.path);
        if (std::exchange(is_first, false)) shared = folders;
        const auto [end, unused] = std::mismatch(shared.begin(), shared.end(), folders.begin(), folders.end());
        shared.erase(end, shared.end());
        if (shared.empty()) break;
    }
    return shared.size();
}

}  // namespace

std::string challenge_source(std::string_view record_name) {
    struct Named {
        std::string_view prefix;
        std::size_t digits;
        std::string_view source;
    };
    static constexpr std::array<Named, 7> kNames{{{"A", 4, "cpsc_2018"},
                                                  {"Q", 4, "cpsc_2018_extra"},
                                                  {"I", 4, "st_petersburg_incart"},
                                                  {"S", 4, "ptb"},
                                                  {"HR", 5, "ptb-xl"},
                                                  {"E", 5, "georgia"},
                                                  {"JS", 5, ""}}};
    constexpr int kLastOfChapman = 10646;
    for (const auto& [prefix, digits, source] : kNames) {
        if (record_name.size() != prefix.size() + digits || !record_name.starts_with(prefix)) continue;
        const auto number = record_name.substr(prefix.size());
        if (!is_number(number)) continue;
        if (!source.empty()) return std::string(source);
        int value = 0;
        std::from_chars(number.data(), number.data() + number.size(), value);
        return value <= kLastOfChapman ? "chapman_shaoxing" : "ningbo";
    }
    return "";
}

void name_sources(Catalogue& catalogue) {
    const std::size_t shared = shared_folders(catalogue.records);
    for (auto& record : catalogue.records) {
        const auto folders = folders_of(record.path);
        const auto own = std::find_if(folders.begin() + static_cast<std::ptrdiff_t>(shared), folders.end(),
                                      [](const std::string& folder) { return !is_part(folder); });
        if (own != folders.end()) {
            record.source = *own;
            continue;
        }
        record.source = challenge_source(split(record.path, '/').back());
        if (record.source.empty() && shared > 0) record.source = folders[shared - 1];
    }
}

}  // namespace leadsweep
