// leadsweep-worker: one device's worth of work. Started by a supervisor, or by a person for one job (commands.cpp).
#include <iostream>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "worker/commands.hpp"
#include "worker/devices.hpp"

int main(int count, char** arguments) {
    using namespace leadsweep;
    CLI::App app{"leadsweep-worker computes on one device; leadsweep starts it.", "leadsweep-worker"};
    int exit_code = kExitDone;
    try {
        app.require_subcommand(1);
        app.set_version_flag("--version", fmt::format("leadsweep-worker {}, {}", LEADSWEEP_VERSION, describe_build()));
        add_commands(app, exit_code);
        app.parse(count, arguments);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kExitDone : kExitBadInput;
    } catch (const Error& error) {
        std::cerr << "leadsweep-worker: " << error.what() << std::endl;
        return error.exit_code();
    } catch (const std::exception& error) {
        std::cerr << "leadsweep-worker: " << error.what() << std::endl;
        return kExitInternal;
    }
    return exit_code;
}
