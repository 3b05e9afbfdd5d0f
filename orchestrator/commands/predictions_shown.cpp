#include "orchestrator/commands/predictions_shown.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/report/class_names.hpp"

namespace leadsweep {
namespace {

constexpr double kThreshold = 0.5;
constexpr std::size_t kAtLeastShown = 5;

nlohmann::json class_json(const nlohmann::json& record, std::size_t k) {
    double sum = 0;
    double low = 1;
    double high = 0;
    for (const auto& of_model : record.at("probabilities")) {
        const double p = of_model.at(k).get<double>();
        sum += p;
        low = std::min(low, p);
        high = std::max(high, p);
    }
    const double mean = sum / static_cast<double>(record.at("probabilities").size());
    return {{"probability", mean},
            {"low", low},
            {"high", high},
            {"threshold", kThreshold},
            {"is_positive", mean >= kThreshold}};
}

/// Coefficients of one class summed over time, by lead.
nlohmann::json importance_json(const nlohmann::json& by_lead, const nlohmann::json& leads) {
    nlohmann::json sums = nlohmann::json::object();
    for (std::size_t lead = 0; lead < leads.size(); ++lead) {
        double sum = 0;
        for (const auto& segment : by_lead.at(lead)) sum += segment.get<double>();
        sums[leads[lead].get<std::string>()] = sum;
    }
    return sums;
}

/// Indices of the classes to show, the most probable first.
std::vector<std::size_t> order_of(const nlohmann::json& classes, bool has_all) {
    std::vector<std::size_t> order(classes.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    const auto p = [&](std::size_t k) { return classes[k].at("probability").get<double>(); };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p(a) > p(b); });
    if (has_all) return order;
    std::vector<std::size_t> shown;
    for (const std::size_t k : order) {
        const bool is_positive =
            classes[k].at("is_positive").get<bool>() || classes[k].value("is_positive_tuned", false);
        if (is_positive || shown.size() < kAtLeastShown) shown.push_back(k);
    }
    return shown;
}

std::string yes(bool is_so) {
    return is_so ? "yes" : "";
}

Table probability_table(const ShownPredictions& shown, bool has_all) {
    Table table;
    const auto models = shown.json.at("models").get<std::size_t>();
    table.caption = models == 1
                        ? "Probabilities of one model"
                        : fmt::format("Mean probabilities of {} models, one a fold; between them the range", models);
    table.columns = {{"record"},     {"class"},
                     {"code"},       {"probability", Alignment::kRight, {"mean", "low", "high"}},
                     {"above 0.5"},  {"tuned threshold", Alignment::kRight},
                     {"above tuned"}};
    for (const auto& record : shown.json.at("records")) {
        if (const auto notes = record.at("notes").get<std::string>(); !notes.empty())
            table.notes.push_back(fmt::format("{}: {}.", record.at("record").get<std::string>(), notes));
        for (const std::size_t k : order_of(record.at("classes"), has_all)) {
            const auto& c = record.at("classes")[k];
            const double p = c.at("probability").get<double>();
            const double low = c.at("low").get<double>();
            const double high = c.at("high").get<double>();
            Cell probability{fmt::format("{:.3f}", p), {p, low, high}, c.at("is_positive").get<bool>()};
            if (models > 1) probability.text += fmt::format(" [{:.3f}, {:.3f}]", low, high);
            const bool has_tuned = c.contains("tuned_threshold");
            table.rows.push_back({cell_of(record.at("record").get<std::string>()),
                                  cell_of(c.at("abbreviation").get<std::string>()),
                                  cell_of(c.at("code").get<std::string>()), std::move(probability),
                                  cell_of(yes(c.at("is_positive").get<bool>())),
                                  has_tuned ? Cell{fmt::format("{:.3f}", c["tuned_threshold"].get<double>()),
                                                   {c["tuned_threshold"].get<double>()}}
                                            : Cell{},
                                  cell_of(yes(c.value("is_positive_tuned", false)))});
        }
    }
    return table;
}

Table lead_table(const ShownPredictions& shown, bool has_all) {
    Table table;
    table.caption = "Lead importance: signed coefficient on the logit, summed over time; positive speaks for the class";
    table.columns = {{"record"}, {"class"}};
    for (const auto& record : shown.json.at("records")) {
        for (const std::size_t k : order_of(record.at("classes"), has_all)) {
            const auto& c = record.at("classes")[k];
            if (!c.contains("importance")) continue;
            auto& row = table.rows.emplace_back();
            row = {cell_of(record.at("record").get<std::string>()), cell_of(c.at("abbreviation").get<std::string>())};
            double largest = 0;
            for (const auto& lead : shown.json.at("leads")) {
                const double value = c["importance"].at(lead.get<std::string>()).get<double>();
                row.push_back({fmt::format("{:+.3f}", value), {value}});
                largest = std::max(largest, value);
            }
            for (std::size_t i = 2; i < row.size(); ++i)
                row[i].is_best = largest > 0 && std::get<double>(row[i].values[0]) == largest;
        }
    }
    for (const auto& lead : shown.json.at("leads"))
        table.columns.push_back({lead.get<std::string>(), Alignment::kRight});
    return table;
}

}  // namespace

ShownPredictions shown_predictions(const ReadStore& store, const nlohmann::json& answer,
                                   const std::vector<double>& tuned, std::size_t models) {
    const ClassNames names(store);
    const auto codes = answer.at("class_codes").get<std::vector<std::string>>();
    ShownPredictions shown;
    shown.json = {{"models", models}, {"leads", answer.at("leads")}, {"records", nlohmann::json::array()}};
    for (const auto& record : answer.at("records")) {
        if (record.contains("problem")) {
            shown.problems.push_back(record["problem"].get<std::string>());
            continue;
        }
        auto classes = nlohmann::json::array();
        for (std::size_t k = 0; k < codes.size(); ++k) {
            nlohmann::json one = class_json(record, k);
            one["code"] = codes[k];
            one["abbreviation"] = names.of(codes[k]);
            if (k < tuned.size()) {
                one["tuned_threshold"] = tuned[k];
                one["is_positive_tuned"] = one["probability"].get<double>() >= tuned[k];
            }
            if (record.contains("importance"))
                one["importance"] = importance_json(record["importance"].at(k), answer.at("leads"));
            classes.push_back(std::move(one));
        }
        shown.json["records"].push_back(
            {{"record", record.at("path")}, {"notes", record.at("notes")}, {"classes", classes}});
    }
    return shown;
}

std::string render_predictions(const ShownPredictions& shown, TableFormat format, bool has_all) {
    std::string text = render(probability_table(shown, has_all), format);
    const Table leads = lead_table(shown, has_all);
    if (!leads.rows.empty()) text += "\n" + render(leads, format);
    return text;
}

}  // namespace leadsweep
