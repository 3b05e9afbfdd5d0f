// The texts of a spec that hashes, messages and the database take, put together from the texts of its single settings.
// For very many specs that differ in few keys: what does not change is turned into text once.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// The value of one key as text.
struct SettingText {
    std::string json;
    bool is_default = false;
};

/// `key`: position in job_schema(); `value`: of the key's own type, as SpecFields::get() gives it.
SettingText text_of_setting(std::size_t key, const nlohmann::json& value);

class SpecText {
public:
    explicit SpecText(const JobSpec& spec);

    void set(std::size_t key, const SettingText& text) { settings_[key] = text; }

    /// Appends canonical_settings(spec, part).dump(); `has_fold`: with the key `fold`.
    void append_canonical(std::string& out, KeyPart part, bool has_fold = true) const;
    /// to_json(spec).dump().
    std::string whole() const;

private:
    std::vector<SettingText> settings_;  ///< in the order of job_schema()
};

}  // namespace leadsweep
