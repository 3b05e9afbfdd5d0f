#include "worker/train/trainer.hpp"

#include <chrono>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "shared/core/log.hpp"
#include "worker/model/predict.hpp"
#include "worker/train/autotune.hpp"
#include "worker/train/checkpoint.hpp"
#include "worker/train/precision.hpp"

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

BatchSettings batch_settings(const Model& model, const TrainData& data, const JobSpec& spec,
                             const Communicator& communicator) {
    BatchSettings settings;
    settings.batch = spec.train.batch;
    settings.micro_batch = spec.train.micro_batch;
    settings.rank = communicator.rank();
    settings.ranks = communicator.size();
    settings.device = model.device();
    settings.type = model.parameters().front().scalar_type();
    const auto bytes = data.lists.train.size() * sizeof(float) *
                       static_cast<std::size_t>(data.records.leads() * data.records.samples());
    settings.keeps_records_on_device = settings.device.is_cuda() && spec.resources.data_on_device == "auto" &&
                                       bytes < free_device_bytes(settings.device) / 2;
    return settings;
}

StepSettings step_settings(const Model& model, const JobSpec& spec) {
    return {spec.train.clip_norm, spec.train.precision == "bf16",
            model.device().is_cuda() && spec.resources.cuda_graph == "on"};
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
          precision_(spec.train.precision, model.device()),
          stream_(model.device()),
          step_(model, parts, communicator, step_settings(model, spec)),
          best_values_(parameters().values().clone()),
          best_buffers_(parameters().buffers().clone()),
          batches_(data, require_usable(batch_settings(model, data, spec, communicator))) {
        position_.learning_rate = spec.train.learning_rate;
        communicator_.broadcast_(parameters().values(), 0);
    }

    TrainOutcome run() {
        const auto start = Clock::now();
        resume();
        autotune();
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
        const auto first_batch = position_.batches_done;
        batches_.begin_epoch(position_.epoch, first_batch);
        step_.set_learning_rate(position_.learning_rate);
        model_.train();
        while (position_.batches_done < batches_.count()) {
            step_.start(batches_.next(), hooks_.should_stop && hooks_.should_stop());
            finish_step();
            report_training(first_batch);
        }
        train_seconds_ = seconds_since(epoch_start_);
        records_trained_ = train_size() - batches_.records_before(first_batch);
    }

    void finish_step() {
        const StepOutcome outcome = step_.finish();
        const auto done = position_.batches_done;
        const auto where = [&] { return fmt::format("epoch {}, step {}", position_.epoch, done + 1); };
        last_loss_ = outcome.loss;
        if (!outcome.is_finite) step_.throw_not_finite(where());
        position_.loss_sum +=
            outcome.loss * static_cast<double>(batches_.records_before(done + 1) - batches_.records_before(done));
        ++position_.batches_done;
        if (outcome.is_stop_wanted) {
            save();
            throw JobError(FailureClass::kInterrupted,
                           fmt::format("stopped in epoch {}, after step {}", position_.epoch, position_.batches_done));
        }
    }

    /// GPUs choose the order of images in memory; what an earlier attempt chose is kept.
    void autotune() {
        if (!model_.device().is_cuda() || spec_.resources.autotune != "on" || is_done()) return;
        if (position_.layout.empty()) {
            report("autotuning", 0);
            const auto buffers = parameters().buffers().clone();
            batches_.begin_epoch(1, 0);
            const Batch batch = batches_.next();
            model_.train();
            position_.layout = autotune_layout(
                model_, [&] { step_.gradients_of(batch); }, communicator_);
            const torch::NoGradGuard no_grad;
            parameters().buffers().copy_(buffers);
        }
        set_layout(model_, position_.layout);
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
            best_values_.copy_(parameters().values());
            best_buffers_.copy_(parameters().buffers());
        } else {
            ++position_.epochs_without_gain;
        }
        position_.learning_rate = parts_.schedule(
            {spec_.train.learning_rate, position_.learning_rate, is_gain, position_.epoch, spec_.train.epochs});
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

    const BatchSettings& require_usable(const BatchSettings& settings) const {
        if (data_.lists.train.empty() || data_.lists.validation.empty())
            throw JobError(FailureClass::kInvalid,
                           fmt::format("fold {} has {} training and {} validation records: neither may be empty",
                                       data_.lists.fold, data_.lists.train.size(), data_.lists.validation.size()));
        return settings;
    }

    NamedTensors tensors() {
        NamedTensors all{{"values", parameters().values()},
                         {"buffers", parameters().buffers()},
                         {"best.values", best_values_},
                         {"best.buffers", best_buffers_}};
        for (auto& item : step_.optimizer().state()) all.push_back(item);
        return all;
    }

    void save() {
        if (communicator_.rank() != 0 || hooks_.checkpoint_folder.empty()) return;
        const auto digest = save_checkpoint(hooks_.checkpoint_folder, hooks_.train_key, position_, tensors());
        if (hooks_.on_checkpoint) hooks_.on_checkpoint(std::ssize(position_.epochs), digest);
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
            parameters().values().copy_(best_values_);
            parameters().buffers().copy_(best_buffers_);
        }
        model_.eval();
    }

    void report_training(std::int64_t first_batch) {
        const auto done = batches_.records_before(position_.batches_done) - batches_.records_before(first_batch);
        speed_ = static_cast<double>(done) / seconds_since(epoch_start_);
        report("training", static_cast<double>(position_.batches_done) / static_cast<double>(batches_.count()));
    }
    void report(const char* phase, double fraction) const {
        if (hooks_.on_progress)
            hooks_.on_progress({phase, position_.epoch, spec_.train.epochs, fraction, last_loss_, speed_});
    }

    std::int64_t train_size() const { return static_cast<std::int64_t>(data_.lists.train.size()); }
    FlatParameters& parameters() { return step_.parameters(); }

    Model& model_;
    const TrainData& data_;
    const JobSpec& spec_;
    Communicator& communicator_;
    const TrainParts& parts_;
    const TrainHooks& hooks_;
    PrecisionScope precision_;
    StepStream stream_;
    TrainStep step_;
    torch::Tensor best_values_, best_buffers_;
    BatchSource batches_;
    TrainPosition position_;
    Clock::time_point epoch_start_{};
    double train_seconds_ = 0;
    std::int64_t records_trained_ = 0;
    double last_loss_ = 0;
    double speed_ = 0;
};

}  // namespace

TrainOutcome train(Model& model, const TrainData& data, const JobSpec& spec, Communicator& communicator,
                   const TrainParts& parts, const TrainHooks& hooks) {
    return Training(model, data, spec, communicator, parts, hooks).run();
}

}  // namespace leadsweep
