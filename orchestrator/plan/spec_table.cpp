#include "orchestrator/plan/spec_table.hpp"

#include <algorithm>

namespace leadsweep {

SpecTable::SpecTable(const JobSpec& base, std::vector<SpecSlot> slots, std::vector<ValueId> ids)
    : base_(base), base_text_(base), slots_(std::move(slots)), ids_(std::move(ids)), jobs_(ids_.size() / slots_.size()) {
    for (const SpecSlot& slot : slots_) {
        auto& texts = texts_.emplace_back();
        for (const auto& value : slot.values) texts.push_back(text_of_setting(slot.key, value));
    }
}

JobSpec SpecTable::operator[](std::size_t job) const {
    SpecCursor cursor(*this);
    cursor.seek(job);
    return cursor.spec();
}

std::string SpecTable::text(std::size_t job) const {
    SpecText text = base_text_;
    const auto chosen = ids(job);
    for (std::size_t i = 0; i < slots_.size(); ++i) text.set(slots_[i].key, texts_[i][chosen[i]]);
    return text.whole();
}

nlohmann::json SpecTable::value(std::size_t job, const std::string& key) const {
    const std::size_t index = SpecFields::index_of(key);
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (slots_[i].key == index) return slots_[i].values[ids(job)[i]];
    return setting_of(base_, key);
}

Digest SpecTable::digest() const {
    std::string text = base_text_.whole();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        text += '\n' + std::to_string(slots_[i].key);
        for (const SettingText& value : texts_[i]) text += ' ' + value.json;
    }
    text += '\n';
    text.append(reinterpret_cast<const char*>(ids_.data()), ids_.size() * sizeof(ValueId));
    return sha256_bytes(text);
}

SpecCursor::SpecCursor(const SpecTable& table)
    : table_(table), text_(table.base_text_), now_(table.slots_.size(), 0) {
    fields_.assign(table.base_);
}

void SpecCursor::seek(std::size_t job) {
    const auto wanted = table_.ids(job);
    for (std::size_t i = 0; i < now_.size(); ++i) {
        if (now_[i] == wanted[i]) continue;
        now_[i] = wanted[i];
        const std::size_t key = table_.slots_[i].key;
        fields_.set(key, table_.slots_[i].values[now_[i]]);
        text_.set(key, table_.texts_[i][now_[i]]);
    }
}

}  // namespace leadsweep
