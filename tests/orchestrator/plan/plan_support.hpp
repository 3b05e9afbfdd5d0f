// Made catalogues and error texts for the tests of orchestrator/plan.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "orchestrator/plan/grid.hpp"
#include "orchestrator/plan/sweep_file.hpp"
#include "shared/core/errors.hpp"
#include "shared/ecg/catalogue.hpp"

namespace leadsweep::test {

/// A sweep of generated records, so that only what a test is about must be written. Line 1 of the file is `data`.
inline const std::string kData = "data: {synthetic: {patients: 5}}\n";

inline SweepSpec sweep_of(const std::string& yaml, const std::vector<std::string>& set = {}) {
    return parse_sweep(yaml, "s.yaml", set);
}

inline std::vector<JobSpec> specs_of(const SpecTable& table) {
    std::vector<JobSpec> specs;
    for (std::size_t job = 0; job < table.size(); ++job) specs.push_back(table[job]);
    return specs;
}

/// The problems that `action` throws as InputError; empty if it throws none.
template <class Action>
std::vector<std::string> problems_in(Action&& action) {
    try {
        action();
    } catch (const InputError& error) {
        return error.problems();
    }
    return {};
}

inline std::vector<std::string> sweep_problems(const std::string& yaml, const std::vector<std::string>& set = {}) {
    return problems_in([&] { sweep_of(yaml, set); });
}
inline std::vector<std::string> grid_problems(const std::string& yaml, const std::vector<std::string>& set = {}) {
    return problems_in([&] { expand(sweep_of(yaml, set)); });
}

inline CatalogueRecord made_record(const std::string& path, std::vector<std::string> labels,
                                   const std::string& patient = "") {
    CatalogueRecord record;
    record.path = path;
    record.sampling_hz = 500;
    record.samples = 5000;
    record.leads = standard_lead_names();
    record.labels = std::move(labels);
    record.patient = patient;
    record.signal_digest = "digest of " + path;
    return record;
}

/// A folder that is removed at the end of the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "leadsweep-plan-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::filesystem::path path;
};

}  // namespace leadsweep::test
