#include "orchestrator/report/record_inventory.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/table.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

using Counts = std::map<std::string, std::size_t>;

/// What is told of the records of one source.
struct SourceCount {
    std::size_t records = 0;
    std::size_t read = 0;
    std::size_t without_diagnosis = 0;
    std::set<double> rates_hz;
    double shortest_s = 1e9;
    double longest_s = 0;
    Counts labels;
};

SourceCount count(const std::vector<const CatalogueRecord*>& records) {
    SourceCount source;
    for (const CatalogueRecord* record : records) {
        ++source.records;
        if (!record->is_usable()) continue;
        ++source.read;
        if (record->labels.empty()) ++source.without_diagnosis;
        source.rates_hz.insert(record->sampling_hz);
        const double length_s = static_cast<double>(record->samples) / record->sampling_hz;
        source.shortest_s = std::min(source.shortest_s, length_s);
        source.longest_s = std::max(source.longest_s, length_s);
        for (const auto& label : record->labels) ++source.labels[label];
    }
    return source;
}

std::string shown_source(const std::string& name) {
    return name.empty() ? "(top folder)" : name;
}

/// The most frequent first; equal ones in the order of their names.
std::vector<std::pair<std::string, std::size_t>> by_frequency(const Counts& counts) {
    std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    return sorted;
}

std::string show_counts(const Counts& counts) {
    std::vector<std::string> texts;
    for (const auto& [name, n] : by_frequency(counts)) texts.push_back(fmt::format("{} {}", name, n));
    return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

/// "AF 12, SB 7, ... and 5 unscored codes"
std::string show_labels(const Counts& labels) {
    const LabelSet& known = label_set("challenge2021");
    Counts scored;
    std::size_t others = 0;
    for (const auto& [code, n] : labels)
        if (const auto index = known.find(code))
            scored[known.classes[*index].abbreviation] = n;
        else
            ++others;
    std::string text = scored.empty() && others > 0 ? "" : show_counts(scored);
    if (others > 0) text += fmt::format("{}{} unscored codes", text.empty() ? "" : ", and ", others);
    return text;
}

/// Which leads records have, in their own order: "all twelve" or their names.
std::string show_leads(const CatalogueRecord& record) {
    std::set<std::size_t> standard;
    std::vector<std::string> others;
    for (const auto& name : record.leads)
        if (const auto lead = find_lead(name))
            standard.insert(*lead);
        else
            others.push_back(name);
    std::vector<std::string> names;
    for (const std::size_t lead : standard) names.emplace_back(kLeadNames[lead]);
    std::string text = names.size() == kLeadCount ? "all twelve" : fmt::format("{}", fmt::join(names, ", "));
    if (!others.empty()) text += fmt::format("{}and {}", text.empty() ? "" : " ", fmt::join(others, ", "));
    return text;
}

class Inventory {
public:
    Inventory(const Catalogue& catalogue, std::size_t most_listed) : most_listed_(most_listed) {
        for (const auto& record : catalogue.records) {
            by_source_[record.source].push_back(&record);
            all_.push_back(&record);
        }
    }

    std::string text() {
        show_sources();
        show_label_counts();
        show_lead_sets();
        show_people();
        show_duplicates();
        show_oddities();
        return std::move(text_);
    }

private:
    template <class... Arguments>
    void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        text_ += fmt::format(format, std::forward<Arguments>(arguments)...);
    }

    void show_sources() {
        const SourceCount all = count(all_);
        add("{} of {} records read; format, size, first value and checksum of every lead are right in these\n\n",
            all.read, all.records);
        Table table;
        table.columns = {{"source", Alignment::kLeft},      {"records", Alignment::kRight},
                         {"read", Alignment::kRight},       {"rate (Hz)", Alignment::kRight},
                         {"length (s)", Alignment::kRight}, {"no label", Alignment::kRight}};
        for (const auto& [name, records] : by_source_) {
            const SourceCount source = count(records);
            const std::string length =
                source.read == 0 ? "" : fmt::format("{:.1f} - {:.1f}", source.shortest_s, source.longest_s);
            const auto number = [](std::size_t n) { return cell_of(static_cast<std::int64_t>(n)); };
            table.rows.push_back({cell_of(shown_source(name)), number(source.records), number(source.read),
                                  cell_of(fmt::format("{}", fmt::join(source.rates_hz, ", "))), cell_of(length),
                                  number(source.without_diagnosis)});
        }
        text_ += render(table, TableFormat::kText);
        if (all.without_diagnosis > 0)
            add("\n{} records have no diagnosis code in their header (a table may give one)\n", all.without_diagnosis);
    }

    void show_label_counts() {
        add("\nLabels (scored classes of the Challenge 2021)\n");
        Counts unscored;
        Counts words;
        const LabelSet& known = label_set("challenge2021");
        for (const auto& [name, records] : by_source_) {
            const SourceCount source = count(records);
            add("  {}: {}\n", shown_source(name), show_labels(source.labels));
            for (const auto& [code, n] : source.labels)
                if (!known.find(code)) unscored[code] += n;
            for (const CatalogueRecord* record : records)
                for (const auto& word : record->words) ++words[word];
        }
        if (!unscored.empty()) add("  Codes of no scored class: {}\n", show_counts(unscored));
        if (!words.empty()) add("  Words that are no codes: {}\n", show_counts(words));
    }

    void show_lead_sets() {
        Counts sets;
        for (const CatalogueRecord* record : all_)
            if (record->is_usable()) ++sets[show_leads(*record)];
        add("\nLeads\n");
        for (const auto& [leads, n] : by_frequency(sets)) add("  {} records: {}\n", n, leads);
    }

    void show_people() {
        std::size_t with_age = 0, female = 0, male = 0, with_patient = 0;
        for (const CatalogueRecord* record : all_) {
            with_age += record->age_years ? 1 : 0;
            female += record->sex == "female" ? 1 : 0;
            male += record->sex == "male" ? 1 : 0;
            with_patient += record->patient.empty() ? 0 : 1;
        }
        add("\n{} records tell an age, {} say female, {} male, {} name a patient\n", with_age, female, male,
            with_patient);
    }

    void show_duplicates() {
        std::map<std::string, std::vector<std::string>> paths_of;
        for (const CatalogueRecord* record : all_)
            if (record->is_usable()) paths_of[record->signal_digest].push_back(record->path);
        std::vector<std::string> lines;
        for (const auto& [digest, paths] : paths_of)
            if (paths.size() > 1) lines.push_back(fmt::format("{}", fmt::join(paths, " = ")));
        std::sort(lines.begin(), lines.end());
        list(fmt::format("{} signals are there more than once (equal digests; folds keep them together)", lines.size()),
             lines);
    }

    template <class Has>
    void list_records(const std::string& what, Has&& has, bool is_repair) {
        std::vector<std::string> lines;
        for (const CatalogueRecord* record : all_)
            if (record->is_usable() && has(*record))
                lines.push_back(is_repair ? fmt::format("{}: {}", record->path, fmt::join(record->repairs, "; "))
                                          : record->path);
        list(fmt::format("{} have {}", lines.size(), what), lines);
    }

    void show_oddities() {
        list_records(
            "missing samples", [](const auto& r) { return r.missing_samples > 0; }, true);
        list_records(
            "constant leads", [](const auto& r) { return r.constant_leads > 0; }, true);
        list_records(
            "leads that stay at their largest or smallest value for 40 ms or more (saturated, or cut off)",
            [](const auto& r) { return r.saturated_leads > 0; }, true);
        list_records(
            "been put right in another way",
            [](const auto& r) {
                return !r.repairs.empty() && r.missing_samples + r.constant_leads + r.saturated_leads == 0;
            },
            true);
        std::vector<std::string> unreadable;
        for (const CatalogueRecord* record : all_)
            if (!record->is_usable())
                unreadable.push_back(fmt::format("cannot be read: {}: {}", record->path, record->problem));
        // All of them, whatever the limit: they are what must be looked at.
        add("\n");
        for (const auto& line : unreadable) text_ += line + "\n";
    }

    void list(const std::string& title, const std::vector<std::string>& lines) {
        add("\n{}\n", title);
        for (std::size_t i = 0; i < std::min(most_listed_, lines.size()); ++i) add("  {}\n", lines[i]);
        if (lines.size() > most_listed_) add("  ... and {} more (--all lists them)\n", lines.size() - most_listed_);
    }

    std::size_t most_listed_;
    std::map<std::string, std::vector<const CatalogueRecord*>> by_source_;
    std::vector<const CatalogueRecord*> all_;
    std::string text_;
};

}  // namespace

std::string render_inventory(const Catalogue& catalogue, std::size_t most_listed) {
    return Inventory(catalogue, most_listed).text();
}

}  // namespace leadsweep
