#include <algorithm>
#include <filesystem>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/survey.hpp"
#include "orchestrator/report/ecg_paper.hpp"
#include "orchestrator/report/record_inventory.hpp"
#include "shared/arrays/safetensors.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

struct DataOptions {
    std::string folder;
    bool lists_all = false;
    std::string plot;  ///< record to draw
    std::string out;
    double from_s = 0;
    double seconds = 10;
    Places places;
};

const CatalogueRecord& find_record(const Catalogue& catalogue, const std::string& path) {
    const std::string name = path.ends_with(".hea") ? path.substr(0, path.size() - 4) : path;
    const auto found = std::find_if(catalogue.records.begin(), catalogue.records.end(),
                                    [&](const CatalogueRecord& record) { return record.path == name; });
    if (found != catalogue.records.end()) return *found;
    std::vector<std::string> known;
    for (const auto& record : catalogue.records) known.push_back(record.path);
    throw InputError(fmt::format("--plot: there is no record '{}' (its path below the folder, no extension){}", name,
                                 suggestion(name, known)));
}

/// The leads of a record, as a worker reads them.
ArrayFile read_by_worker(const std::string& header, const Places& places, Spawner& spawner) {
    const std::string stem = fmt::format("{}/record.{}", places.work, ::getpid());
    const std::string result = stem + ".safetensors";
    const std::string log = stem + ".log";
    fs::create_directories(places.work);
    const ChildExit exit = spawner.run({{places.worker, "record", header, "--out", result}, {}, log, false});
    const std::string words(trim(read_file(log)));
    fs::remove(log);
    if (exit.signal != 0) throw InterruptedError(fmt::format("reading the record was ended by signal {}", exit.signal));
    if (exit.code != 0) throw InputError(words);
    ArrayFile arrays = load_arrays(result);
    fs::remove(result);
    return arrays;
}

std::string facts_of(const CatalogueRecord& record) {
    std::vector<std::string> facts = {
        fmt::format("{:g} Hz", record.sampling_hz),
        fmt::format("{:.1f} s", static_cast<double>(record.samples) / record.sampling_hz)};
    if (record.age_years) facts.push_back(fmt::format("age {:g}", *record.age_years));
    if (!record.sex.empty()) facts.push_back(record.sex);
    const LabelSet& known = label_set("challenge2021");
    for (const auto& code : record.labels) {
        const auto index = known.find(code);
        facts.push_back(index ? known.classes[*index].abbreviation : code);
    }
    facts.insert(facts.end(), record.words.begin(), record.words.end());
    return fmt::format("{}", fmt::join(facts, ", "));
}

/// Standard leads first, in their order; the others as they come.
std::vector<DrawnLead> ordered_leads(const ArrayFile& arrays) {
    const auto names = split(arrays.metadata.at("leads"), '\n');
    const auto values = arrays.at("signal").values<float>();
    const std::size_t samples = values.size() / names.size();
    std::vector<std::pair<std::size_t, DrawnLead>> leads;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * samples);
        leads.push_back({find_lead(names[i]).value_or(kLeadCount),
                         {names[i], {begin, begin + static_cast<std::ptrdiff_t>(samples)}}});
    }
    std::stable_sort(leads.begin(), leads.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<DrawnLead> ordered;
    for (auto& [place, lead] : leads) ordered.push_back(std::move(lead));
    return ordered;
}

int plot_record(const DataOptions& options, const Catalogue& catalogue, const Places& places, Spawner& spawner) {
    const CatalogueRecord& record = find_record(catalogue, options.plot);
    const ArrayFile arrays =
        read_by_worker((fs::path(options.folder) / (record.path + ".hea")).string(), places, spawner);
    const DrawnRecord drawn{record.path, facts_of(record), record.sampling_hz, arrays.metadata.at("is_unitless") == "1",
                            ordered_leads(arrays)};
    std::string out = options.out;
    if (out.empty()) out = fs::path(record.path).filename().string() + ".svg";
    write_file_durably(out, draw_ecg_paper(drawn, options.from_s, options.seconds));
    fmt::print("{}\n", out);
    return kExitDone;
}

int show_data(const DataOptions& options) {
    const Places places = resolve_places(options.places);
    Spawner spawner;
    DataSpec data;
    data.records = options.folder;
    const auto catalogue = catalogue_provider(places, spawner)(data);
    if (!options.plot.empty()) return plot_record(options, *catalogue, places, spawner);
    constexpr std::size_t kListed = 10;
    fmt::print("{}",
               render_inventory(*catalogue, options.lists_all ? std::numeric_limits<std::size_t>::max() : kListed));
    const bool is_whole = std::all_of(catalogue->records.begin(), catalogue->records.end(),
                                      [](const CatalogueRecord& record) { return record.is_usable(); });
    return is_whole ? kExitDone : kExitSomeFailed;
}

}  // namespace

void add_data_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<DataOptions>();
    CLI::App* command = app.add_subcommand("data", "tell what lies in a folder of WFDB records, or draw one of them");
    command->add_option("FOLDER", options->folder, "searched recursively for .hea files")->required();
    command->add_flag("--all", options->lists_all, "list every record that is odd, not the first ten of each kind");
    command->add_option("--plot", options->plot, "draw this record (path below FOLDER) on ECG paper, as SVG");
    command->add_option("--out", options->out, "file of the drawing [name of the record, .svg]");
    command->add_option("--from", options->from_s, "second with which the drawing begins")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_option("--seconds", options->seconds, "length of the drawing")
        ->check(CLI::Range(0.1, 120.0))
        ->capture_default_str();
    add_place_options(*command, options->places);
    command->footer(
        "Examples:\n  leadsweep data ~/ecg/challenge2021\n"
        "  leadsweep data ~/ecg/challenge2021 --plot georgia/g1/E00001 --out E00001.svg");
    command->callback([options, &exit_code] { exit_code = show_data(*options); });
}

}  // namespace leadsweep
