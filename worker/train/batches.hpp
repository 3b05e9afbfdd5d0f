// The batches of an epoch as one rank sees them: cut, shared out and assembled while the step before is computed.
//
// Batches: an epoch's n records are cut into ceil(n / train.batch) batches whose sizes differ by at most one, so that
// every record is used once an epoch, no batch is larger than asked for, and none is so small that the statistics of
// BatchNorm or a batch-coupled loss rest on a handful of records. A batch is cut into micro-batches in the same way.
// Neither cut depends on the number of workers: each part is then shared out, and a rank's share may be empty.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <span>
#include <vector>

#include <torch/torch.h>

#include "shared/job/fold_lists.hpp"
#include "worker/model/record_source.hpp"

namespace leadsweep {

struct TrainData {
    const RecordSource& records;
    const FoldLists& lists;
    /// lists.train in the order of an epoch (from 1): equal on all ranks, a function of the epoch alone.
    std::function<std::vector<std::int32_t>(std::int64_t epoch)> epoch_order;
};

/// This rank's share of one batch, or of one of its micro-batches.
struct BatchPart {
    torch::Tensor records;              ///< [b, L, T]
    torch::Tensor targets;              ///< [b, K]
    std::vector<std::int32_t> indices;  ///< b rows of the record source
};

struct Batch {
    std::vector<BatchPart> parts;  ///< one, or as many as there are micro-batches
    std::int64_t global_size = 0;  ///< records over all parts and ranks
};

struct BatchSettings {
    std::int64_t batch = 32;
    std::int64_t micro_batch = 0;  ///< 0: batches are not cut
    int rank = 0;
    int ranks = 1;
    torch::Device device = torch::kCPU;
    torch::ScalarType type = torch::kFloat32;
    bool keeps_records_on_device = false;  ///< all training records are moved there at once
};

class BatchSource {
public:
    BatchSource(const TrainData& data, const BatchSettings& settings);

    /// The next batches are those of this epoch from `first` on.
    void begin_epoch(std::int64_t epoch, std::int64_t first);
    /// The next batch of the epoch; the one after it is assembled by another thread meanwhile. Not to be called past
    /// the last one.
    Batch next();
    /// Batches of an epoch.
    std::int64_t count() const;
    /// Records of an epoch before batch `index`.
    std::int64_t records_before(std::int64_t index) const;

private:
    Batch assemble(std::int64_t index) const;
    BatchPart assemble_part(std::int64_t first, std::int64_t size) const;
    std::int64_t train_size() const { return static_cast<std::int64_t>(data_.lists.train.size()); }

    const TrainData& data_;
    BatchSettings settings_;
    std::vector<std::int32_t> order_;
    std::int64_t next_ = 0;
    torch::Tensor kept_records_;           ///< [n, L, T] on the device; undefined if records are read each time
    torch::Tensor kept_targets_;           ///< [n, K]
    std::vector<std::int64_t> kept_rows_;  ///< row in the kept tensors of each record of the source
    std::future<Batch> ahead_;             ///< last: its thread reads the members above
};

/// Labels of the records `indices` as [n, K], float32.
torch::Tensor gather_targets(const FoldLists& lists, std::span<const std::int32_t> indices);

/// negatives / positives of each class among the training records [K]; 1 for a class without positives or negatives.
std::vector<double> balanced_weights(const FoldLists& lists);

}  // namespace leadsweep
