#include "shared/ecg/classes.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
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
    for (std::size_t i = 0; i < classes.size(); ++i)
        if (classes[i].code == code) return i;
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
    static const LabelSet synthetic = make_synthetic();
    if (name == challenge.name) return challenge;
    if (name == synthetic.name) return synthetic;
    throw InputError(fmt::format("unknown label set '{}': known are challenge2021 and synthetic", name));
}

}  // namespace leadsweep
