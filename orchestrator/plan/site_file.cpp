#include "orchestrator/plan/site_file.hpp"

#include <algorithm>
#include <charconv>
#include <regex>
#include <set>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

const std::vector<std::string> kKeys = {"partition",     "account",      "nodes",       "gpus_per_node",
                                        "cpus_per_task", "memory",       "time",        "signal_s",
                                        "launcher",      "max_requeues", "environment", "sbatch"};

/// Options that `submit` sets itself: twice would mean two things.
const std::set<std::string> kOwnOptions = {
    "--nodes", "--gpus-per-node",   "--time",   "--partition", "--account",       "--signal",   "--requeue",
    "--array", "--ntasks-per-node", "--output", "--mem",       "--cpus-per-task", "--job-name", "--open-mode"};

class SiteReader {
public:
    SiteReader(std::string file, std::filesystem::path folder) : file_(std::move(file)), folder_(std::move(folder)) {}

    SiteSettings read(const YAML::Node& root) {
        if (root.IsNull()) return settings_;
        if (!root.IsMap()) {
            problems_.push_back(fmt::format("{}:1:1: expected `key: value` lines", file_));
            throw InputError(problems_);
        }
        std::set<std::string> seen;
        for (const auto& entry : root) {
            const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
            if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
                add(entry.first, fmt::format("unknown key '{}'{}", key, suggestion(key, kKeys)));
            else if (!seen.insert(key).second)
                add(entry.first, fmt::format("duplicate key '{}'", key));
            else
                set(key, entry.second);
        }
        if (!problems_.empty()) throw InputError(problems_);
        for (const std::string& problem : problems_of(settings_))
            problems_.push_back(fmt::format("{}: {}", file_, problem));
        if (!problems_.empty()) throw InputError(problems_);
        return settings_;
    }

private:
    void add(const YAML::Node& node, const std::string& text) {
        problems_.push_back(fmt::format("{}:{}:{}: {}", file_, node.Mark().line + 1, node.Mark().column + 1, text));
    }

    void set(const std::string& key, const YAML::Node& node) {
        if (key == "sbatch") return set_options(node);
        if (node.IsNull()) return;
        if (!node.IsScalar()) return add(node, fmt::format("{}: expected one value", key));
        const std::string text = node.Scalar();
        if (auto* number = number_of(key)) {
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
            if (error != std::errc{} || end != text.data() + text.size())
                add(node, fmt::format("{}: '{}' is no whole number", key, text));
        } else if (key == "environment") {
            const auto path = (folder_ / text).lexically_normal();
            if (!text.empty() && !std::filesystem::exists(path))
                add(node, fmt::format("environment: there is no file {}", path.string()));
            settings_.environment = text.empty() ? "" : path.string();
        } else {
            text_of(key) = text;
        }
    }

    void set_options(const YAML::Node& node) {
        if (node.IsNull()) return;
        if (!node.IsSequence()) return add(node, "sbatch: expected a list: [\"--constraint=a100\"]");
        for (const auto& item : node) {
            if (item.IsScalar())
                settings_.sbatch.push_back(item.Scalar());
            else
                add(item, "sbatch: expected an option, as a text");
        }
    }

    std::int64_t* number_of(const std::string& key) {
        if (key == "nodes") return &settings_.nodes;
        if (key == "gpus_per_node") return &settings_.gpus_per_node;
        if (key == "cpus_per_task") return &settings_.cpus_per_task;
        if (key == "signal_s") return &settings_.signal_s;
        if (key == "max_requeues") return &settings_.max_requeues;
        return nullptr;
    }

    std::string& text_of(const std::string& key) {
        if (key == "partition") return settings_.partition;
        if (key == "account") return settings_.account;
        if (key == "memory") return settings_.memory;
        if (key == "time") return settings_.time;
        return settings_.launcher;
    }

    std::string file_;
    std::filesystem::path folder_;
    SiteSettings settings_;
    std::vector<std::string> problems_;
};

bool is_like(const std::string& text, const char* pattern) {
    return std::regex_match(text, std::regex(pattern));
}

}  // namespace

double seconds_of_time_limit(const std::string& text) {
    std::smatch part;
    const auto number = [&](std::size_t i) { return part[i].matched ? std::stod(part[i].str()) : 0.0; };
    // days-hours[:minutes[:seconds]]
    if (std::regex_match(text, part, std::regex(R"((\d{1,4})-(\d{1,3})(?::(\d{1,2})(?::(\d{1,2}))?)?)")))
        return ((number(1) * 24 + number(2)) * 60 + number(3)) * 60 + number(4);
    if (std::regex_match(text, part, std::regex(R"((\d{1,4}):(\d{1,2}):(\d{1,2}))")))
        return (number(1) * 60 + number(2)) * 60 + number(3);
    // minutes[:seconds]
    if (std::regex_match(text, part, std::regex(R"((\d{1,7})(?::(\d{1,2}))?)"))) return number(1) * 60 + number(2);
    return 0;
}

std::vector<std::string> problems_of(const SiteSettings& settings) {
    std::vector<std::string> problems;
    const auto require = [&](bool is_right, const std::string& problem) {
        if (!is_right) problems.push_back(problem);
    };
    constexpr const char* kName = "[A-Za-z0-9_.,+-]*";
    require(is_like(settings.partition, kName), fmt::format("partition: '{}' is no name", settings.partition));
    require(is_like(settings.account, kName), fmt::format("account: '{}' is no name", settings.account));
    require(is_like(settings.memory, "([0-9]+[KMGTkmgt]?)?"),
            fmt::format("memory: '{}' is no amount, expected 64G or the like", settings.memory));
    require(seconds_of_time_limit(settings.time) > 0,
            fmt::format("time: '{}' is no time limit, expected hours:minutes:seconds, minutes or days-hours",
                        settings.time));
    require(settings.nodes >= 1, fmt::format("nodes: {} is too few", settings.nodes));
    require(settings.gpus_per_node >= 0, fmt::format("gpus_per_node: {} is too few", settings.gpus_per_node));
    require(settings.cpus_per_task >= 0, fmt::format("cpus_per_task: {} is too few", settings.cpus_per_task));
    require(settings.signal_s >= 0 && settings.signal_s <= 65535,
            fmt::format("signal_s: {} is out of range, expected 0 to 65535 seconds", settings.signal_s));
    require(settings.max_requeues >= 0, fmt::format("max_requeues: {} is too few", settings.max_requeues));
    require(settings.launcher == "mpirun" || settings.launcher == "srun",
            fmt::format("launcher: '{}' is unknown, expected mpirun or srun", settings.launcher));
    for (const std::string& option : settings.sbatch) {
        require(option.starts_with("--") &&
                    std::none_of(option.begin(), option.end(), [](unsigned char c) { return c < ' ' || c == 127; }),
                fmt::format("sbatch: '{}' is no option, expected --name or --name=value", option));
        require(!kOwnOptions.contains(option.substr(0, option.find('='))),
                fmt::format("sbatch: {} is set by leadsweep; use its own key", option));
    }
    return problems;
}

SiteSettings parse_site(const std::string& text, const std::filesystem::path& file) {
    try {
        const auto folder = std::filesystem::absolute(file).parent_path();
        return SiteReader(file.string(), folder).read(YAML::Load(text));
    } catch (const YAML::Exception& error) {
        throw InputError(
            fmt::format("{}:{}:{}: {}", file.string(), error.mark.line + 1, error.mark.column + 1, error.msg));
    }
}

SiteSettings load_site_file(const std::filesystem::path& path) {
    return parse_site(read_file(path), path);
}

}  // namespace leadsweep
