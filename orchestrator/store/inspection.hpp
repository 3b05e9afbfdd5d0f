// What can be said about a database file as a file: is it whole, how is it kept. For `doctor` and `backup`.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/store/store_error.hpp"

namespace leadsweep {

/// What SQLite's quick check finds; empty where the file is whole. Throws StoreError.
std::vector<std::string> quick_check(const std::string& path);

struct FileInspection {
    std::vector<std::string> damages;        ///< of integrity_check
    std::vector<std::string> dangling_rows;  ///< of foreign_key_check: "attempts row 7 refers to no jobs"
    std::string journal_mode;
    bool is_on_network = false;
    int version = 0;
    int newest_version = 0;
};

/// Reads the whole file. Throws InputError where it is no database of leadsweep, or of a newer version; StoreError.
FileInspection inspect_file(const std::string& path);

}  // namespace leadsweep
