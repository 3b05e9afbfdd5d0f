#include "orchestrator/report/provenance.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace leadsweep {

std::string ranges_text(std::vector<std::int64_t> ids) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    std::string text;
    for (std::size_t begin = 0; begin < ids.size();) {
        std::size_t end = begin;
        while (end + 1 < ids.size() && ids[end + 1] == ids[end] + 1) ++end;
        if (!text.empty()) text += ", ";
        text += end == begin ? fmt::format("{}", ids[begin]) : fmt::format("{}-{}", ids[begin], ids[end]);
        begin = end + 1;
    }
    return text;
}

}  // namespace leadsweep
