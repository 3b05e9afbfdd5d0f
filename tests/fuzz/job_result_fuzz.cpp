// Any bytes as the file of a result whose digest is right: a result or InputError.
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/job/job_result.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const TemporaryFolder folder;
    static const std::string path = folder / "result.cbor";
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    [[maybe_unused]] const auto written = ::write(file, data, size);
    ::close(file);
    try {
        (void)read_job_result(path, sha256(std::string_view(reinterpret_cast<const char*>(data), size)));
    } catch (const InputError&) {
        // As promised.
    }
    return 0;
}

std::vector<std::string> fuzz::seeds() {
    JobResult result;
    result.metrics.push_back({"test", "164889003", "auroc", 0.5, 10});
    result.metrics.push_back({"test", "", "macro_f1", std::nullopt, 0});
    result.epochs.push_back({1, 0.7, 0.6, 0.5, 0.5, 1e-3, 0.1, 100, true});
    result.lead_importance.push_back({"164889003", "V2", 3, 0.1, 0.2, 0.3, 5, 0.9});
    result.artifacts.push_back({"model", "model.safetensors", "d", 12});
    result.notes = {"a note"};
    const TemporaryFolder folder;
    std::vector<std::string> seeds;
    for (const JobResult& one : {result, JobResult{}}) {
        (void)write_job_result(one, folder / "seed");
        seeds.push_back(read_file(folder / "seed"));
    }
    return seeds;
}
