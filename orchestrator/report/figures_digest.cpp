#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "orchestrator/report/figures.hpp"
#include "shared/core/digest.hpp"

namespace leadsweep {
namespace {

/// The stored figures of one result as bytes, in the order of the table's key.
class ResultBytes {
public:
    /// Row of split, class_code, name, value, is_nan, n_positive.
    void add(const SqlRow& row) {
        for (const int c : {0, 1, 2}) add(row.text(c));
        if (row.is_null(3))
            add("");
        else
            add_number(row.number(3));
        add(row.integer(4) != 0 ? "nan" : "");
        add_number(row.integer(5));
    }

    /// Of what was added since the last call; "" where nothing was.
    std::string take_digest() {
        std::string digest = bytes_.empty() ? "" : sha256(bytes_);
        bytes_.clear();
        return digest;
    }

private:
    void add(std::string_view text) {
        bytes_ += text;
        bytes_ += '\0';
    }

    template <class Number>
    void add_number(const Number& value) {
        std::array<char, sizeof value> bytes;
        std::memcpy(bytes.data(), &value, bytes.size());
        add({bytes.data(), bytes.size()});
    }

    std::string bytes_;
};

}  // namespace

std::string Figures::digest(const std::set<std::string>& keep) const {
    std::map<std::string, FigureValues*, std::less<>> kept;
    for (const auto& name : keep)
        if (const auto [known, is_new] = known_.try_emplace({name, ""}); is_new) {
            known->second.reserve(attempts_.size());
            kept.emplace(name, &known->second);
        }
    std::vector<std::string> digests(attempts_.size());
    ResultBytes result;
    std::size_t at = 0;
    store_.each_of(
        "SELECT split, class_code, name, value, is_nan, n_positive FROM metrics WHERE attempt_id = ?1 "
        "ORDER BY split, class_code, name",
        attempts_, {}, [&](std::size_t i, const SqlRow& row) {
            if (i != at) digests[at] = result.take_digest();
            at = i;
            result.add(row);
            if (kept.empty() || row.is_null(3) || !row.text(1).empty() || row.text(0) != "test") return;
            if (const auto found = kept.find(row.text(2)); found != kept.end())
                found->second->emplace(attempts_[i], row.number(3));
        });
    if (!digests.empty()) digests[at] = result.take_digest();

    std::vector<std::size_t> order(attempts_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto key_of = [&](std::size_t i) -> const std::string& { return selection_.jobs[jobs_[i]].key; };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key_of(a) < key_of(b); });
    Sha256 digest;
    for (const std::size_t i : order) {
        if (digests[i].empty()) continue;  // finished without a figure
        digest.update(key_of(i).data(), key_of(i).size());
        digest.update(digests[i].data(), digests[i].size());
    }
    return digest.finish();
}

}  // namespace leadsweep
