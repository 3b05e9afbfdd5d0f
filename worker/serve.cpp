#include "worker/serve.hpp"

#include <unistd.h>

#include "shared/core/log.hpp"
#include "shared/core/text.hpp"
#include "shared/job/semantics.hpp"
#include "worker/devices.hpp"
#include "worker/job_runner.hpp"
#include "worker/train/process.hpp"

namespace leadsweep {
namespace {

constexpr int kCommandDescriptor = 3;
constexpr int kFactDescriptor = 4;

Hello greeting(const Device& device) {
    return {kProtocolVersion, describe_build(), semantics::all(), device, ::getpid()};
}

}  // namespace

int serve(const std::string& uuid, const std::string& core_list) {
    std::vector<int> cores;
    for (const auto& core : split(core_list, ','))
        if (!core.empty()) cores.push_back(std::stoi(core));
    const Device device = take_device(uuid, cores);
    prepare_process_for_training(cores.empty() ? 1 : static_cast<int>(cores.size()));
    log::info("worker {} on {} ({}); {}", ::getpid(), device.uuid, device.name, describe_build());
    Session session(kCommandDescriptor, kFactDescriptor);
    session.tell(greeting(device));
    JobRunner runner(session, torch_device_of(device));
    while (const auto work = session.next()) std::visit([&](const auto& command) { runner.run(command); }, *work);
    return kExitDone;
}

}  // namespace leadsweep
