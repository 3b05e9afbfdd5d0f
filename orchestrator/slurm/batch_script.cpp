#include "orchestrator/slurm/batch_script.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <embedded/leadsweep_slurm.hpp>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-+=:,./@").find(c) != std::string_view::npos;
}

/// A path as value of --output: % begins a pattern there, and the line has quotes of its own.
std::string output_pattern(const std::string& folder, bool is_array) {
    std::string path;
    for (const char c : folder + "/") {
        if (c == '%') path += '%';
        if (c == '"' || c == '\\') path += '\\';
        path += c;
    }
    return fmt::format("\"{}%x-{}.out\"", path, is_array ? "%A_%a" : "%j");
}

std::string directives_of(const BatchScript& script) {
    std::vector<std::string> options{
        "--job-name=" + job_name_of(script.job_name),
        fmt::format("--nodes={}", script.nodes),
        "--ntasks-per-node=1",
        "--time=" + script.time,
        "--requeue",
        "--open-mode=append",
        "--output=" + output_pattern(script.folder, script.shards > 0),
    };
    const auto add_if = [&](bool is_wanted, const std::string& option) {
        if (is_wanted) options.push_back(option);
    };
    add_if(script.gpus_per_node > 0, fmt::format("--gpus-per-node={}", script.gpus_per_node));
    add_if(script.cpus_per_task > 0, fmt::format("--cpus-per-task={}", script.cpus_per_task));
    add_if(!script.memory.empty(), "--mem=" + script.memory);
    add_if(!script.partition.empty(), "--partition=" + script.partition);
    add_if(!script.account.empty(), "--account=" + script.account);
    add_if(script.signal_s > 0, fmt::format("--signal=B:USR1@{}", script.signal_s));
    add_if(script.shards > 0, fmt::format("--array=1-{}", script.shards));
    options.insert(options.end(), script.options.begin(), script.options.end());
    std::string text;
    for (const std::string& option : options) {
        if (std::any_of(option.begin(), option.end(), [](unsigned char c) { return c < ' ' || c == 127; }))
            throw InputError(fmt::format("{}: control characters cannot be told to sbatch: use another name",
                                         option.substr(0, option.find('='))));
        text += fmt::format("{}#SBATCH {}", text.empty() ? "" : "\n", option);
    }
    return text;
}

}  // namespace

std::string job_name_of(const std::string& sweep) {
    std::string name = "leadsweep-" + sweep.substr(0, 100);
    for (char& c : name)
        if (!is_plain(c) || c == '/' || c == '=' || c == ',') c = '_';
    return name;
}

std::string shell_quoted(const std::string& text) {
    if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return text;
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string render_batch_script(const BatchScript& script) {
    std::string arguments;
    for (const std::string& argument : script.arguments)
        arguments += (arguments.empty() ? "" : " ") + shell_quoted(argument);
    std::string text(embedded::run_sweep_sbatch);
    // The order of the template: what was put in is not looked at again.
    std::string done;
    for (const auto& [mark, value] : {std::pair<std::string_view, std::string>{"@DIRECTIVES@", directives_of(script)},
                                      {"@LEADSWEEP@", shell_quoted(script.leadsweep)},
                                      {"@ARGUMENTS@", arguments},
                                      {"@LAUNCHER@", shell_quoted(script.launcher)},
                                      {"@MAX_REQUEUES@", std::to_string(script.max_requeues)},
                                      {"@ENVIRONMENT@", shell_quoted(script.environment)},
                                      {"@FOLDER@", shell_quoted(script.folder)},
                                      {"@WORK@", shell_quoted(script.work)}}) {
        const auto at = text.find(mark);
        if (at == std::string::npos) throw std::logic_error(fmt::format("run_sweep.sbatch has no {}", mark));
        done += text.substr(0, at) + value;
        text.erase(0, at + mark.size());
    }
    return done + text;
}

}  // namespace leadsweep
