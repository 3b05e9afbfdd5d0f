// The jobs that wait, so that the next one is found without looking at the others: jobs that are alike lie in one
// queue, the queues lie in order.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "orchestrator/schedule/decisions.hpp"

namespace leadsweep {

inline constexpr std::uint32_t kNoNode = 0xffffffff;
inline constexpr int kUnknownLength = 127;

/// Power of two of a duration; kUnknownLength for 0.
int length_class(double seconds);

/// Jobs of one shape are alike to the scheduler, but for their pack.
struct JobShape {
    std::int64_t priority = 0;
    int devices = 1;
    int slots = 1;
    int length = kUnknownLength;  ///< length_class of the expected duration
    bool may_span_nodes = false;
    bool needs_fresh_worker = false;
    std::uint32_t avoided_node = kNoNode;  ///< where it failed last
    auto operator<=>(const JobShape&) const = default;

    /// Whether it takes devices of which nobody else has a slot.
    bool is_exclusive() const { return devices > 1 || slots == 1; }
};

/// Jobs in file order: 4 bytes each, as long as they do not come back.
class JobQueue {
public:
    void push(JobIndex job);
    void remove(JobIndex job);  ///< which must be in here
    JobIndex front() const;
    std::size_t size() const { return size_; }
    std::size_t count_before(JobIndex job) const;

private:
    void skip_removed();

    std::vector<std::uint32_t> jobs_;  ///< ascending; the highest bit marks one that was removed
    std::size_t next_ = 0;
    std::set<std::uint32_t> returned_;  ///< jobs that were pushed out of order
    std::size_t size_ = 0;
};

/// The jobs of one shape, by pack.
struct ShapeQueue {
    JobShape shape;
    std::map<PackIndex, JobQueue> by_pack;
    std::set<std::pair<JobIndex, PackIndex>> heads;  ///< first job of each pack
};

/// Where a shape stands: priority first. Lengths unknown: file order. Known: first what would outlast all the rest (the
/// longest first), then large gangs before small ones (so that nodes are not fragmented) and long before short.
struct QueueRank {
    std::int64_t descending_priority = 0;
    int band = 0;
    int first = 0;
    int second = 0;
    JobIndex head = 0;
    JobShape shape;  ///< tells equal ranks apart
    auto operator<=>(const QueueRank&) const = default;
};

class Queues {
public:
    void push(const JobShape& shape, PackIndex pack, JobIndex job);
    void remove(const JobShape& shape, PackIndex pack, JobIndex job);

    /// Seconds of work that wait for each device: jobs longer than that go first.
    void set_horizon(double seconds);

    using Order = std::map<QueueRank, ShapeQueue*>;
    const Order& order() const { return order_; }
    const ShapeQueue* find(const JobShape& shape) const;

private:
    QueueRank rank_of(const ShapeQueue& queue) const;
    /// Runs `change` on a queue and puts it where it then belongs.
    template <class Change>
    void reorder(ShapeQueue& queue, Change&& change);

    std::map<JobShape, ShapeQueue> shapes_;
    Order order_;
    int horizon_ = kUnknownLength;  ///< shapes of this length or longer go first
};

}  // namespace leadsweep
