// A small filled database, folders that vanish, refusals: what the tests of store/ and report/ have in common.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/store/result_store.hpp"
#include "shared/core/errors.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep::testing {

/// A folder of its own for one test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "leadsweep_XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::string file(const std::string& name) const { return (path_ / name).string(); }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// What InputError says when `work` is refused; "" where it is not.
inline std::string refusal(const std::function<void()>& work) {
    try {
        work();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

inline bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline JobRow job_row(const JobSpec& spec, const std::string& data = "data") {
    const std::string lists = "lists of fold " + std::to_string(spec.fold);
    return {keys_of(spec, {data, lists}), to_json(spec).dump(), lists};
}

inline JobRow job_row(std::int64_t fold, double sampling_hz, const std::string& loss,
                      const std::string& data = "data") {
    JobSpec spec;
    spec.fold = fold;
    spec.sampling_hz = sampling_hz;
    spec.loss = loss;
    return job_row(spec, data);
}

inline AttemptId start(ResultStore& store, JobId job, const std::string& device_kind = "cpu") {
    const AttemptId attempt = store.reserve_attempt_ids(1).first;
    store.record_attempt_started({attempt,
                                  job,
                                  "node1",
                                  {3},
                                  device_kind,
                                  device_kind + "-0",
                                  "key/" + std::to_string(attempt.value),
                                  "worker-3.log",
                                  100});
    return attempt;
}

inline JobResult result_with_f1(double macro_f1) {
    JobResult result;
    result.n_train = 80;
    result.n_test = 10;
    result.n_classes = 5;
    result.metrics.push_back({"test", "", "macro_f1", macro_f1, 12});
    result.metrics.push_back({"validation", "", "macro_f1", 0.99, 12});
    result.metrics.push_back({"test", "", "accuracy", 0.95, 12});
    result.metrics.push_back({"test", "164889003", "auroc", macro_f1 + 0.2, 4});
    result.metrics.push_back({"test", "10370003", "auroc", std::nullopt, 0});
    return result;
}

/// Finishes a job at once.
inline AttemptId finish(ResultStore& store, JobId job, const JobResult& result,
                        const std::string& device_kind = "cpu") {
    const AttemptId attempt = start(store, job, device_kind);
    store.record_finished(attempt, result, {2.5, 50});
    return attempt;
}

}  // namespace leadsweep::testing
