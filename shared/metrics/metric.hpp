// One computed figure: what metrics/ gives back, results carry and the database stores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace leadsweep {

/// One figure. `class_code` is empty for a figure over all classes; `value` is missing where the definition has no
/// value (for example the AUROC of a class without positives), never NaN.
struct Metric {
    std::string split;  ///< "test" or "validation"
    std::string class_code;
    std::string name;
    std::optional<double> value;
    std::int64_t n_positive = 0;
};

}  // namespace leadsweep
