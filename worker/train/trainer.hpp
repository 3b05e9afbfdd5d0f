// Training of one network on one fold: epochs over the training list, after each a look at the validation list that
// steers step size, early stopping and the choice of the best weights. The tested list is never touched here.
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
#include "worker/train/train_step.hpp"

namespace leadsweep {

struct EpochScores {
    std::optional<double> macro_auroc;
    std::optional<double> macro_f1;
};

struct TrainProgress {
    std::string phase;  ///< "autotuning", "training" or "validating"
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
    /// A checkpoint is durable: completed epochs, SHA-256 of its file. Called on rank 0 alone.
    std::function<void(std::int64_t epochs, const std::string& digest)> on_checkpoint;
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
/// Resumed by another number of workers it agrees within rounding.
/// Throws JobError: kDiverged (naming epoch, step, record and tensor) when loss or gradients are not finite, kInvalid
/// where a record's samples are not, kInterrupted after should_stop, with a checkpoint, kInvalid where the lists, the
/// monitor or the precision cannot be used; CommError; FileError.
TrainOutcome train(Model& model, const TrainData& data, const JobSpec& spec, Communicator& communicator,
                   const TrainParts& parts, const TrainHooks& hooks);

}  // namespace leadsweep
