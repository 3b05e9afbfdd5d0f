#include "orchestrator/report/predictions.hpp"

#include <cmath>

#include <fmt/format.h>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

struct Places {
    std::string predictions;
    std::string digest;  ///< of that file
    std::string lists;
};

Places places_of(const ReadStore& store, const std::string& work_folder, std::int64_t attempt_id) {
    const auto rows =
        store
            .ask(
                "SELECT a.folder, r.path, r.digest, f.path FROM attempts AS a JOIN jobs AS j USING (job_id) "
                "LEFT JOIN artifacts AS r ON r.attempt_id = a.attempt_id AND r.kind = 'predictions' "
                "LEFT JOIN folds AS f ON f.lists_digest = j.lists_digest WHERE a.attempt_id = ?",
                {attempt_id})
            .rows;
    if (rows.empty() || as_text(rows[0][1]).empty())
        throw InputError(fmt::format("attempt {} left no predictions", attempt_id));
    if (as_text(rows[0][3]).empty())
        throw InputError(fmt::format("the database does not know on what attempt {} was tested", attempt_id));
    return {fmt::format("{}/{}/{}", work_folder, as_text(rows[0][0]), as_text(rows[0][1])), as_text(rows[0][2]),
            fmt::format("{}/{}", work_folder, as_text(rows[0][3]))};
}

/// The rows `records` of a [record, width] array.
template <class T>
std::vector<T> rows_of(const NamedArray& array, const std::vector<std::int32_t>& records, std::int64_t width,
                       const std::string& path) {
    const std::vector<T> all = array.values<T>();
    std::vector<T> picked;
    picked.reserve(records.size() * static_cast<std::size_t>(width));
    for (const std::int32_t record : records) {
        const auto begin = static_cast<std::size_t>(record) * static_cast<std::size_t>(width);
        if (record < 0 || begin + static_cast<std::size_t>(width) > all.size())
            throw InputError(fmt::format("{}: it has no record {}, which the predictions name", path, record));
        picked.insert(picked.end(), all.begin() + static_cast<std::ptrdiff_t>(begin),
                      all.begin() + static_cast<std::ptrdiff_t>(begin) + static_cast<std::ptrdiff_t>(width));
    }
    return picked;
}

}  // namespace

TestPredictions load_test_predictions(const ReadStore& store, const std::string& work_folder, std::int64_t attempt_id) {
    const Places places = places_of(store, work_folder, attempt_id);
    if (sha256_file(places.predictions) != places.digest)
        throw InputError(
            fmt::format("{}: has changed since it was made: leadsweep doctor tells what else has", places.predictions));
    const ArrayFile file = load_arrays(places.predictions);
    const ArrayFile lists = load_arrays(places.lists);
    TestPredictions predictions;
    const auto classes = lists.metadata.find("classes");
    const auto name = lists.metadata.find("label_set");
    if (classes != lists.metadata.end())
        predictions.label_set = label_set_from_text(classes->second);
    else
        predictions.label_set = label_set(name == lists.metadata.end() ? "" : name->second);
    predictions.records = file.at("test_records").values<std::int32_t>();
    predictions.logits = file.at("test_logits").values<float>();
    const NamedArray& labels = lists.at("labels");
    predictions.classes = labels.shape.size() == 2 ? labels.shape[1] : 0;
    if (predictions.logits.size() != predictions.records.size() * static_cast<std::size_t>(predictions.classes))
        throw InputError(fmt::format("{}: its logits do not fit {} records and the {} classes of {}",
                                     places.predictions, predictions.records.size(), predictions.classes,
                                     places.lists));
    predictions.labels = rows_of<std::uint8_t>(labels, predictions.records, predictions.classes, places.lists);
    if (lists.arrays.contains("groups"))
        predictions.patient = rows_of<std::int32_t>(lists.at("groups"), predictions.records, 1, places.lists);
    return predictions;
}

GroupScores group_scores(const TestPredictions& predictions, const LabelSet& set) {
    GroupScores result;
    result.groups = set.groups.size();
    const auto width = static_cast<std::size_t>(predictions.classes);
    if (width != set.classes.size())
        throw InputError(fmt::format("predictions of {} classes do not fit the {} of label set {}", width,
                                     set.classes.size(), set.name));
    for (std::size_t n = 0; n < predictions.records.size(); ++n) {
        for (const auto& members : set.groups) {
            double sum = 0;
            std::uint8_t label = 0;
            for (const std::size_t k : members) {
                const double logit = predictions.logits[n * width + k];
                sum += std::isfinite(logit) ? 1 / (1 + std::exp(-logit)) : 0;
                label |= predictions.labels[n * width + k];
            }
            result.scores.push_back(static_cast<float>(sum / static_cast<double>(members.size())));
            result.labels.push_back(label);
        }
    }
    return result;
}

}  // namespace leadsweep
