// The named alternatives of the schema and what makes each of them: the one place to which a new network, loss,
// optimizer, schedule or explainer is added (besides its choice in shared/job/job_spec.hpp; a test compares the two).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/job/job_spec.hpp"
#include "worker/explain/explainer.hpp"
#include "worker/model/model.hpp"
#include "worker/train/checkpoint.hpp"
#include "worker/train/trainer.hpp"

namespace leadsweep {

/// The network of a spec with K outputs and initial weights from spec.seed, on the CPU in float32.
/// Throws JobError(kInvalid) where the settings make no network.
std::shared_ptr<Model> make_model(const JobSpec& spec, std::int64_t classes);

/// Loss, optimizer and schedule of a spec. `positive_weights` [K] are those of train.positive_weights: balanced
/// (balanced_weights), and not looked at for none.
TrainParts make_train_parts(const JobSpec& spec, const std::vector<double>& positive_weights = {});

/// nullptr for explain.method: none. `folded` as from Model::fold, `background` the records of the training list.
std::unique_ptr<Explainer> make_explainer(const JobSpec& spec, std::shared_ptr<Model> folded,
                                          std::span<const std::int32_t> background);

struct LoadedModel {
    std::shared_ptr<Model> model;  ///< in evaluation mode, on the CPU
    ModelInfo info;
};

/// The network of a model file, as save_model wrote it. Throws FileError; InputError where the file is torn, does not
/// have `expected_digest` (SHA-256; "" if not known), or does not fit the spec it carries.
LoadedModel load_model(const std::string& path, const std::string& expected_digest = "");

/// The alternatives that can be made for a key of the schema ("model.name", "loss", "train.optimizer",
/// "train.schedule", "explain.method"); empty for any other.
std::vector<std::string> registered_choices(std::string_view key);

}  // namespace leadsweep
