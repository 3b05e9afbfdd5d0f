// One job spec whose settings are reached by their dotted key, without going through JSON for every job.
// For code that sets or reads a few keys of very many specs; everything else uses shared/job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "shared/job/job_spec.hpp"
#include "shared/job/schema.hpp"

namespace leadsweep {

class SpecFields {
public:
    SpecFields() {
        visit_settings(spec_, [&](const KeyNote&, auto& field) { fields_.emplace_back(&field); });
    }
    SpecFields(const SpecFields&) = delete;
    SpecFields& operator=(const SpecFields&) = delete;

    const JobSpec& spec() const { return spec_; }
    void assign(const JobSpec& spec) { spec_ = spec; }

    /// Position of a key in the schema: what the other functions take. The key must exist.
    static std::size_t index_of(const std::string& key) {
        return static_cast<std::size_t>(find_key(key) - job_schema().data());
    }
    /// `value` must be of the key's type.
    void set(std::size_t index, const nlohmann::json& value) {
        std::visit([&](auto* field) { value.get_to(*field); }, fields_.at(index));
    }
    nlohmann::json get(std::size_t index) const {
        return std::visit([](const auto* field) { return nlohmann::json(*field); }, fields_.at(index));
    }

private:
    using Field = std::variant<std::int64_t*, double*, std::string*, std::vector<double>*, std::vector<std::string>*>;
    JobSpec spec_;
    std::vector<Field> fields_;  ///< in the order of job_schema()
};

}  // namespace leadsweep
