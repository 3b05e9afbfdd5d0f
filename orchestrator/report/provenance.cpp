#include "orchestrator/report/provenance.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>

#include <fmt/format.h>

#include "shared/core/digest.hpp"

namespace leadsweep {
namespace {

/// The eight bytes of a number.
template <class Number>
std::string_view bytes_of(const Number& value) {
    static_assert(sizeof value == 8);
    thread_local std::array<char, 8> bytes;
    std::memcpy(bytes.data(), &value, bytes.size());
    return {bytes.data(), bytes.size()};
}

}  // namespace

std::string results_digest(const ReadStore& store, const Selection& selection) {
    std::unordered_set<std::int64_t> wanted;
    for (const SelectedJob& job : selection.jobs)
        if (job.attempt_id != 0) wanted.insert(job.attempt_id);
    std::vector<std::pair<std::string, std::string>> digests;  // key of the job, digest of its figures
    std::string bytes;
    std::string key;
    std::int64_t attempt = 0;
    const auto close_attempt = [&] {
        if (attempt != 0) digests.emplace_back(key, sha256(bytes));
        bytes.clear();
    };
    const auto add = [&](std::string_view text) {
        bytes += text;
        bytes += '\0';
    };
    // The figures of an attempt come together, and in the order of the table's key.
    store.each(
        "SELECT m.attempt_id, m.split, m.class_code, m.name, m.value, m.is_nan, m.n_positive, j.key "
        "FROM sweep_jobs AS s CROSS JOIN jobs AS j ON j.job_id = s.job_id "
        "CROSS JOIN metrics AS m ON m.attempt_id = j.winning_attempt_id WHERE s.sweep_id = ? AND s.is_stale = 0",
        {selection.sweep_id}, [&](const SqlRow& row) {
            const std::int64_t id = row.integer(0);
            if (!wanted.contains(id)) return;
            if (id != attempt) {
                close_attempt();
                attempt = id;
                key = row.text(7);
            }
            for (const int c : {1, 2, 3}) add(row.text(c));
            add(row.is_null(4) ? std::string_view() : bytes_of(row.number(4)));
            add(row.integer(5) != 0 ? "nan" : "");
            add(bytes_of(row.integer(6)));
        });
    close_attempt();
    std::sort(digests.begin(), digests.end());
    Sha256 digest;
    for (const auto& [job, of_job] : digests) {
        digest.update(job.data(), job.size());
        digest.update(of_job.data(), of_job.size());
    }
    return digest.finish();
}

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
