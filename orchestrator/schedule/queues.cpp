#include "orchestrator/schedule/queues.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace leadsweep {
namespace {

constexpr std::uint32_t kRemoved = 0x80000000;
constexpr int kShortest = -10;
constexpr int kLongest = 40;

std::uint32_t without_mark(std::uint32_t job) {
    return job & ~kRemoved;
}

}  // namespace

int length_class(double seconds) {
    if (!(seconds > 0)) return kUnknownLength;
    return std::clamp(std::ilogb(seconds), kShortest, kLongest);
}

// ---- one queue ------------------------------------------------------------------------------------------------------

void JobQueue::push(JobIndex job) {
    const auto number = static_cast<std::uint32_t>(job);
    if (number >= kRemoved) throw std::length_error("a plan holds at most 2^31 jobs");
    ++size_;
    if (jobs_.empty() || without_mark(jobs_.back()) < number)
        jobs_.push_back(number);
    else
        returned_.insert(number);
}

void JobQueue::remove(JobIndex job) {
    const auto number = static_cast<std::uint32_t>(job);
    --size_;
    if (returned_.erase(number) > 0) return;
    const auto place =
        std::lower_bound(jobs_.begin() + static_cast<std::ptrdiff_t>(next_), jobs_.end(), number,
                         [](std::uint32_t known, std::uint32_t wanted) { return without_mark(known) < wanted; });
    *place |= kRemoved;
    skip_removed();
}

void JobQueue::skip_removed() {
    while (next_ < jobs_.size() && (jobs_[next_] & kRemoved) != 0) ++next_;
}

JobIndex JobQueue::front() const {
    if (next_ == jobs_.size()) return *returned_.begin();
    return returned_.empty() ? jobs_[next_] : std::min(jobs_[next_], *returned_.begin());
}

std::size_t JobQueue::count_before(JobIndex job) const {
    const auto number = static_cast<std::uint32_t>(job);
    const auto is_before = [&](std::uint32_t known) { return known < number; };  // a mark makes it larger than any job
    return static_cast<std::size_t>(
        std::count_if(jobs_.begin() + static_cast<std::ptrdiff_t>(next_), jobs_.end(), is_before) +
        std::count_if(returned_.begin(), returned_.end(), is_before));
}

// ---- all queues -----------------------------------------------------------------------------------------------------

QueueRank Queues::rank_of(const ShapeQueue& queue) const {
    const JobShape& shape = queue.shape;
    QueueRank rank{-shape.priority, 0, 0, 0, queue.heads.begin()->first, shape};
    if (shape.length == kUnknownLength) return rank;
    const bool goes_first = shape.length >= horizon_;
    rank.band = goes_first ? 1 : 2;
    rank.first = goes_first ? -shape.length : -shape.devices;
    rank.second = goes_first ? -shape.devices : -shape.length;
    return rank;
}

template <class Change>
void Queues::reorder(ShapeQueue& queue, Change&& change) {
    const bool had_rank = !queue.heads.empty();
    const JobIndex old_head = had_rank ? queue.heads.begin()->first : 0;
    const QueueRank old_rank = had_rank ? rank_of(queue) : QueueRank{};
    change();
    if (had_rank && !queue.heads.empty() && queue.heads.begin()->first == old_head) return;
    if (had_rank) order_.erase(old_rank);
    if (!queue.heads.empty()) order_.emplace(rank_of(queue), &queue);
}

void Queues::push(const JobShape& shape, PackIndex pack, JobIndex job) {
    const auto [place, is_new] = shapes_.try_emplace(shape);
    ShapeQueue& queue = place->second;
    if (is_new) queue.shape = shape;
    JobQueue& jobs = queue.by_pack[pack];
    if (jobs.size() > 0 && jobs.front() < job) {  // the head stays: the common case while a plan is read
        jobs.push(job);
        return;
    }
    reorder(queue, [&] {
        if (jobs.size() > 0) queue.heads.erase({jobs.front(), pack});
        jobs.push(job);
        queue.heads.insert({job, pack});
    });
}

void Queues::remove(const JobShape& shape, PackIndex pack, JobIndex job) {
    const auto place = shapes_.find(shape);
    ShapeQueue& queue = place->second;
    const auto jobs = queue.by_pack.find(pack);
    reorder(queue, [&] {
        queue.heads.erase({jobs->second.front(), pack});
        jobs->second.remove(job);
        if (jobs->second.size() > 0)
            queue.heads.insert({jobs->second.front(), pack});
        else
            queue.by_pack.erase(jobs);
    });
    if (queue.heads.empty()) shapes_.erase(place);
}

void Queues::set_horizon(double seconds) {
    const int horizon = length_class(std::max(seconds, 1e-3));
    if (horizon == horizon_) return;
    horizon_ = horizon;
    order_.clear();
    for (auto& [shape, queue] : shapes_) order_.emplace(rank_of(queue), &queue);
}

const ShapeQueue* Queues::find(const JobShape& shape) const {
    const auto found = shapes_.find(shape);
    return found == shapes_.end() ? nullptr : &found->second;
}

}  // namespace leadsweep
