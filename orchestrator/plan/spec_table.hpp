// The specs of very many jobs in a few bytes each: a base, the keys in which jobs differ with all their values, and for
// each job the ids of its values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/plan/spec_fields.hpp"
#include "shared/core/digest.hpp"
#include "shared/job/job_spec.hpp"
#include "shared/job/spec_text.hpp"

namespace leadsweep {

/// Index of a value among those of its slot.
using ValueId = std::uint32_t;

/// A key in which jobs may differ.
struct SpecSlot {
    std::size_t key = 0;                 ///< position in job_schema()
    std::vector<nlohmann::json> values;  ///< of the key's type; [0] is that of the base
};

class SpecTable {
public:
    SpecTable() = default;
    /// `ids`: for job after job one id for each slot.
    SpecTable(const JobSpec& base, std::vector<SpecSlot> slots, std::vector<ValueId> ids);

    std::size_t size() const { return jobs_; }
    JobSpec operator[](std::size_t job) const;
    /// to_json(spec).dump().
    std::string text(std::size_t job) const;
    /// The value of one key.
    nlohmann::json value(std::size_t job, const std::string& key) const;

    const std::vector<SpecSlot>& slots() const { return slots_; }
    std::span<const ValueId> ids(std::size_t job) const {
        return {ids_.data() + job * slots_.size(), slots_.size()};
    }
    /// Equal for tables of equal specs in the same order and of the same slots.
    Digest digest() const;

private:
    friend class SpecCursor;
    JobSpec base_;
    SpecText base_text_{base_};
    std::vector<SpecSlot> slots_;
    std::vector<std::vector<SettingText>> texts_;  ///< [slot][value]
    std::vector<ValueId> ids_;
    std::size_t jobs_ = 0;
};

/// Reads the jobs of a table one after the other: only what differs from the job before is set.
class SpecCursor {
public:
    explicit SpecCursor(const SpecTable& table);
    void seek(std::size_t job);
    const JobSpec& spec() const { return fields_.spec(); }
    const SpecText& text() const { return text_; }

private:
    const SpecTable& table_;
    SpecFields fields_;
    SpecText text_;
    std::vector<ValueId> now_;
};

}  // namespace leadsweep
