// One job from its records to its result: load, train or take over weights, test, explain, store. The steps are told
// here; what each of them does lies in dataset/, model/, train/ and explain/.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <torch/types.h>

#include "shared/ecg/catalogue.hpp"
#include "shared/job/job_result.hpp"
#include "worker/session.hpp"

namespace leadsweep {

class JobRunner {
public:
    /// Everything is computed on `device`.
    JobRunner(Session& session, const torch::Device& device) : session_(session), device_(device) {}

    /// Runs the attempt and tells how it ended. Never throws what a job can cause.
    void run(const Assign& assign);
    /// Makes one shard of a pack and tells how that ended.
    void run(const Prepare& prepare);

private:
    Finished run_job(const Assign& assign);
    std::shared_ptr<const Catalogue> catalogue(const std::string& path);

    Session& session_;
    torch::Device device_;
    std::map<std::string, std::shared_ptr<const Catalogue>> catalogues_;
};

}  // namespace leadsweep
