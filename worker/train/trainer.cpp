#include "worker/train/trainer.hpp"

#include <chrono>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "shared/core/log.hpp"
#include "worker/dataset/sampler.hpp"
#include "worker/model/predict.hpp"
#include "worker/train/checkpoint.hpp"

namespace leadsweep {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
std::optional<double> present(double value) {
    return std::isnan(value) ? std::nullopt : std::optional(value);
}

/// What the step's all-reduce carries besides gradients: so that all ranks see the same and act alike.
enum StepScalar : std::int64_t { kLoss, kStopRequests, kStepScalars };

struct Batch {
    torch::Tensor records;  ///< [b, L, T]: this rank's part
    torch::Tensor targets;  ///< [b, K]
    std::int64_t global_size = 0;
};

/// Collective: rank 0's text on every rank.
std::string broadcast_text(std::string text, Communicator& communicator) {
    auto length = torch::tensor({static_cast<std::int64_t>(text.size())}, torch::kInt64);
    communicator.broadcast_(length, 0);
    text.resize(static_cast<std::size_t>(length.item<std::int64_t>()));
    if (text.empty()) return text;
    const auto count = static_cast<std::int64_t>(text.size());
    auto bytes = torch::from_blob(text.data(), {count}, torch::kUInt8);
    communicator.broadcast_(bytes, 0);
    return text;
}

class Training {
public:
    Training(Model& model, const TrainData& data, const JobSpec& spec, Communicator& communicator,
             const TrainParts& parts, const TrainHooks& hooks)
        : model_(model),
          data_(data),
          spec_(spec),
          communicator_(communicator),
          parts_(parts),
          hooks_(hooks),
          parameters_(model, kStepScalars),
          optimizer_(parts.make_optimizer(parameters_)),
          best_values_(parameters_.values().clone()),
          best_buffers_(parameters_.buffers().clone()) {
        position_.learning_rate = spec.train.learning_rate;
        require_usable_lists();
        model_.synchronise_batch_norm(&communicator_);
        communicator_.broadcast_(parameters_.values(), 0);
    }
    ~Training() {
        model_.synchronise_batch_norm(nullptr);
        model_.zero_grad();
    }

    TrainOutcome run() {
        const auto start = Clock::now();
        resume();
        while (!is_done()) {
            train_epoch();
            validate();
            save();
        }
        restore_best();
        return {position_.epochs, position_.best_epoch, position_.best_figure, seconds_since(start)};
    }

private:
    bool is_done() const {
        const bool is_patience_over = spec_.train.patience > 0 && position_.epochs_without_gain >= spec_.train.patience;
        return position_.epoch > spec_.train.epochs || is_patience_over;
    }

    void train_epoch() {
        epoch_start_ = Clock::now();
        const auto order = data_.epoch_order(position_.epoch);
        const auto batches = batch_count(train_size(), spec_.train.batch);
        model_.train();
        Batch batch = assemble(order, position_.batches_done);
        const auto first_batch = position_.batches_done;
        while (position_.batches_done < batches) {
            start_step(batch);
            const std::int64_t size = batch.global_size;
            // Assembled while a GPU still computes: its work is only queued so far.
            batch = assemble(order, position_.batches_done + 1);
            finish_step(size);
            report_training(first_batch, batches);
        }
        train_seconds_ = seconds_since(epoch_start_);
        records_trained_ = train_size() - batch_start(train_size(), spec_.train.batch, first_batch);
    }

    /// Gradients of the global batch, on every rank.
    void start_step(const Batch& batch) {
        parameters_.zero_gradients();
        const auto logits = model_.forward(batch.records);
        const auto share = parts_.loss(logits, batch.targets, batch.global_size, communicator_);
        share.backward();
        auto& extra = parameters_.extra();
        extra[kLoss].copy_(share.detach());
        if (hooks_.should_stop && hooks_.should_stop()) extra[kStopRequests].fill_(1);
        communicator_.all_reduce_sum_(parameters_.reduced());
    }

    void finish_step(std::int64_t size) {
        const auto sum = parameters_.reduced().sum(torch::kFloat64);
        const auto scalars = torch::cat({parameters_.extra().to(torch::kFloat64), sum.view({1})}).to(torch::kCPU);
        last_loss_ = scalars[kLoss].item<double>();
        const bool is_finite = std::isfinite(scalars[kStepScalars].item<double>());
        const bool is_stop = scalars[kStopRequests].item<double>() != 0;
        // A GPU's all-reduce that broke leaves anything here: no conclusion is drawn from it.
        if (!is_finite || is_stop) communicator_.barrier();
        if (!is_finite)
            throw JobError(
                FailureClass::kDiverged,
                fmt::format("loss or gradients are not finite (loss {}) in epoch {}, step {}: try a smaller "
                            "train.learning_rate (now {})",
                            last_loss_, position_.epoch, position_.batches_done + 1, position_.learning_rate));
        optimizer_->step(position_.learning_rate);
        position_.loss_sum += last_loss_ * static_cast<double>(size);
        ++position_.batches_done;
        if (is_stop) {
            save();
            throw JobError(FailureClass::kInterrupted,
                           fmt::format("stopped in epoch {}, after step {}", position_.epoch, position_.batches_done));
        }
    }

    /// Looks at the validation list and closes the epoch: best weights, step size, patience.
    void validate() {
        const Epoch figures = figures_of_validation();
        const auto monitored = monitored_figure(figures);
        const bool is_lower_better = spec_.train.monitor == "loss";
        const bool is_gain = position_.best_epoch == 0 ||
                             (is_lower_better ? monitored < position_.best_figure : monitored > position_.best_figure);
        Epoch epoch = figures;
        epoch.epoch = position_.epoch;
        epoch.train_loss = position_.loss_sum / static_cast<double>(train_size());
        epoch.learning_rate = position_.learning_rate;
        epoch.seconds = seconds_since(epoch_start_);
        epoch.records_per_s = static_cast<double>(records_trained_) / train_seconds_;
        epoch.is_best = is_gain;
        position_.epochs.push_back(epoch);
        if (is_gain) {
            position_.best_epoch = position_.epoch;
            position_.best_figure = monitored;
            position_.epochs_without_gain = 0;
            best_values_.copy_(parameters_.values());
            best_buffers_.copy_(parameters_.buffers());
        } else {
            ++position_.epochs_without_gain;
        }
        position_.learning_rate = parts_.schedule->next(position_.learning_rate, is_gain);
        ++position_.epoch;
        position_.batches_done = 0;
        position_.loss_sum = 0;
        if (hooks_.on_epoch) hooks_.on_epoch(epoch);
    }

    /// Loss and scores of the validation list: computed by rank 0, known to all.
    Epoch figures_of_validation() {
        const auto& indices = data_.lists.validation;
        const auto logits = predict_shared(*model_.fold(), data_.records, indices, communicator_, kInferenceBatch,
                                           [&](double fraction) { report("validating", fraction); });
        auto figures = torch::full({3}, kMissing, torch::kFloat64);
        if (communicator_.rank() == 0) {
            const torch::NoGradGuard no_grad;
            const auto targets = gather_targets(data_.lists, indices);
            const auto alone = make_local_communicator();
            figures[0] = parts_.loss(logits, targets, logits.size(0), *alone).item<double>();
            if (hooks_.score) {
                const auto labels = targets.to(torch::kUInt8).contiguous();
                const auto scores =
                    hooks_.score({logits.const_data_ptr<float>(), static_cast<std::size_t>(logits.numel())},
                                 {labels.const_data_ptr<std::uint8_t>(), static_cast<std::size_t>(labels.numel())},
                                 logits.size(0), logits.size(1));
                figures[1] = scores.macro_auroc.value_or(kMissing);
                figures[2] = scores.macro_f1.value_or(kMissing);
            }
        }
        communicator_.broadcast_(figures, 0);
        Epoch epoch;
        epoch.validation_loss = present(figures[0].item<double>());
        epoch.macro_auroc = present(figures[1].item<double>());
        epoch.macro_f1 = present(figures[2].item<double>());
        return epoch;
    }

    double monitored_figure(const Epoch& epoch) const {
        const auto& monitor = spec_.train.monitor;
        if (monitor == "loss") {
            if (!epoch.validation_loss || !std::isfinite(*epoch.validation_loss))
                throw JobError(FailureClass::kDiverged,
                               fmt::format("the validation loss is not finite after epoch {}", position_.epoch));
            return *epoch.validation_loss;
        }
        const auto figure = monitor == "macro_f1" ? epoch.macro_f1 : epoch.macro_auroc;
        if (!figure)
            throw JobError(
                FailureClass::kInvalid,
                fmt::format("train.monitor: {} has no value on the validation fold ({} records): no class has "
                            "both positives and negatives there; use train.monitor: loss, or fewer folds",
                            monitor, data_.lists.validation.size()));
        return *figure;
    }

    /// This rank's part of batch `index`; an empty one past the end of the epoch.
    Batch assemble(const std::vector<std::int32_t>& order, std::int64_t index) const {
        if (index >= batch_count(train_size(), spec_.train.batch)) return {};
        const auto first = batch_start(train_size(), spec_.train.batch, index);
        const auto size = batch_start(train_size(), spec_.train.batch, index + 1) - first;
        const Share mine = share_of(size, communicator_.rank(), communicator_.size());
        const auto part = std::span(order).subspan(static_cast<std::size_t>(first + mine.begin),
                                                   static_cast<std::size_t>(mine.end - mine.begin));
        const auto device = model_.device();
        const auto type = parameters_type();
        return {gather_records(data_.records, part).to(device, type),
                gather_targets(data_.lists, part).to(device, type), size};
    }

    void require_usable_lists() const {
        if (data_.lists.train.empty() || data_.lists.validation.empty())
            throw JobError(FailureClass::kInvalid,
                           fmt::format("fold {} has {} training and {} validation records: neither may be empty",
                                       data_.lists.fold, data_.lists.train.size(), data_.lists.validation.size()));
        const auto smallest = train_size() / batch_count(train_size(), spec_.train.batch);
        if (smallest < communicator_.size())
            throw JobError(
                FailureClass::kInvalid,
                fmt::format("batches of {} records cannot be divided among {} devices: lower resources.devices "
                            "or raise train.batch",
                            smallest, communicator_.size()));
    }

    NamedTensors tensors() {
        NamedTensors all{{"values", parameters_.values()},
                         {"buffers", parameters_.buffers()},
                         {"best.values", best_values_},
                         {"best.buffers", best_buffers_}};
        for (auto& item : optimizer_->state()) all.push_back(item);
        return all;
    }

    void save() {
        if (communicator_.rank() != 0 || hooks_.checkpoint_folder.empty()) return;
        save_checkpoint(hooks_.checkpoint_folder, hooks_.train_key, position_, tensors());
    }

    /// Rank 0 reads; where that fails, all ranks must leave together: the others learn it from the broken group.
    void resume() {
        std::string text;
        if (communicator_.rank() == 0 && !hooks_.resume_folder.empty())
            if (const auto found = load_checkpoint(hooks_.resume_folder, hooks_.train_key, tensors()))
                text = to_text(*found);
        text = broadcast_text(std::move(text), communicator_);
        if (text.empty()) return;
        position_ = train_position_from(text);
        for (auto& [name, tensor] : tensors()) communicator_.broadcast_(tensor, 0);
        log::info("resumed in epoch {}, after {} batches", position_.epoch, position_.batches_done);
    }

    void restore_best() {
        const torch::NoGradGuard no_grad;
        if (position_.best_epoch > 0) {
            parameters_.values().copy_(best_values_);
            parameters_.buffers().copy_(best_buffers_);
        }
        model_.eval();
    }

    void report_training(std::int64_t first_batch, std::int64_t batches) {
        const auto done = batch_start(train_size(), spec_.train.batch, position_.batches_done) -
                          batch_start(train_size(), spec_.train.batch, first_batch);
        speed_ = static_cast<double>(done) / seconds_since(epoch_start_);
        report("training", static_cast<double>(position_.batches_done) / static_cast<double>(batches));
    }
    void report(const char* phase, double fraction) const {
        if (hooks_.on_progress)
            hooks_.on_progress({phase, position_.epoch, spec_.train.epochs, fraction, last_loss_, speed_});
    }

    std::int64_t train_size() const { return static_cast<std::int64_t>(data_.lists.train.size()); }
    torch::ScalarType parameters_type() const { return best_values_.scalar_type(); }

    Model& model_;
    const TrainData& data_;
    const JobSpec& spec_;
    Communicator& communicator_;
    const TrainParts& parts_;
    const TrainHooks& hooks_;
    FlatParameters parameters_;
    std::unique_ptr<Optimizer> optimizer_;
    torch::Tensor best_values_, best_buffers_;
    TrainPosition position_;
    Clock::time_point epoch_start_{};
    double train_seconds_ = 0;
    std::int64_t records_trained_ = 0;
    double last_loss_ = 0;
    double speed_ = 0;
};

}  // namespace

torch::Tensor gather_targets(const FoldLists& lists, std::span<const std::int32_t> indices) {
    const auto count = static_cast<std::int64_t>(indices.size());
    auto targets = torch::empty({count, lists.class_count}, torch::kFloat32);
    float* out = targets.data_ptr<float>();
    for (const std::int32_t index : indices)
        for (std::int64_t k = 0; k < lists.class_count; ++k)
            *out++ = lists.labels[static_cast<std::size_t>(index * lists.class_count + k)];
    return targets;
}

TrainOutcome train(Model& model, const TrainData& data, const JobSpec& spec, Communicator& communicator,
                   const TrainParts& parts, const TrainHooks& hooks) {
    return Training(model, data, spec, communicator, parts, hooks).run();
}

}  // namespace leadsweep
