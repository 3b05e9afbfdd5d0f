// leadsweep: the command line. Each command lies in a file of its own in commands/.
#include <cstdio>
#include <exception>

#include <fmt/format.h>
#include <sys/stat.h>

#include "orchestrator/commands/command.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/log.hpp"

int main(int count, char** arguments) {
    using namespace leadsweep;
    ::umask(077);  // what comes from patients' records is their owner's alone, unless they say otherwise
    CLI::App app{"leadsweep runs experiment sweeps for 12-lead ECG classifiers.", "leadsweep"};
    app.set_version_flag("--version", version_text, "version, and those of the libraries");
    app.require_subcommand(1);
    app.footer(
        "Examples:\n  leadsweep plan sweeps/demo.yaml\n  leadsweep run sweeps/demo.yaml\n  leadsweep table\n"
        "  leadsweep report --out report.html\n\n"
        "Exit codes: 0 done, 1 some jobs failed, 2 bad input, 3 interrupted but resumable, 4 internal error.\n"
        "`leadsweep COMMAND --help` tells more.");
    int exit_code = kExitDone;
    add_commands(app, exit_code);
    try {
        app.parse(count, arguments);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kExitDone : kExitBadInput;
    } catch (const InputError& error) {
        for (const auto& problem : error.problems()) fmt::print(stderr, "leadsweep: {}\n", problem);
        return kExitBadInput;
    } catch (const Error& error) {
        fmt::print(stderr, "leadsweep: {}\n", error.what());
        return error.exit_code();
    } catch (const std::exception& error) {
        fmt::print(stderr, "leadsweep: {}\n", error.what());
        return kExitInternal;
    }
    return exit_code;
}
