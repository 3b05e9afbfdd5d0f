// Which of many nodes is free first: a tournament. Setting one time costs log2(n) steps, the winner is known at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace leadsweep {

class Tournament {
public:
    static constexpr double kNever = std::numeric_limits<double>::infinity();

    void set(std::size_t place, double time) {
        if (place >= width_) grow(place + 1);
        std::size_t at = width_ + place;
        times_[at] = time;
        while (at > 1) {
            at /= 2;
            const double winner = std::min(times_[2 * at], times_[2 * at + 1]);
            if (times_[at] == winner) return;
            times_[at] = winner;
        }
    }
    double earliest() const { return times_[1]; }
    double at(std::size_t place) const { return place < width_ ? times_[width_ + place] : kNever; }
    /// The first place with the earliest time.
    std::size_t winner() const {
        std::size_t at = 1;
        while (at < width_) at = 2 * at + (times_[2 * at] == times_[at] ? 0 : 1);
        return at - width_;
    }

private:
    void grow(std::size_t places) {
        std::size_t width = width_;
        while (width < places) width *= 2;
        std::vector<double> grown(2 * width, kNever);
        std::copy(times_.begin() + static_cast<std::ptrdiff_t>(width_), times_.end(),
                  grown.begin() + static_cast<std::ptrdiff_t>(width));
        width_ = width;
        times_ = std::move(grown);
        for (std::size_t at = width_ - 1; at > 0; --at) times_[at] = std::min(times_[2 * at], times_[2 * at + 1]);
    }

    std::size_t width_ = 1;
    std::vector<double> times_{kNever, kNever};
};

}  // namespace leadsweep
