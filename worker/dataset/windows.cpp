#include "worker/dataset/windows.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace leadsweep {
namespace {

std::vector<std::int32_t> rows_of_list(const std::vector<std::int32_t>& records, const Pack& pack) {
    std::vector<std::int32_t> rows;
    for (const std::int32_t record : records)
        for (std::int64_t row = pack.first_row(record); row < pack.first_row(record + 1); ++row)
            rows.push_back(static_cast<std::int32_t>(row));
    return rows;
}

double sigmoid(double x) {
    return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

/// Logit of the mean of probabilities and of the mean of their complements, each summed on its own: exact also where
/// all probabilities are near 0 or near 1.
float mean_of(std::span<const float> logits, std::size_t first, std::size_t count, std::size_t stride) {
    if (count == 1) return logits[first];
    double positive = 0;
    double negative = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double x = logits[first + i * stride];
        positive += sigmoid(x);
        negative += sigmoid(-x);
    }
    return static_cast<float>(std::log(positive) - std::log(negative));
}

float max_of(std::span<const float> logits, std::size_t first, std::size_t count, std::size_t stride) {
    float largest = logits[first];
    for (std::size_t i = 1; i < count; ++i) largest = std::max(largest, logits[first + i * stride]);
    return largest;
}

void require_rows(std::size_t values, std::int64_t classes, std::span<const std::int64_t> windows) {
    const auto rows = std::accumulate(windows.begin(), windows.end(), std::int64_t{0});
    if (static_cast<std::int64_t>(values) != rows * classes)
        throw std::invalid_argument("pooling: values are not [rows, classes]");
}

}  // namespace

FoldLists rows_of(const FoldLists& lists, const Pack& pack) {
    FoldLists rows = lists;
    if (pack.rows() == pack.records()) return rows;
    rows.train = rows_of_list(lists.train, pack);
    rows.validation = rows_of_list(lists.validation, pack);
    rows.test = rows_of_list(lists.test, pack);
    rows.record_count = pack.rows();
    rows.labels.clear();
    rows.labels.reserve(static_cast<std::size_t>(pack.rows() * lists.class_count));
    for (std::int64_t record = 0; record < lists.record_count; ++record) {
        const auto begin = lists.labels.begin() + record * lists.class_count;
        for (std::int64_t row = pack.first_row(record); row < pack.first_row(record + 1); ++row)
            rows.labels.insert(rows.labels.end(), begin, begin + lists.class_count);
    }
    return rows;
}

std::vector<std::int64_t> window_counts(const std::vector<std::int32_t>& records, const Pack& pack) {
    std::vector<std::int64_t> counts;
    for (const std::int32_t record : records) counts.push_back(pack.first_row(record + 1) - pack.first_row(record));
    return counts;
}

std::vector<float> pool_windows(std::span<const float> logits, std::int64_t classes,
                                std::span<const std::int64_t> windows, const std::string& pooling) {
    require_rows(logits.size(), classes, windows);
    const auto width = static_cast<std::size_t>(classes);
    std::vector<float> pooled;
    pooled.reserve(windows.size() * width);
    std::size_t first = 0;
    for (const std::int64_t count : windows) {
        for (std::size_t c = 0; c < width; ++c)
            pooled.push_back(pooling == "max" ? max_of(logits, first + c, static_cast<std::size_t>(count), width)
                                              : mean_of(logits, first + c, static_cast<std::size_t>(count), width));
        first += static_cast<std::size_t>(count) * width;
    }
    return pooled;
}

std::vector<std::uint8_t> pool_labels(std::span<const std::uint8_t> labels, std::int64_t classes,
                                      std::span<const std::int64_t> windows) {
    require_rows(labels.size(), classes, windows);
    const auto width = static_cast<std::size_t>(classes);
    std::vector<std::uint8_t> pooled;
    std::size_t first = 0;
    for (const std::int64_t count : windows) {
        const auto row = labels.subspan(first, width);
        pooled.insert(pooled.end(), row.begin(), row.end());
        first += static_cast<std::size_t>(count) * width;
    }
    return pooled;
}

}  // namespace leadsweep
