// The contract of every communicator: collectives do on every rank what their names say. Catch's macros are not for
// several threads, so ranks count what they find wrong.
#pragma once

#include <atomic>

#include <torch/torch.h>

#include "worker/comm/communicator.hpp"

namespace leadsweep::test {

class Contract {
public:
    explicit Contract(int size) : size_(size) {}

    /// To be called on every rank of a gang of this size.
    void check(Communicator& gang) {
        expect(gang.size() == size_);
        for (const auto type : {torch::kFloat32, torch::kFloat64, torch::kInt64, torch::kUInt8}) {
            check_sums(gang, type);
            check_copies(gang, type);
        }
        ++visits;
        gang.barrier();
        expect(visits == size_);
    }

    std::atomic<int> wrong{0};
    std::atomic<int> visits{0};

private:
    void check_sums(Communicator& gang, torch::ScalarType type) {
        const int total = size_ * (size_ + 1) / 2;
        auto sum = torch::full({3, 2}, gang.rank() + 1, type);
        gang.all_reduce_sum_(sum);
        expect(is_equal(sum, torch::full({3, 2}, total, type)));
        auto part_of_more = torch::full({4, 4}, gang.rank() + 1, type);
        auto column = part_of_more.select(1, 2);
        gang.all_reduce_sum_(column);
        expect(part_of_more[0][2].item<int>() == total && part_of_more[0][1].item<int>() == gang.rank() + 1);
        auto megabytes = torch::full({1 << 18}, gang.rank() + 1, type);
        gang.all_reduce_sum_(megabytes);
        expect(megabytes[-1].item<int>() == total);
        auto scalar = torch::full({}, gang.rank() + 1, type);
        gang.all_reduce_sum_(scalar);
        expect(scalar.item<int>() == total);
        auto nothing = torch::empty({0}, type);
        gang.all_reduce_sum_(nothing);
        expect(nothing.numel() == 0);
    }

    void check_copies(Communicator& gang, torch::ScalarType type) {
        for (int root = 0; root < size_; ++root) {
            auto told = torch::full({5}, 10 * gang.rank(), type);
            gang.broadcast_(told, root);
            expect(is_equal(told, torch::full({5}, 10 * root, type)));
        }
        const auto all = gang.all_gather(torch::full({2}, gang.rank(), type));
        expect(is_equal(all, torch::arange(size_, type).unsqueeze(1).expand({size_, 2})));
    }

    static bool is_equal(const torch::Tensor& a, const torch::Tensor& b) {
        return a.dtype() == b.dtype() && torch::equal(a, b);
    }
    void expect(bool is_right) { wrong += is_right ? 0 : 1; }

    int size_;
};

}  // namespace leadsweep::test
