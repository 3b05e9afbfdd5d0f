// Small made-up records, labels and jobs on which training takes milliseconds.
#pragma once

#include <cstring>
#include <numeric>
#include <vector>

#include <torch/torch.h>

#include "shared/job/fold_lists.hpp"
#include "shared/job/job_spec.hpp"
#include "worker/model/record_source.hpp"

namespace leadsweep::test {

class RecordsInMemory final : public RecordSource {
public:
    explicit RecordsInMemory(const torch::Tensor& all) : all_(all.contiguous()) {}
    std::int64_t leads() const override { return all_.size(1); }
    std::int64_t samples() const override { return all_.size(2); }
    void copy(std::int64_t record, float* out) const override {
        std::memcpy(out, all_[record].const_data_ptr(), all_[record].nbytes());
    }

private:
    torch::Tensor all_;  ///< [N, L, T]
};

/// 60 records of noise, 3 leads x 32 samples; class k (of 3) adds a bump to lead k in the samples 8 to 15.
struct SmallProblem {
    torch::Tensor signals;
    FoldLists lists;

    SmallProblem() {
        auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{11});
        constexpr std::int64_t kRecords = 60;
        constexpr std::int64_t kClasses = 3;
        signals = torch::empty({kRecords, 3, 32}).normal_(0, 1, generator);
        const auto labels = torch::empty({kRecords, kClasses}).bernoulli_(0.4, generator);
        lists.record_count = kRecords;
        lists.class_count = kClasses;
        for (std::int64_t n = 0; n < kRecords; ++n)
            for (std::int64_t k = 0; k < kClasses; ++k) {
                const bool is_positive = labels[n][k].item<float>() > 0;
                lists.labels.push_back(is_positive ? 1 : 0);
                if (is_positive) signals[n][k].slice(0, 8, 16).add_(3);
            }
        lists.train.resize(36);
        std::iota(lists.train.begin(), lists.train.end(), 0);
        lists.validation.resize(12);
        std::iota(lists.validation.begin(), lists.validation.end(), 36);
        lists.test.resize(12);
        std::iota(lists.test.begin(), lists.test.end(), 48);
    }

    static JobSpec spec() {
        JobSpec spec;
        spec.data.leads = {"I", "II", "III"};
        spec.model.depth = 3;
        spec.model.filters = 4;
        spec.model.bottleneck = 4;
        spec.model.kernels = {8, 5};
        spec.train.batch = 8;
        spec.train.epochs = 3;
        spec.train.learning_rate = 1e-2;
        spec.train.bn_momentum = 0.1;
        spec.train.monitor = "loss";
        return spec;
    }
};

}  // namespace leadsweep::test
