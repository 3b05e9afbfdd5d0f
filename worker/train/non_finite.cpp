#include "worker/train/non_finite.hpp"

#include <cmath>

#include <fmt/format.h>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr std::int64_t kNone = -1;

/// Row and column of the first row of [b, ...] that holds a value that is not finite; kNone where there is none.
std::pair<std::int64_t, std::int64_t> first_bad(const torch::Tensor& rows) {
    if (rows.numel() == 0) return {kNone, kNone};
    const auto by_column = torch::isfinite(rows.detach().to(torch::kCPU)).logical_not();
    const auto bad = by_column.dim() == 3 ? by_column.any(2) : by_column;  // [b, columns]
    const auto found = torch::nonzero(bad);
    if (found.size(0) == 0) return {kNone, kNone};
    return {found[0][0].item<std::int64_t>(), found[0][1].item<std::int64_t>()};
}

/// {record with bad samples, its lead, record with bad logits, its class} of this rank.
torch::Tensor local_findings(const Batch& batch, const std::vector<torch::Tensor>& logits) {
    std::vector<std::int64_t> found{kNone, kNone, kNone, kNone};
    for (std::size_t i = 0; i < batch.parts.size(); ++i) {
        const auto& part = batch.parts[i];
        const auto name_row = [&](const torch::Tensor& rows, std::size_t at) {
            const auto [row, column] = first_bad(rows);
            if (row == kNone || found[at] != kNone) return;
            found[at] = part.indices[static_cast<std::size_t>(row)];
            found[at + 1] = column;
        };
        name_row(part.records, 0);
        if (i < logits.size()) name_row(logits[i], 2);
    }
    return torch::tensor(found, torch::kInt64);
}

/// The first tensor, in the order of the backward pass, whose gradient is not finite; "" if all are.
std::string first_bad_gradient(const Model& model) {
    std::string name;
    for (const auto& item : model.named_parameters())
        if (!torch::isfinite(item.value().grad()).all().item<bool>()) name = item.key();
    return name;
}

}  // namespace

void throw_first_not_finite(const Batch& batch, const std::vector<torch::Tensor>& logits, double loss,
                            const Model& model, Communicator& communicator, const std::string& where) {
    const torch::NoGradGuard no_grad;
    const auto of_ranks = communicator.all_gather(local_findings(batch, logits));  // [k, 4]
    const auto first_of = [&](std::int64_t column) -> std::pair<std::int64_t, std::int64_t> {
        for (std::int64_t rank = 0; rank < of_ranks.size(0); ++rank)
            if (const auto record = of_ranks[rank][column].item<std::int64_t>(); record != kNone)
                return {record, of_ranks[rank][column + 1].item<std::int64_t>()};
        return {kNone, kNone};
    };
    if (const auto [record, lead] = first_of(0); record != kNone)
        throw JobError(FailureClass::kInvalid,
                       fmt::format("{}: record {} of the catalogue (counted from 0) holds a sample of its {}. lead "
                                   "that is not finite: `leadsweep data` names its file; repair or remove it",
                                   where, record, lead + 1));
    const auto advice = "try a smaller train.learning_rate, or train.clip_norm";
    if (const auto [record, output] = first_of(2); record != kNone)
        throw JobError(FailureClass::kDiverged,
                       fmt::format("{}: the logits are not finite, first of record {} (class {}): the weights have "
                                   "diverged in the step before; {}",
                                   where, record, output, advice));
    if (!std::isfinite(loss))
        throw JobError(FailureClass::kDiverged,
                       fmt::format("{}: the loss is {}, though all logits are finite; {}", where, loss, advice));
    const std::string tensor = first_bad_gradient(model);
    throw JobError(FailureClass::kDiverged, fmt::format("{}: the gradient of {} is not finite (loss {}); {}", where,
                                                        tensor.empty() ? "the sum of all" : tensor, loss, advice));
}

}  // namespace leadsweep
