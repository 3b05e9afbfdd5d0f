#include "worker/train/loss.hpp"

#include <memory>

namespace leadsweep {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr double kF1Epsilon = 1e-16;
constexpr double kFocalGamma = 2.0;

class SumOverRanks : public Function<SumOverRanks> {
public:
    static torch::Tensor forward(AutogradContext*, const torch::Tensor& local, Communicator* communicator) {
        auto sum = local.clone();
        communicator->all_reduce_sum_(sum);
        return sum;
    }
    static variable_list backward(AutogradContext*, variable_list gradients) { return {gradients[0], {}}; }
};

/// A loss that every rank knows in full, as a share: a k-th of its value, all of this rank's gradient.
torch::Tensor share_of_common(const torch::Tensor& loss, int size) {
    if (size == 1) return loss;
    return loss - loss.detach() * (1.0 - 1.0 / size);
}

torch::Tensor at_least_float32(const torch::Tensor& logits) {
    return logits.scalar_type() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
}

/// Sums over the global batch of true and false, positives and negatives, weighted by probability: each [K].
struct SoftCounts {
    torch::Tensor true_positive, false_positive, false_negative, true_negative;
};

SoftCounts count_softly(const torch::Tensor& raw_logits, const torch::Tensor& raw_targets, Communicator& communicator) {
    const auto logits = at_least_float32(raw_logits);
    const auto positive = raw_targets.to(logits.scalar_type());
    const auto negative = 1 - positive;
    const auto said_yes = torch::sigmoid(logits);
    const auto said_no = torch::sigmoid(-logits);  // exact where 1 - p would cancel
    const auto counts = sum_over_ranks(torch::stack({(said_yes * positive).sum(0), (said_yes * negative).sum(0),
                                                     (said_no * positive).sum(0), (said_no * negative).sum(0)}),
                                       communicator);
    return {counts[0], counts[1], counts[2], counts[3]};
}

torch::Tensor soft_f1(const torch::Tensor& right, const torch::Tensor& wrong) {
    return 2 * right / (2 * right + wrong + kF1Epsilon);
}

}  // namespace

torch::Tensor sum_over_ranks(const torch::Tensor& local, Communicator& communicator) {
    return communicator.size() == 1 ? local : SumOverRanks::apply(local, &communicator);
}

torch::Tensor bce_share(const torch::Tensor& raw_logits, const torch::Tensor& targets, std::int64_t global_batch,
                        Communicator&) {
    const auto logits = at_least_float32(raw_logits);
    const auto sum = torch::binary_cross_entropy_with_logits(logits, targets.to(logits.scalar_type()), {}, {},
                                                             torch::Reduction::Sum);
    return sum / static_cast<double>(global_batch * logits.size(1));
}

Loss bce_share_weighted(const std::vector<double>& positive_weights) {
    // Kept on the device of the logits: a step that is captured into a CUDA graph may copy nothing from the host.
    auto weights = std::make_shared<torch::Tensor>(torch::tensor(positive_weights, torch::kFloat64));
    return [weights](const torch::Tensor& raw_logits, const torch::Tensor& targets, std::int64_t global_batch,
                     Communicator&) {
        const auto logits = at_least_float32(raw_logits);
        if (weights->device() != logits.device() || weights->scalar_type() != logits.scalar_type())
            *weights = weights->to(logits.device(), logits.scalar_type());
        const auto sum = torch::binary_cross_entropy_with_logits(logits, targets.to(logits.scalar_type()), {}, *weights,
                                                                 torch::Reduction::Sum);
        return sum / static_cast<double>(global_batch * logits.size(1));
    };
}

torch::Tensor focal_share(const torch::Tensor& raw_logits, const torch::Tensor& raw_targets, std::int64_t global_batch,
                          Communicator&) {
    const auto logits = at_least_float32(raw_logits);
    const auto targets = raw_targets.to(logits.scalar_type());
    const auto cross_entropy = torch::binary_cross_entropy_with_logits(logits, targets, {}, {}, torch::Reduction::None);
    const auto missed = torch::sigmoid(logits * (1 - 2 * targets));  // 1 - p_t
    return (missed.pow(kFocalGamma) * cross_entropy).sum() / static_cast<double>(global_batch * logits.size(1));
}

torch::Tensor soft_f1_share(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t,
                            Communicator& communicator) {
    const auto counts = count_softly(logits, targets, communicator);
    const auto loss = 1 - soft_f1(counts.true_positive, counts.false_negative + counts.false_positive);
    return share_of_common(loss.mean(), communicator.size());
}

torch::Tensor double_soft_f1_share(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t,
                                   Communicator& communicator) {
    const auto counts = count_softly(logits, targets, communicator);
    const auto wrong = counts.false_negative + counts.false_positive;
    const auto loss = 1 - 0.5 * (soft_f1(counts.true_positive, wrong) + soft_f1(counts.true_negative, wrong));
    return share_of_common(loss.mean(), communicator.size());
}

}  // namespace leadsweep
