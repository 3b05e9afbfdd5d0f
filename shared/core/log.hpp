// Logging for people, on stderr. One line a message: time, level, who, text.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace leadsweep::log {

enum class Level { kDebug, kInfo, kWarning, kError };

/// Sets who speaks (for example "rank 2" or "worker 7") and from which level on messages are shown.
void set_up(std::string_view who, Level threshold);

void write(Level level, std::string_view text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace leadsweep::log
