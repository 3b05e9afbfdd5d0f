#include "shared/job/fold_lists.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/digest.hpp"

namespace leadsweep {
namespace {

NamedArray list_array(const std::vector<std::int32_t>& list) {
    return NamedArray::of<std::int32_t>(list, {static_cast<std::int64_t>(list.size())});
}

}  // namespace

std::string digest_of(const FoldLists& lists) {
    Sha256 digest;
    const auto add_list = [&](const std::vector<std::int32_t>& list) {
        const std::uint64_t size = list.size();
        digest.update(&size, sizeof size);
        digest.update(list.data(), list.size() * sizeof(std::int32_t));
    };
    add_list(lists.train);
    add_list(lists.validation);
    add_list(lists.test);
    digest.update(lists.labels.data(), lists.labels.size());
    // The known sets are told by their name, which is a setting of the job.
    const std::string classes = lists.label_set.name == "file" ? label_set_text(lists.label_set) : "";
    digest.update(classes.data(), classes.size());
    return digest.finish();
}

std::string save_fold_lists(const FoldLists& lists, const std::string& path) {
    ArrayFile file;
    file.arrays["train"] = list_array(lists.train);
    file.arrays["validation"] = list_array(lists.validation);
    file.arrays["test"] = list_array(lists.test);
    file.arrays["labels"] = NamedArray::of<std::uint8_t>(lists.labels, {lists.record_count, lists.class_count});
    if (!lists.groups.empty()) file.arrays["groups"] = list_array(lists.groups);
    file.metadata = {{"label_set", lists.label_set.name},
                     {"classes", label_set_text(lists.label_set)},
                     {"data_digest", lists.data_digest},
                     {"fold", std::to_string(lists.fold)},
                     {"is_leaky", lists.is_leaky ? "1" : "0"}};
    return save_arrays(file, path);
}

FoldLists load_fold_lists(const std::string& path) {
    const ArrayFile file = load_arrays(path);
    FoldLists lists;
    lists.train = file.at("train").values<std::int32_t>();
    lists.validation = file.at("validation").values<std::int32_t>();
    lists.test = file.at("test").values<std::int32_t>();
    const NamedArray& labels = file.at("labels");
    if (labels.shape.size() != 2) throw InputError(fmt::format("{}: labels are no [N, K] array", path));
    lists.record_count = labels.shape[0];
    lists.class_count = labels.shape[1];
    lists.labels = labels.values<std::uint8_t>();
    if (file.arrays.contains("groups")) lists.groups = file.at("groups").values<std::int32_t>();
    for (const auto* list : {&lists.train, &lists.validation, &lists.test})
        if (std::any_of(list->begin(), list->end(),
                        [&](std::int32_t index) { return index < 0 || index >= lists.record_count; }))
            throw InputError(fmt::format("{}: a list names a record outside 0 ... {}", path, lists.record_count - 1));
    const auto text_of = [&](const std::string& name) {
        const auto found = file.metadata.find(name);
        if (found == file.metadata.end()) throw InputError(fmt::format("{}: metadata '{}' is missing", path, name));
        return found->second;
    };
    lists.label_set = label_set_from_text(text_of("classes"));
    lists.data_digest = text_of("data_digest");
    lists.is_leaky = text_of("is_leaky") == "1";
    const std::string fold = text_of("fold");
    std::from_chars(fold.data(), fold.data() + fold.size(), lists.fold);
    return lists;
}

}  // namespace leadsweep
