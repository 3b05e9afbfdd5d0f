#include "tests/worker/comm/fake_nccl.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace leadsweep::test {
namespace {

torch::Tensor view_of(const void* memory, std::size_t count, torch::ScalarType type) {
    return torch::from_blob(const_cast<void*>(memory), {static_cast<std::int64_t>(count)}, type);
}

}  // namespace

FakeNccl::~FakeNccl() {
    end_stream();
    worker_.join();
}

void FakeNccl::end_stream() {
    const std::lock_guard lock(mutex_);
    is_ended_ = true;
    changed_.notify_all();
}

void FakeNccl::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return is_ended_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const auto task = std::move(waiting_.front());
        waiting_.pop_front();
        is_working_ = true;
        lock.unlock();
        try {
            task();
        } catch (const CommError&) {  // what a peer's end does to a GPU's collective is told by async_error alone
            const std::lock_guard again(mutex_);
            is_remote_error_ = true;
        }
        lock.lock();
        is_working_ = false;
        changed_.notify_all();
    }
}

NcclResult FakeNccl::answer() {
    polls_left_ = faults_.polls_in_progress;
    return polls_left_ > 0 || faults_.is_call_stuck ? NcclResult::kInProgress : NcclResult::kSuccess;
}

NcclResult FakeNccl::queue(std::function<void(Communicator&)> collective) {
    const std::lock_guard lock(mutex_);
    ++collectives_;
    if (faults_.is_call_stuck) return answer();
    if (collectives_ == faults_.hang_in)
        waiting_.emplace_back([this] {
            std::unique_lock inner(mutex_);
            changed_.wait(inner, [&] { return is_aborted_ || is_ended_; });
        });
    else
        waiting_.emplace_back([this, collective = std::move(collective)] {
            const bool is_over = [&] {
                const std::lock_guard inner(mutex_);
                return is_aborted_;
            }();
            if (!is_over) collective(*gang_);
        });
    most_queued = std::max(most_queued.load(), static_cast<int>(waiting_.size()) + (is_working_ ? 1 : 0));
    if (faults_.remote_error_after > 0 && collectives_ >= faults_.remote_error_after) is_remote_error_ = true;
    changed_.notify_all();
    return answer();
}

NcclFunctions FakeNccl::nccl(Communicator& gang) {
    gang_ = &gang;
    NcclFunctions table;
    table.get_unique_id = [](NcclId*) { return NcclResult::kSuccess; };
    table.init_rank = [this](NcclComm* comm, int, const NcclId&, int) {
        *comm = this;
        const std::lock_guard lock(mutex_);
        if (faults_.is_init_refused) return NcclResult::kSystemError;
        if (faults_.never_joins) polls_left_ = std::numeric_limits<int>::max();
        return faults_.never_joins ? NcclResult::kInProgress : answer();
    };
    table.async_error = [this](NcclComm, NcclResult* state) {
        const std::lock_guard lock(mutex_);
        *state = NcclResult::kSuccess;
        if (polls_left_ > 0) --polls_left_, *state = NcclResult::kInProgress;
        if (faults_.is_call_stuck && collectives_ > 0) *state = NcclResult::kInProgress;
        if (is_remote_error_) *state = NcclResult::kRemoteError;
        return NcclResult::kSuccess;
    };
    table.finalize = [this](NcclComm) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_.empty() && !is_working_; });
        return NcclResult::kSuccess;
    };
    table.destroy = [this](NcclComm) { return ++destroys, NcclResult::kSuccess; };
    table.abort = [this](NcclComm) {
        ++aborts;
        gang_->abort();  // its peers' collectives end too, as a real peer's do by its closed connections
        const std::lock_guard lock(mutex_);
        is_aborted_ = true;
        changed_.notify_all();
        return NcclResult::kSuccess;
    };
    table.error_text = [](NcclResult result) { return fmt::format("fake error {}", static_cast<int>(result)); };
    table.all_reduce_sum = [this](const void* from, void* to, std::size_t count, torch::ScalarType type, NcclComm,
                                  void*) {
        return queue([=](Communicator& peers) {
            auto sum = view_of(from, count, type).clone();
            peers.all_reduce_sum_(sum);
            view_of(to, count, type).copy_(sum);
        });
    };
    table.broadcast = [this](const void* from, void* to, std::size_t count, torch::ScalarType type, int root, NcclComm,
                             void*) {
        return queue([=](Communicator& peers) {
            auto told = view_of(from, count, type).clone();
            peers.broadcast_(told, root);
            view_of(to, count, type).copy_(told);
        });
    };
    table.all_gather = [this](const void* from, void* to, std::size_t count, torch::ScalarType type, NcclComm, void*) {
        return queue([=](Communicator& peers) {
            const auto all = peers.all_gather(view_of(from, count, type));
            view_of(to, static_cast<std::size_t>(all.numel()), type).copy_(all.flatten());
        });
    };
    return table;
}

GpuFunctions FakeNccl::gpu() {
    GpuFunctions table;
    table.holds = [](const torch::Tensor&) { return false; };
    table.upload = [](const torch::Tensor& tensor) { return tensor.contiguous().clone(); };
    table.stream = []() -> void* { return nullptr; };
    table.is_capturing = [] { return false; };
    table.mark = [] {};
    table.is_mark_reached = [this] {
        const std::lock_guard lock(mutex_);
        return waiting_.empty() && !is_working_;
    };
    table.synchronise = [this] {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_.empty() && !is_working_; });
    };
    return table;
}

}  // namespace leadsweep::test
