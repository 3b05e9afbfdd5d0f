#include "worker/train/batches.hpp"

#include <algorithm>
#include <utility>

#include "worker/dataset/sampler.hpp"
#include "worker/model/predict.hpp"

namespace leadsweep {

BatchSource::BatchSource(const TrainData& data, const BatchSettings& settings) : data_(data), settings_(settings) {
    if (!settings_.keeps_records_on_device) return;
    const auto& train = data_.lists.train;
    kept_records_ = gather_records(data_.records, train).to(settings_.device, settings_.type);
    kept_targets_ = gather_targets(data_.lists, train).to(settings_.device, settings_.type);
    kept_rows_.resize(static_cast<std::size_t>(data_.lists.record_count));
    for (std::size_t row = 0; row < train.size(); ++row)
        kept_rows_[static_cast<std::size_t>(train[row])] = static_cast<std::int64_t>(row);
}

std::int64_t BatchSource::count() const {
    return batch_count(train_size(), settings_.batch);
}

std::int64_t BatchSource::records_before(std::int64_t index) const {
    return batch_start(train_size(), settings_.batch, index);
}

void BatchSource::begin_epoch(std::int64_t epoch, std::int64_t first) {
    if (ahead_.valid()) ahead_.wait();
    ahead_ = {};
    order_ = data_.epoch_order(epoch);
    next_ = first;
}

Batch BatchSource::next() {
    Batch batch = ahead_.valid() ? ahead_.get() : assemble(next_);
    ++next_;
    // What lies on a GPU already is chosen by the thread whose stream uses it: that takes no time of the host.
    if (next_ < count() && !kept_records_.defined())
        ahead_ = std::async(std::launch::async, [this, index = next_] { return assemble(index); });
    return batch;
}

Batch BatchSource::assemble(std::int64_t index) const {
    const std::int64_t first = records_before(index);
    Batch batch;
    batch.global_size = records_before(index + 1) - first;
    const std::int64_t most = settings_.micro_batch > 0 ? settings_.micro_batch : batch.global_size;
    const std::int64_t parts = batch_count(batch.global_size, most);
    for (std::int64_t part = 0; part < parts; ++part) {
        const std::int64_t begin = batch_start(batch.global_size, most, part);
        batch.parts.push_back(assemble_part(first + begin, batch_start(batch.global_size, most, part + 1) - begin));
    }
    return batch;
}

BatchPart BatchSource::assemble_part(std::int64_t first, std::int64_t size) const {
    const Share mine = share_of(size, settings_.rank, settings_.ranks);
    BatchPart part;
    part.indices.assign(order_.begin() + first + mine.begin, order_.begin() + first + mine.end);
    if (kept_records_.defined()) {
        std::vector<std::int64_t> rows;
        for (const std::int32_t index : part.indices) rows.push_back(kept_rows_[static_cast<std::size_t>(index)]);
        const auto chosen = torch::tensor(rows, torch::kInt64).to(settings_.device);
        part.records = kept_records_.index_select(0, chosen);
        part.targets = kept_targets_.index_select(0, chosen);
        return part;
    }
    // Records stay on the host until the network takes them: of the parts of a batch, one at a time needs the device.
    part.records = gather_records(data_.records, part.indices);
    part.targets = gather_targets(data_.lists, part.indices).to(settings_.type);
    if (settings_.device.is_cuda()) part.records = part.records.pin_memory();
    return part;
}

torch::Tensor gather_targets(const FoldLists& lists, std::span<const std::int32_t> indices) {
    const auto count = static_cast<std::int64_t>(indices.size());
    auto targets = torch::empty({count, lists.class_count}, torch::kFloat32);
    float* out = targets.data_ptr<float>();
    for (const std::int32_t index : indices)
        for (std::int64_t k = 0; k < lists.class_count; ++k)
            *out++ = lists.labels[static_cast<std::size_t>(index * lists.class_count + k)];
    return targets;
}

std::vector<double> balanced_weights(const FoldLists& lists) {
    const auto targets = gather_targets(lists, lists.train).to(torch::kFloat64);
    const auto positives = targets.sum(0);
    const auto negatives = targets.size(0) - positives;
    std::vector<double> weights;
    for (std::int64_t k = 0; k < lists.class_count; ++k) {
        const double with = positives[k].item<double>();
        const double without = negatives[k].item<double>();
        weights.push_back(with > 0 && without > 0 ? without / with : 1.0);
    }
    return weights;
}

}  // namespace leadsweep
