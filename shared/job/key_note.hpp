// What is known of one key of a job besides its type and default: what parsing, --help and hashes follow.
#pragma once

#include <string>
#include <vector>

namespace leadsweep {

/// Which identity a key belongs to (shared/job/key.hpp).
enum class KeyPart {
    kTrain,     ///< changes what is trained: in train_key and key
    kEvaluate,  ///< changes only what is computed from the trained model: in key
    kNone       ///< changes where or when, or is covered by the digests of records and folds: in neither
};

/// What is known of one key of a job besides its type and default.
struct KeyNote {
    const char* path;  ///< dotted, as in the sweep file: "model.depth"
    const char* unit;  ///< "" if none
    KeyPart part;
    const char* text;
    double minimum = 0;
    double maximum = 0;                     ///< minimum == maximum: no range
    std::vector<std::string> choices = {};  ///< alternatives of a string
    bool is_minimum_open = false;           ///< the minimum itself is not allowed
};

}  // namespace leadsweep
