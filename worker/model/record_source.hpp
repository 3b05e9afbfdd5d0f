// Where prepared records come from, as far as networks are concerned: numbered blocks of leads x samples. How they are
// stored (worker/dataset/pack.hpp) and which of them are used (FoldLists) is not told here.
#pragma once

#include <cstdint>

namespace leadsweep {

class RecordSource {
public:
    virtual ~RecordSource() = default;
    virtual std::int64_t leads() const = 0;    ///< L
    virtual std::int64_t samples() const = 0;  ///< T
    /// Copies one record to `out`, row-major [L, T], in uV unless normalised. Called from one thread at a time.
    virtual void copy(std::int64_t record, float* out) const = 0;
};

}  // namespace leadsweep
