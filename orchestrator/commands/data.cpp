#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/survey.hpp"
#include "shared/core/errors.hpp"
#include "shared/ecg/classes.hpp"

namespace leadsweep {
namespace {

/// What `leadsweep data` tells of the records of one source.
struct SourceCount {
    std::size_t records = 0;
    std::size_t read = 0;
    std::size_t without_diagnosis = 0;
    std::size_t with_missing_samples = 0;
    std::size_t with_constant_leads = 0;
    std::set<double> rates_hz;
    double shortest_s = 1e9;
    double longest_s = 0;
    std::map<std::string, std::size_t> labels;
};

void count(SourceCount& source, const CatalogueRecord& record) {
    ++source.records;
    if (!record.is_usable()) return;
    ++source.read;
    if (record.labels.empty()) ++source.without_diagnosis;
    if (record.missing_samples > 0) ++source.with_missing_samples;
    if (record.constant_leads > 0) ++source.with_constant_leads;
    source.rates_hz.insert(record.sampling_hz);
    const double length_s = static_cast<double>(record.samples) / record.sampling_hz;
    source.shortest_s = std::min(source.shortest_s, length_s);
    source.longest_s = std::max(source.longest_s, length_s);
    for (const auto& label : record.labels) ++source.labels[label];
}

/// "AF 12, SB 7, ... and 5 other codes": the most frequent first.
std::string show_labels(const std::map<std::string, std::size_t>& labels) {
    const LabelSet& known = label_set("challenge2021");
    std::vector<std::pair<std::size_t, std::string>> named;
    std::size_t others = 0;
    for (const auto& [code, n] : labels) {
        const auto index = known.find(code);
        if (index)
            named.emplace_back(n, known.classes[*index].abbreviation);
        else
            ++others;
    }
    std::sort(named.begin(), named.end(),
              [](const auto& a, const auto& b) { return std::pair(b.first, a.second) < std::pair(a.first, b.second); });
    std::vector<std::string> texts;
    for (const auto& [n, name] : named) texts.push_back(fmt::format("{} {}", name, n));
    std::string text = fmt::format("{}", fmt::join(texts, ", "));
    if (others > 0) text += fmt::format("{}{} unscored codes", text.empty() ? "" : ", and ", others);
    return text.empty() ? "none" : text;
}

int show_data(const std::string& folder, const Places& options) {
    const Places places = resolve_places(options);
    Spawner spawner;
    DataSpec data;
    data.records = folder;
    const auto catalogue = catalogue_provider(places, spawner)(data);
    std::map<std::string, SourceCount> sources;
    SourceCount all;
    for (const auto& record : catalogue->records) {
        count(sources[record.source], record);
        count(all, record);
    }
    fmt::print("{} of {} records read; format, size, first value and checksum of every lead are right in these\n\n",
               all.read, all.records);
    fmt::print("{:<22} {:>8} {:>8} {:>12} {:>14} {:>9}\n", "source", "records", "read", "rate (Hz)", "length (s)",
               "no label");
    for (const auto& [name, source] : sources) {
        const std::string length =
            source.read == 0 ? "" : fmt::format("{:.1f} - {:.1f}", source.shortest_s, source.longest_s);
        fmt::print("{:<22} {:>8} {:>8} {:>12} {:>14} {:>9}\n", name.empty() ? "(top folder)" : name, source.records,
                   source.read, fmt::format("{}", fmt::join(source.rates_hz, ", ")), length, source.without_diagnosis);
    }
    fmt::print("\nlabels\n");
    for (const auto& [name, source] : sources)
        fmt::print("{:<22} {}\n", name.empty() ? "(top folder)" : name, show_labels(source.labels));
    fmt::print(
        "\n{} records have no diagnosis code in their header (a table may give one), {} have missing samples, {} have "
        "constant leads\n",
        all.without_diagnosis, all.with_missing_samples, all.with_constant_leads);
    for (const auto& record : catalogue->records)
        if (!record.is_usable()) fmt::print("cannot be read: {}: {}\n", record.path, record.problem);
    return all.read == all.records ? kExitDone : kExitSomeFailed;
}

}  // namespace

void add_data_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string folder;
        Places places;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("data", "tell what lies in a folder of WFDB records");
    command->add_option("FOLDER", options->folder, "searched recursively for .hea files")->required();
    add_place_options(*command, options->places);
    command->footer("Example:\n  leadsweep data ~/ecg/challenge2021");
    command->callback([options, &exit_code] { exit_code = show_data(options->folder, options->places); });
}

}  // namespace leadsweep
