#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/commands/command.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

struct CommandWords {
    std::string name;
    std::string help;
    std::vector<std::string> options;
};

/// Commands and their options as the command line itself knows them.
std::vector<CommandWords> words_of(const CLI::App& app) {
    std::vector<CommandWords> all;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        CommandWords words{command->get_name(), command->get_description(), {}};
        for (const CLI::Option* option : command->get_options())
            for (const auto& name : option->get_lnames()) words.options.push_back("--" + name);
        all.push_back(std::move(words));
    }
    return all;
}

std::string names_of(const std::vector<CommandWords>& commands) {
    std::vector<std::string> names;
    for (const auto& one : commands) names.push_back(one.name);
    return fmt::format("{}", fmt::join(names, " "));
}

constexpr const char* kFormats = "text markdown csv json latex html";

std::string bash_script(const std::vector<CommandWords>& commands) {
    std::string out =
        "# bash completion of leadsweep: eval \"$(leadsweep completion bash)\"\n"
        "_leadsweep() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options=\n"
        "    COMPREPLY=()\n";
    out += fmt::format(
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W '{} --help --version' -- \"$word\")); return; "
        "fi\n",
        names_of(commands));
    out += fmt::format("    case $before in --format) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;; esac\n",
                       kFormats);
    out += "    case ${COMP_WORDS[1]} in\n";
    for (const auto& one : commands)
        out += fmt::format("        {}) options='{}' ;;\n", one.name, fmt::join(one.options, " "));
    return out +
           "    esac\n"
           "    case $word in\n"
           "        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
           "        *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -o filenames -F _leadsweep leadsweep\n";
}

std::string quoted(std::string text) {
    std::replace(text.begin(), text.end(), '\'', ' ');
    std::replace(text.begin(), text.end(), ':', ' ');
    return text;
}

std::string zsh_script(const std::vector<CommandWords>& commands) {
    std::string out =
        "#compdef leadsweep\n"
        "# zsh completion of leadsweep: leadsweep completion zsh > ~/.zfunc/_leadsweep\n"
        "_leadsweep() {\n"
        "    local -a commands options\n"
        "    commands=(\n";
    for (const auto& one : commands) out += fmt::format("        '{}:{}'\n", one.name, quoted(one.help));
    out += "    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n";
    out += fmt::format(
        "    if [[ $words[CURRENT-1] == --format ]]; then compadd {}; return; fi\n    case $words[2] in\n", kFormats);
    for (const auto& one : commands)
        out += fmt::format("        {}) options=({}) ;;\n", one.name, fmt::join(one.options, " "));
    return out +
           "    esac\n"
           "    if [[ $words[CURRENT] == -* ]]; then compadd -- $options; else _files; fi\n"
           "}\n"
           "compdef _leadsweep leadsweep\n";
}

}  // namespace

void add_completion_command(CLI::App& app, int& exit_code) {
    auto shell = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand("completion", "print the completion script of a shell");
    command->add_option("SHELL", *shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
    command->footer(
        "Examples:\n  eval \"$(leadsweep completion bash)\"\n  leadsweep completion zsh > ~/.zfunc/_leadsweep");
    command->callback([shell, &app, &exit_code] {
        const auto commands = words_of(app);
        fmt::print("{}", *shell == "bash" ? bash_script(commands) : zsh_script(commands));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep
