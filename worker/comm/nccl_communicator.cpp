#include "worker/comm/nccl_communicator.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <torch/torch.h>

namespace leadsweep {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t count_of(const torch::Tensor& tensor) {
    return static_cast<std::size_t>(tensor.numel());
}

/// Collectives are queued on the current stream. The watching thread aborts the communicator when a rank has failed or
/// a collective does not end, which also ends the kernels that wait for a lost peer.
class NcclCommunicator final : public Communicator {
public:
    NcclCommunicator(NcclFunctions nccl, GpuFunctions gpu, const NcclId& id, int rank, int size,
                     std::chrono::milliseconds patience, NcclTimes times)
        : nccl_(std::move(nccl)), gpu_(std::move(gpu)), times_(times), rank_(rank), size_(size) {
        try {
            settle(nccl_.init_rank(&comm_, size, id, rank), "joining", Clock::now() + patience);
        } catch (...) {
            abort_locked();
            throw;
        }
        watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
    }

    ~NcclCommunicator() override {
        watcher_.request_stop();
        if (watcher_.joinable()) watcher_.join();
        leave();
    }

    int rank() const override { return rank_; }
    int size() const override { return size_; }

    void all_reduce_sum_(torch::Tensor& tensor) override {
        auto moved = on_device(tensor);
        enqueue("all-reduce", [&] {
            return nccl_.all_reduce_sum(moved.const_data_ptr(), moved.mutable_data_ptr(), count_of(moved),
                                        moved.scalar_type(), comm_, gpu_.stream());
        });
        copy_back(moved, tensor);
    }

    void broadcast_(torch::Tensor& tensor, int root) override {
        auto moved = on_device(tensor);
        enqueue("broadcast", [&] {
            return nccl_.broadcast(moved.const_data_ptr(), moved.mutable_data_ptr(), count_of(moved),
                                   moved.scalar_type(), root, comm_, gpu_.stream());
        });
        copy_back(moved, tensor);
    }

    torch::Tensor all_gather(const torch::Tensor& tensor) override {
        const auto moved = on_device(tensor);
        std::vector<std::int64_t> shape{size_};
        shape.insert(shape.end(), moved.sizes().begin(), moved.sizes().end());
        auto gathered = torch::empty(shape, moved.options());
        enqueue("all-gather", [&] {
            return nccl_.all_gather(moved.const_data_ptr(), gathered.mutable_data_ptr(), count_of(moved),
                                    moved.scalar_type(), comm_, gpu_.stream());
        });
        if (gpu_.holds(tensor)) return gathered;
        wait_for_queue();
        return gathered.to(tensor.device());
    }

    void barrier() override {
        auto one = gpu_.upload(torch::ones({1}, torch::kFloat32));
        enqueue("barrier", [&] {
            return nccl_.all_reduce_sum(one.const_data_ptr(), one.mutable_data_ptr(), 1, one.scalar_type(), comm_,
                                        gpu_.stream());
        });
        wait_for_queue();
    }

    void on_replay() override {
        const std::lock_guard lock(mutex_);
        if (comm_ == nullptr) throw CommError(why_ended_);
        mark_queued();
    }

    void abort() noexcept override {
        is_abort_wanted_ = true;
        const std::lock_guard lock(mutex_);
        abort_locked();
    }

private:
    torch::Tensor on_device(const torch::Tensor& tensor) const {
        return gpu_.holds(tensor) ? tensor.detach().contiguous() : gpu_.upload(tensor.detach());
    }

    /// A tensor of the host is complete when its collective returns; one of the GPU is only queued.
    void copy_back(const torch::Tensor& moved, torch::Tensor& tensor) {
        if (!gpu_.holds(tensor)) wait_for_queue();
        if (moved.const_data_ptr() != tensor.const_data_ptr()) tensor.detach().copy_(moved);
    }

    /// An aborted communicator leaves anything in its tensors: no caller may take that for a result.
    void wait_for_queue() {
        gpu_.synchronise();
        const std::lock_guard lock(mutex_);
        if (comm_ != nullptr) end_if_broken();
        if (comm_ == nullptr) throw CommError(why_ended_);
    }

    template <class Collective>
    void enqueue(const char* name, Collective&& collective) {
        const std::lock_guard lock(mutex_);
        if (comm_ == nullptr) throw CommError(why_ended_);
        try {
            settle(collective(), name, Clock::now() + times_.collective);
        } catch (const CommError& error) {
            why_ended_ = error.what();
            abort_locked();
            throw;
        }
        if (!gpu_.is_capturing()) mark_queued();
    }

    void mark_queued() {
        gpu_.mark();
        is_marked_ = true;
        last_started_ = Clock::now();
    }

    /// A non-blocking communicator answers "in progress" until the call has really been made.
    void settle(NcclResult result, const char* what, Clock::time_point deadline) const {
        while (result == NcclResult::kInProgress) {
            if (is_abort_wanted_) throw CommError(fmt::format("NCCL: {} was ended on request", what));
            if (Clock::now() >= deadline)
                throw CommError(fmt::format("NCCL: {} of rank {} of {} did not end in time", what, rank_, size_));
            std::this_thread::sleep_for(times_.poll);
            const NcclResult asked = nccl_.async_error(comm_, &result);
            if (asked != NcclResult::kSuccess) result = asked;
        }
        if (result != NcclResult::kSuccess)
            throw CommError(
                fmt::format("NCCL: {} of rank {} of {}: {}", what, rank_, size_, nccl_.error_text(result)));
    }

    void watch(const std::stop_token& stop) {
        std::condition_variable_any wake;
        std::mutex asleep;
        std::unique_lock sleeping(asleep);
        while (!wake.wait_for(sleeping, stop, times_.watch, [] { return false; }) && !stop.stop_requested()) {
            const std::lock_guard lock(mutex_);
            if (comm_ == nullptr) return;
            end_if_broken();
        }
    }

    void end_if_broken() {
        NcclResult state = NcclResult::kSuccess;
        const NcclResult asked = nccl_.async_error(comm_, &state);
        if (asked != NcclResult::kSuccess) state = asked;
        const bool is_broken = state != NcclResult::kSuccess && state != NcclResult::kInProgress;
        const bool is_stuck =
            is_marked_ && Clock::now() - last_started_ > times_.collective && !gpu_.is_mark_reached();
        if (!is_broken && !is_stuck) return;
        why_ended_ = is_stuck ? "NCCL: a collective did not end in time: a peer is gone or stuck"
                              : fmt::format("NCCL: {}", nccl_.error_text(state));
        abort_locked();
    }

    /// In good order where nothing went wrong, so that what other ranks still have queued with this one is completed.
    void leave() noexcept {
        if (comm_ == nullptr) return;
        try {
            settle(nccl_.finalize(comm_), "leaving", Clock::now() + times_.leave);
            nccl_.destroy(comm_);
            comm_ = nullptr;
        } catch (const CommError&) {
            abort_locked();
        }
    }

    void abort_locked() noexcept {
        if (comm_ == nullptr) return;
        nccl_.abort(comm_);
        comm_ = nullptr;
    }

    NcclFunctions nccl_;
    GpuFunctions gpu_;
    NcclTimes times_;
    int rank_;
    int size_;
    std::atomic<bool> is_abort_wanted_{false};
    std::mutex mutex_;
    NcclComm comm_ = nullptr;
    std::string why_ended_ = "NCCL: the group has been ended";
    bool is_marked_ = false;
    Clock::time_point last_started_{};
    std::jthread watcher_;
};

}  // namespace

std::unique_ptr<Communicator> join_nccl_group(NcclFunctions nccl, GpuFunctions gpu, const NcclId& id, int rank,
                                              int size, std::chrono::milliseconds patience, NcclTimes times) {
    return std::make_unique<NcclCommunicator>(std::move(nccl), std::move(gpu), id, rank, size, patience, times);
}

std::string to_hex(const NcclId& id) {
    std::string text;
    for (const char byte : id.bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
}

NcclId nccl_id_from_hex(const std::string& text) {
    NcclId id;
    const bool is_hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (text.size() != 2 * id.bytes.size() || !is_hex)
        throw CommError(fmt::format("NCCL: '{}' is no id: {} hexadecimal digits were expected", text.substr(0, 20),
                                    2 * id.bytes.size()));
    for (std::size_t i = 0; i < id.bytes.size(); ++i)
        id.bytes[i] = static_cast<char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
    return id;
}

}  // namespace leadsweep
