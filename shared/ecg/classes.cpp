#include "shared/ecg/classes.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

/// PhysioNet/Computing in Cardiology Challenge 2021: the scored diagnoses (dx_mapping_scored.csv), codes sorted as
/// text.
const std::vector<DiagnosisClass>& challenge_classes() {
    static const std::vector<DiagnosisClass> classes = {
        {"10370003", "PR", "pacing rhythm"},
        {"111975006", "LQT", "prolonged QT interval"},
        {"164889003", "AF", "atrial fibrillation"},
        {"164890007", "AFL", "atrial flutter"},
        {"164909002", "LBBB", "left bundle branch block"},
        {"164917005", "QAb", "Q wave abnormal"},
        {"164934002", "TAb", "T wave abnormal"},
        {"164947007", "LPR", "prolonged PR interval"},
        {"17338001", "VPB", "ventricular premature beats"},
        {"251146004", "LQRSV", "low QRS voltages"},
        {"270492004", "IAVB", "1st degree AV block"},
        {"284470004", "PAC", "premature atrial contraction"},
        {"365413008", "PRWP", "poor R wave progression"},
        {"39732003", "LAD", "left axis deviation"},
        {"426177001", "SB", "sinus bradycardia"},
        {"426627000", "Brady", "bradycardia"},
        {"426783006", "NSR", "sinus rhythm"},
        {"427084000", "STach", "sinus tachycardia"},
        {"427172004", "PVC", "premature ventricular contractions"},
        {"427393009", "SA", "sinus arrhythmia"},
        {"445118002", "LAnFB", "left anterior fascicular block"},
        {"47665007", "RAD", "right axis deviation"},
        {"59118001", "RBBB", "right bundle branch block"},
        {"59931005", "TInv", "T wave inversion"},
        {"63593006", "SVPB", "supraventricular premature beats"},
        {"6374002", "BBB", "bundle branch block"},
        {"698252002", "NSIVCB", "nonspecific intraventricular conduction disorder"},
        {"713426002", "IRBBB", "incomplete right bundle branch block"},
        {"713427006", "CRBBB", "complete right bundle branch block"},
        {"733534002", "CLBBB", "complete left bundle branch block"},
    };
    return classes;
}

/// Codes that the Challenge scores as one.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kMerged{{
    {"733534002", "164909002"},  // CLBBB | LBBB
    {"713427006", "59118001"},   // CRBBB | RBBB
    {"284470004", "63593006"},   // PAC | SVPB
    {"427172004", "17338001"},   // PVC | VPB
}};

/// Leads that cannot be derived from the others, so that a planted sign has one right answer.
constexpr std::array<std::string_view, 8> kIndependentLeads = {"I", "II", "V1", "V2", "V3", "V4", "V5", "V6"};

LabelSet make_challenge() {
    LabelSet set{"challenge2021", challenge_classes(), {}};
    std::vector<bool> is_grouped(set.classes.size(), false);
    for (std::size_t i = 0; i < set.classes.size(); ++i) {
        if (is_grouped[i]) continue;
        std::vector<std::size_t> group{i};
        for (const auto& [a, b] : kMerged) {
            if (set.classes[i].code != a && set.classes[i].code != b) continue;
            const std::size_t other = *set.find(set.classes[i].code == a ? b : a);
            is_grouped[other] = true;
            // The official weights write the pair as (first, second) of kMerged.
            group = set.classes[i].code == a ? std::vector{i, other} : std::vector{other, i};
        }
        set.groups.push_back(group);
    }
    return set;
}

LabelSet make_challenge_groups() {
    const LabelSet challenge = make_challenge();
    LabelSet set{"challenge2021_groups", {}, {}};
    for (std::size_t group = 0; group < challenge.groups.size(); ++group) {
        std::string name;
        for (const std::size_t index : challenge.groups[group])
            name += (name.empty() ? "" : " or ") + challenge.classes[index].name;
        set.groups.push_back({group});
        set.classes.push_back({challenge.group_code(group), challenge.group_abbreviation(group), name});
    }
    return set;
}

LabelSet make_synthetic() {
    LabelSet set = make_challenge();
    set.name = "synthetic";
    for (const auto lead : kIndependentLeads) {
        set.groups.push_back({set.classes.size()});
        set.classes.push_back({fmt::format("planted-{}", lead), fmt::format("sign {}", lead),
                               fmt::format("sign planted in lead {}", lead)});
    }
    return set;
}

}  // namespace

std::optional<std::size_t> LabelSet::find(std::string_view code) const {
    for (std::size_t i = 0; i < classes.size(); ++i) {
        if (classes[i].code == code) return i;
        if (classes[i].code.find('|') == std::string::npos) continue;
        const auto codes = split(classes[i].code, '|');
        if (std::find(codes.begin(), codes.end(), code) != codes.end()) return i;
    }
    return std::nullopt;
}

std::string LabelSet::group_code(std::size_t group) const {
    std::string code;
    for (const std::size_t index : groups.at(group)) code += (code.empty() ? "" : "|") + classes[index].code;
    return code;
}

std::string LabelSet::group_abbreviation(std::size_t group) const {
    std::string text;
    for (const std::size_t index : groups.at(group)) text += (text.empty() ? "" : "|") + classes[index].abbreviation;
    return text;
}

const LabelSet& label_set(std::string_view name) {
    static const LabelSet challenge = make_challenge();
    static const LabelSet groups = make_challenge_groups();
    static const LabelSet synthetic = make_synthetic();
    for (const LabelSet* set : {&challenge, &groups, &synthetic})
        if (set->name == name) return *set;
    throw InputError(
        fmt::format("unknown label set '{}': known are challenge2021, challenge2021_groups and synthetic", name));
}

LabelSet label_set_from_csv(const std::string& text, const std::string& file) {
    std::istringstream stream(text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text);
    const auto header = read_csv_row(stream).value_or(std::vector<std::string>{});
    const auto column = [&](std::string_view name) {
        const auto found =
            std::find_if(header.begin(), header.end(), [&](const auto& cell) { return to_lower(trim(cell)) == name; });
        return static_cast<std::size_t>(found - header.begin());
    };
    const std::size_t code = column("code"), abbreviation = column("abbreviation"), name = column("name");
    const std::size_t merge = column("merge");
    if (std::max({code, abbreviation, name}) >= header.size())
        throw InputError(fmt::format("{}: found the columns '{}', expected code, abbreviation, name and maybe merge",
                                     file, fmt::join(header, ", ")));
    LabelSet set{"file", {}, {}};
    std::map<std::string, std::size_t> group_of;
    std::size_t row_number = 1;
    while (const auto row = read_csv_row(stream)) {
        ++row_number;
        if (row->size() == 1 && trim(row->front()).empty()) continue;
        if (row->size() != header.size())
            throw InputError(fmt::format("{}: row {} has {} fields, the first row has {}", file, row_number,
                                         row->size(), header.size()));
        DiagnosisClass one{std::string(trim((*row)[code])), std::string(trim((*row)[abbreviation])),
                           std::string(trim((*row)[name]))};
        if (one.code.empty()) throw InputError(fmt::format("{}: row {} has no code", file, row_number));
        for (const auto& part : split(one.code, '|'))
            if (set.find(part))
                throw InputError(fmt::format("{}: row {}: code {} was there before", file, row_number, part));
        if (one.abbreviation.empty()) one.abbreviation = one.code;
        const std::string group(merge < header.size() ? trim((*row)[merge]) : "");
        const auto [known, is_new] =
            group.empty() ? std::pair{group_of.end(), true} : group_of.try_emplace(group, set.groups.size());
        if (is_new)
            set.groups.push_back({set.classes.size()});
        else
            set.groups[known->second].push_back(set.classes.size());
        set.classes.push_back(std::move(one));
    }
    if (set.classes.empty()) throw InputError(fmt::format("{}: no class in it", file));
    return set;
}

std::string label_set_text(const LabelSet& set) {
    nlohmann::json classes = nlohmann::json::array();
    for (const auto& one : set.classes) classes.push_back({one.code, one.abbreviation, one.name});
    return nlohmann::json{{"name", set.name}, {"classes", classes}, {"groups", set.groups}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

LabelSet label_set_from_text(const std::string& text) {
    try {
        const auto json = nlohmann::json::parse(text);
        LabelSet set{json.at("name").get<std::string>(), {}, {}};
        for (const auto& one : json.at("classes"))
            set.classes.push_back(
                {one.at(0).get<std::string>(), one.at(1).get<std::string>(), one.at(2).get<std::string>()});
        json.at("groups").get_to(set.groups);
        for (const auto& group : set.groups)
            for (const std::size_t index : group)
                if (group.empty() || index >= set.classes.size())
                    throw InputError("a group names a class beyond the last");
        return set;
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("no label set: {}", error.what()));
    }
}

}  // namespace leadsweep
