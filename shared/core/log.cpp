#include "shared/core/log.hpp"

#include <memory>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace leadsweep::log {
namespace {

std::shared_ptr<spdlog::logger>& logger() {
    static std::shared_ptr<spdlog::logger> instance = [] {
        auto created = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
        created->set_pattern("%H:%M:%S %^%l%$ %v");
        created->set_level(spdlog::level::info);
        return created;
    }();
    return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::kDebug:
            return spdlog::level::debug;
        case Level::kInfo:
            return spdlog::level::info;
        case Level::kWarning:
            return spdlog::level::warn;
        case Level::kError:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

}  // namespace

void set_up(std::string_view who, Level threshold) {
    logger()->set_pattern(who.empty() ? "%H:%M:%S %^%l%$ %v" : fmt::format("%H:%M:%S %^%l%$ [{}] %v", who));
    logger()->set_level(to_spdlog(threshold));
}

void write(Level level, std::string_view text) {
    logger()->log(to_spdlog(level), "{}", text);
}

}  // namespace leadsweep::log
