#include "orchestrator/commands/start_checks.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

/// All folders of records that points of the sweep may read.
std::vector<std::string> record_folders(const SweepSpec& sweep) {
    std::vector<std::string> folders;
    const auto add = [&](const nlohmann::json& value) {
        if (value.is_string() && !value.get<std::string>().empty()) folders.push_back(value.get<std::string>());
    };
    for (const Setting& setting : sweep.base)
        if (setting.key == "data.records") add(setting.value);
    for (const Axis& axis : sweep.axes)
        for (std::size_t key = 0; key < axis.keys.size(); ++key)
            for (const auto& point : axis.points)
                if (axis.keys[key] == "data.records") add(point.at(key));
    return folders;
}

}  // namespace

StartChecks::StartChecks(const SweepSpec& sweep, const Places& places) : records_(record_folders(sweep)) {
    require_writable_folder(fs::path(places.db).parent_path());
    require_writable_folder(places.work);
    std::random_device random;
    const std::string probe = fmt::format("{}/.probe-{}-{:08x}{:08x}", places.work, ::getpid(), random(), random());
    write_file_durably(probe, "");
    probe_ = probe;
}

StartChecks::~StartChecks() {
    std::error_code ignored;
    fs::remove(probe_, ignored);
}

std::string StartChecks::text() const {
    return nlohmann::json{{"probe", probe_}, {"records", records_}}.dump();
}

void check_start(const std::string& text) {
    if (text.empty()) return;
    const auto checks = nlohmann::json::parse(text);
    const fs::path probe = checks.at("probe").get<std::string>();
    std::vector<std::string> problems;
    std::error_code error;
    if (!fs::exists(probe, error)) {
        problems.push_back(fmt::format(
            "{}: this node does not see the folder that rank 0 writes to; name one by --work that all nodes share",
            probe.parent_path().string()));
    } else {
        try {
            require_writable_folder(probe.parent_path());
        } catch (const FileError& cannot) {
            problems.push_back(fmt::format("{}; results are written there by all nodes", cannot.what()));
        }
    }
    for (const auto& folder : checks.at("records"))
        if (!fs::exists(folder.get<std::string>(), error))
            problems.push_back(fmt::format("{}: the records are not here (data.records); all nodes must see them",
                                           folder.get<std::string>()));
    if (!problems.empty()) throw InputError(problems);
}

std::string check_promised_gpus(const std::vector<Device>& devices) {
    const char* promised = std::getenv("SLURM_GPUS_ON_NODE");
    const long count = promised ? std::strtol(promised, nullptr, 10) : 0;
    const long there = std::count_if(devices.begin(), devices.end(), [](const Device& d) { return d.kind == "cuda"; });
    if (there >= count) return "";
    if (there == 0 && !devices.empty())
        return fmt::format(
            "Slurm gave {} GPUs, and this worker uses none: build with `./dev build cuda`, or ask for none", count);
    return fmt::format("{} of the {} GPUs that Slurm gave can be used: look at `nvidia-smi` there", there, count);
}

}  // namespace leadsweep
