#include "worker/model/predict.hpp"

#include <algorithm>

namespace leadsweep {

torch::Tensor gather_records(const RecordSource& records, std::span<const std::int32_t> indices) {
    const auto count = static_cast<std::int64_t>(indices.size());
    auto gathered = torch::empty({count, records.leads(), records.samples()}, torch::kFloat32);
    float* out = gathered.data_ptr<float>();
    for (const std::int32_t index : indices) {
        records.copy(index, out);
        out += records.leads() * records.samples();
    }
    return gathered;
}

torch::Tensor predict(Model& model, const RecordSource& records, std::span<const std::int32_t> indices,
                      std::int64_t batch, const std::function<void(double)>& on_progress) {
    const torch::NoGradGuard no_grad;
    model.eval();
    std::vector<torch::Tensor> logits;
    for (std::size_t first = 0; first < indices.size(); first += static_cast<std::size_t>(batch)) {
        const auto count = std::min(static_cast<std::size_t>(batch), indices.size() - first);
        logits.push_back(
            model.forward(gather_records(records, indices.subspan(first, count))).to(torch::kCPU, torch::kFloat32));
        if (on_progress) on_progress(static_cast<double>(first + count) / static_cast<double>(indices.size()));
    }
    if (logits.empty()) {
        const auto classes = model.named_parameters()["head.bias"].size(0);
        return torch::empty({0, classes}, torch::kFloat32);
    }
    return torch::cat(logits).contiguous();
}

torch::Tensor predict_shared(Model& model, const RecordSource& records, std::span<const std::int32_t> indices,
                             Communicator& communicator, std::int64_t batch,
                             const std::function<void(double)>& on_progress) {
    if (communicator.size() == 1) return predict(model, records, indices, batch, on_progress);
    // Equal shares, as all_gather wants: the last ones reach past the end and hold padding there.
    const auto ranks = static_cast<std::size_t>(communicator.size());
    const std::size_t share = (indices.size() + ranks - 1) / ranks;
    const std::size_t first = std::min(indices.size(), share * static_cast<std::size_t>(communicator.rank()));
    const std::size_t count = std::min(share, indices.size() - first);
    const auto mine = predict(model, records, indices.subspan(first, count), batch, on_progress);
    auto padded = torch::zeros({static_cast<std::int64_t>(share), mine.size(1)}, torch::kFloat32);
    padded.narrow(0, 0, static_cast<std::int64_t>(count)).copy_(mine);
    const auto all = communicator.all_gather(padded).reshape({-1, mine.size(1)});
    return all.narrow(0, 0, static_cast<std::int64_t>(indices.size())).contiguous();
}

}  // namespace leadsweep
