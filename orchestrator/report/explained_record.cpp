#include "orchestrator/report/explained_record.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "orchestrator/report/ecg_paper.hpp"
#include "orchestrator/report/map.hpp"
#include "orchestrator/report/map_drawing.hpp"
#include "orchestrator/report/part_map.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

constexpr double kMostOpacity = 0.8;
constexpr double kLeastShown = 0.1;  ///< share of the largest coefficient from which on a number is written
constexpr double kMmPerPixel = 0.27;

using Coefficients = std::vector<std::vector<double>>;

Coefficients coefficients_of(const ExplainedRecord& explained) {
    return explained.answer.at("coefficients").get<Coefficients>();
}

std::vector<std::string> rows_of(const ExplainedRecord& explained) {
    return explained.answer.at("rows").get<std::vector<std::string>>();
}

double largest_of(const Coefficients& coefficients) {
    double largest = 0;
    for (const auto& row : coefficients)
        for (const double value : row) largest = std::max(largest, std::abs(value));
    return largest;
}

double sum_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

std::string headline(const ExplainedRecord& explained) {
    return fmt::format("{}: {}, probability {:.3f}{}", explained.record, explained.abbreviation, explained.probability,
                       explained.threshold ? fmt::format(" (threshold {:.3f})", *explained.threshold) : "");
}

std::string network_of(const ExplainedRecord& explained) {
    return fmt::format("network of job {}, {:g} Hz", explained.job, explained.answer.at("sampling_hz").get<double>());
}

/// What tells whether the explanation can be believed.
std::vector<std::string> remarks_of(const ExplainedRecord& explained) {
    const auto& answer = explained.answer;
    std::vector<std::string> remarks;
    const auto method = answer.at("method").get<std::string>();
    const auto target = answer.at("target").get<std::string>();
    if (answer.at("r2").is_null()) {
        remarks.push_back(fmt::format("{} on the {}; signed, positive speaks for the class.", method, target));
    } else {
        const double r2 = answer["r2"].get<double>();
        remarks.push_back(
            fmt::format("{} on the {}; signed, positive speaks for the class. R2 = {:.2f}.", method, target, r2));
        if (r2 < answer.at("min_r2").get<double>())
            remarks.push_back(
                fmt::format("NOT TO BE BELIEVED: a linear model does not describe the network here (R2 "
                            "below explain.min_r2 = {:g}).",
                            answer.at("min_r2").get<double>()));
    }
    const auto& figures = answer.at("faithfulness");
    remarks.push_back(
        fmt::format("Faithfulness: masked by importance the {0} falls by {1:.2f} on average (in random "
                    "order {2:.2f}); put back by importance it rises by {3:.2f} (in random order {4:.2f}).",
                    target, figures.at("deletion").get<double>(), figures.at("deletion_random").get<double>(),
                    figures.at("insertion").get<double>(), figures.at("insertion_random").get<double>()));
    if (const auto notes = answer.at("notes").get<std::string>(); !notes.empty())
        remarks.push_back(fmt::format("The record: {}.", notes));
    return remarks;
}

/// Runs of samples of one segment.
std::vector<Shade> shades_of(const std::vector<std::int64_t>& segment_of_sample,
                             const std::vector<double>& coefficients, double sampling_hz, double largest) {
    std::vector<Shade> shades;
    for (std::size_t begin = 0; begin < segment_of_sample.size();) {
        std::size_t end = begin + 1;
        while (end < segment_of_sample.size() && segment_of_sample[end] == segment_of_sample[begin]) ++end;
        const double value = coefficients.at(static_cast<std::size_t>(segment_of_sample[begin]));
        const double share = largest > 0 ? value / largest : 0;
        shades.push_back({static_cast<double>(begin) / sampling_hz, static_cast<double>(end) / sampling_hz,
                          map_colour(share < 0 ? -1 : 1), kMostOpacity * std::abs(share),
                          std::abs(share) < kLeastShown ? "" : fmt::format("{:+.{}f}", value, decimals_for(largest))});
        begin = end;
    }
    return shades;
}

}  // namespace

Table as_table(const ExplainedRecord& explained) {
    const auto coefficients = coefficients_of(explained);
    const auto rows = rows_of(explained);
    const double largest = largest_of(coefficients);
    const int decimals = decimals_for(largest);
    Table table;
    table.caption = fmt::format("{}; {}", headline(explained), network_of(explained));
    const bool has_electrodes = std::find(rows.begin(), rows.end(), "RA") != rows.end();
    table.columns = {{has_electrodes ? "electrode" : "lead"}};
    const auto parts =
        part_names(explained.answer.at("align").get<std::string>(), explained.answer.at("window_s").get<double>(),
                   static_cast<std::int64_t>(coefficients.at(0).size()));
    for (const auto& part : parts) table.columns.push_back({part, Alignment::kRight});
    table.columns.push_back({"sum", Alignment::kRight});
    for (std::size_t row = 0; row < rows.size(); ++row) {
        auto& cells = table.rows.emplace_back();
        cells.push_back(cell_of(rows[row]));
        for (const double value : coefficients[row])
            cells.push_back({fmt::format("{:+.{}f}", value, decimals), {value}, value > 0 && value == largest});
        const double sum = sum_of(coefficients[row]);
        cells.push_back({fmt::format("{:+.{}f}", sum, decimals), {sum}});
    }
    table.notes = remarks_of(explained);
    return table;
}

std::string draw_explained(const ExplainedRecord& explained) {
    const auto& answer = explained.answer;
    const auto coefficients = coefficients_of(explained);
    const auto rows = rows_of(explained);
    const auto segment_of_sample = answer.at("segment_of_sample").get<std::vector<std::int64_t>>();
    const double largest = largest_of(coefficients);
    const int decimals = decimals_for(largest);
    const double sampling_hz = answer.at("sampling_hz").get<double>();
    DrawnRecord drawn{
        headline(explained),
        fmt::format("recorded at {:g} Hz, seen at {:g} Hz", answer.at("signal_hz").get<double>(), sampling_hz),
        answer.at("signal_hz").get<double>(),
        answer.at("is_unitless").get<bool>(),
        {}};
    for (std::size_t row = 0; row < rows.size(); ++row)
        drawn.leads.push_back({rows[row], answer.at("signal_uv").at(row).get<std::vector<float>>(),
                               shades_of(segment_of_sample, coefficients[row], sampling_hz, largest),
                               fmt::format("{:+.{}f}", sum_of(coefficients[row]), decimals)});
    drawn.remarks = remarks_of(explained);
    drawn.remarks.insert(drawn.remarks.begin(), network_of(explained) + ".");
    drawn.remarks.push_back("At the end of each strip its sum over all parts.");
    drawn.foot = fmt::format("<g transform=\"scale({})\" font-size=\"12\">\n{}</g>\n", kMmPerPixel,
                             scale_at(24, 16, 360, largest, decimals));
    drawn.foot_mm = 14;
    return draw_ecg_paper(drawn, 0, answer.at("window_s").get<double>());
}

}  // namespace leadsweep
