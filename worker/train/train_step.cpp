#include "worker/train/train_step.hpp"

#include <utility>

#include "shared/core/log.hpp"
#include "worker/train/non_finite.hpp"
#include "worker/train/precision.hpp"

namespace leadsweep {
namespace {

/// What the step's all-reduce carries besides gradients: so that all ranks see the same and act alike.
enum StepScalar : std::int64_t { kLoss, kStopRequests, kStepScalars };

constexpr int kEagerSteps = 3;

}  // namespace

TrainStep::TrainStep(Model& model, const TrainParts& parts, Communicator& communicator, StepSettings settings)
    : model_(model),
      parts_(parts),
      communicator_(communicator),
      settings_(settings),
      parameters_(model, kStepScalars),
      optimizer_(parts.make_optimizer(parameters_)),
      stop_wanted_(torch::zeros({1}, parameters_.values().options())),
      found_inf_(torch::zeros({}, parameters_.values().options().dtype(torch::kFloat32))) {
    model_.synchronise_batch_norm(&communicator_);
}

TrainStep::~TrainStep() {
    model_.synchronise_batch_norm(nullptr);
    model_.zero_grad();
}

void TrainStep::start(Batch batch, bool wants_stop) {
    {
        const torch::NoGradGuard no_grad;
        stop_wanted_.fill_(wants_stop ? 1 : 0);
    }
    current_ = std::move(batch);
    if (!settings_.is_graphed || current_.parts.size() != 1) {
        compute(current_);
        return;
    }
    Shape& shape = shapes_[{current_.parts.front().records.size(0), current_.global_size}];
    if (shape.is_eager_for_ever || shape.eager_steps < kEagerSteps) {
        ++shape.eager_steps;
        compute(current_);
        return;
    }
    replay(shape);
}

void TrainStep::replay(Shape& shape) {
    const auto& part = current_.parts.front();
    if (!shape.graph) {
        const auto device = model_.device();
        shape.fixed.global_size = current_.global_size;
        shape.fixed.parts = {{part.records.to(device).clone(), part.targets.to(device).clone(), part.indices}};
        try {
            shape.graph = capture_step([&] { compute(shape.fixed); });
        } catch (const c10::Error& error) {
            log::warning("the step cannot be captured as a CUDA graph, its operators are launched one by one: {}",
                         error.what_without_backtrace());
            shape.is_eager_for_ever = true;
            compute(current_);
            return;
        }
    }
    shape.fixed.parts.front().records.copy_(part.records, /*non_blocking=*/true);
    shape.fixed.parts.front().targets.copy_(part.targets, /*non_blocking=*/true);
    shape.graph->replay();
    communicator_.on_replay();
}

void TrainStep::compute(const Batch& batch) {
    add_gradients(batch);
    communicator_.all_reduce_sum_(parameters_.reduced());
    update();
}

double TrainStep::gradients_of(const Batch& batch) {
    add_gradients(batch);
    communicator_.all_reduce_sum_(parameters_.reduced());
    return parameters_.extra()[kLoss].item<double>();
}

torch::Tensor TrainStep::forward(const BatchPart& part) {
    const AutocastScope autocast(settings_.is_bf16, model_.device().type());
    return model_.forward(part.records);
}

torch::Tensor TrainStep::targets_on_device(const BatchPart& part) const {
    return part.targets.to(model_.device(), /*non_blocking=*/true);
}

/// Each part's share of the loss of the whole batch adds its own gradient.
void TrainStep::add_gradients(const Batch& batch) {
    parameters_.zero_gradients();
    logits_.clear();
    if (parts_.is_loss_batch_coupled && batch.parts.size() > 1) {
        add_gradients_of_coupled_loss(batch);
    } else {
        for (const auto& part : batch.parts) {
            const auto logits = forward(part);
            const auto share = parts_.loss(logits, targets_on_device(part), batch.global_size, communicator_);
            share.backward();
            parameters_.extra()[kLoss].add_(share.detach());
            logits_.push_back(logits.detach());
        }
    }
    const torch::NoGradGuard no_grad;
    parameters_.extra().narrow(0, kStopRequests, 1).copy_(stop_wanted_);
}

/// The loss needs all logits of the batch before the gradient of any of them is known: a first pass without gradients
/// finds them, the loss' gradient with respect to them is then carried back through a second one.
void TrainStep::add_gradients_of_coupled_loss(const Batch& batch) {
    std::vector<torch::Tensor> targets;
    {
        const torch::NoGradGuard no_grad;
        model_.observe_only(true);
        for (const auto& part : batch.parts) {
            logits_.push_back(forward(part));
            targets.push_back(targets_on_device(part));
        }
        model_.observe_only(false);
    }
    auto all_logits = torch::cat(logits_).detach().requires_grad_();
    const auto share = parts_.loss(all_logits, torch::cat(targets), batch.global_size, communicator_);
    share.backward();
    parameters_.extra()[kLoss].copy_(share.detach());
    std::int64_t row = 0;
    for (const auto& part : batch.parts) {
        const auto logits = forward(part);
        logits.backward(all_logits.grad().narrow(0, row, logits.size(0)));
        row += logits.size(0);
    }
}

void TrainStep::update() {
    const torch::NoGradGuard no_grad;
    found_inf_.copy_(torch::isfinite(parameters_.reduced().sum(torch::kFloat64)).logical_not());
    if (settings_.clip_norm > 0) clip_gradients(parameters_.gradients(), settings_.clip_norm);
    optimizer_->step(found_inf_);
}

StepOutcome TrainStep::finish() {
    const auto scalars =
        torch::cat({parameters_.extra().to(torch::kFloat64), found_inf_.to(torch::kFloat64).view({1})}).to(torch::kCPU);
    const StepOutcome outcome{scalars[kLoss].item<double>(), scalars[kStepScalars].item<double>() == 0,
                              scalars[kStopRequests].item<double>() != 0};
    // A GPU's all-reduce that broke leaves anything here: no conclusion is drawn from it.
    if (!outcome.is_finite || outcome.is_stop_wanted) communicator_.barrier();
    return outcome;
}

void TrainStep::throw_not_finite(const std::string& where) {
    const double loss = parameters_.extra()[kLoss].item<double>();
    throw_first_not_finite(current_, logits_, loss, model_, communicator_, where);
}

}  // namespace leadsweep
