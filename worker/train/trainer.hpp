// Training of one network on one fold: epochs over the training list, after each a look at the validation list that
// steers step size, early stopping and the choice of the best weights. The tested list is never touched here.
//
// Batches: an epoch's n records are cut into ceil(n / train.batch) batches whose sizes differ by at most one, so that
// every record is used once an epoch, no batch is larger than asked for, and none is so small that the statistics of
// BatchNorm or a batch-coupled loss rest on a handful of records. The cut does not depend on the number of workers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shared/job/fold_lists.hpp"
#include "shared/job/job_result.hpp"
#include "shared/job/job_spec.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/model/model.hpp"
#include "worker/model/record_source.hpp"
#include "worker/train/loss.hpp"
#include "worker/train/optimizer.hpp"

namespace leadsweep {

struct TrainData {
    const RecordSource& records;
    const FoldLists& lists;
    /// lists.train in the order of an epoch (from 1): equal on all ranks, a function of the epoch alone.
    std::function<std::vector<std::int32_t>(std::int64_t epoch)> epoch_order;
};

/// The named alternatives a spec asks for (worker/registry.hpp makes them).
struct TrainParts {
    Loss loss;
    std::function<std::unique_ptr<Optimizer>(FlatParameters&)> make_optimizer;
    std::unique_ptr<Schedule> schedule;
};

struct EpochScores {
    std::optional<double> macro_auroc;
    std::optional<double> macro_f1;
};

struct TrainProgress {
    std::string phase;  ///< "training" or "validating"
    std::int64_t epoch = 0;
    std::int64_t epochs = 0;
    double fraction = 0;
    double loss = 0;
    double records_per_s = 0;
};

/// What surrounds training. Hooks that are not set are not called; `score` must be set where train.monitor is no loss.
struct TrainHooks {
    /// Figures of logits [n, K] against labels [n, K]; called on rank 0 alone.
    std::function<EpochScores(std::span<const float> logits, std::span<const std::uint8_t> labels, std::int64_t records,
                              std::int64_t classes)>
        score;
    /// Asked after every step, on every rank; one rank's yes stops all of them after the same step.
    std::function<bool()> should_stop;
    std::function<void(const TrainProgress&)> on_progress;
    std::function<void(const Epoch&)> on_epoch;
    std::string train_key;
    std::string checkpoint_folder;  ///< rank 0 saves here after every epoch and when stopped; "": nothing is saved
    std::string resume_folder;      ///< rank 0 goes on from the checkpoint that lies here, if one does; "": anew
};

struct TrainOutcome {
    std::vector<Epoch> epochs;  ///< those of the attempts before included
    std::int64_t best_epoch = 0;
    double best_figure = 0;
    double seconds = 0;  ///< of this attempt
};

/// Collective. Trains `model` (on its device, which must be the communicator's) and leaves the weights of the best
/// epoch in it, in evaluation mode. Interrupted and resumed on one CPU device it computes the same bits as in one go.
/// Throws JobError: kDiverged (naming epoch and step) when loss or gradients are not finite, kInterrupted after
/// should_stop, with a checkpoint, kInvalid where the lists or the monitor cannot be used; CommError; FileError.
TrainOutcome train(Model& model, const TrainData& data, const JobSpec& spec, Communicator& communicator,
                   const TrainParts& parts, const TrainHooks& hooks);

/// Labels of the records `indices` as [n, K], float32.
torch::Tensor gather_targets(const FoldLists& lists, std::span<const std::int32_t> indices);

}  // namespace leadsweep
