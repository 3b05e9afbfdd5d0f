// Questions by name: the worked ones of results/README.md, which come with the program, and people's own, kept as
// NAME.sql in a folder beside the database.
#pragma once

#include <string>
#include <vector>

namespace leadsweep {

struct SavedQuery {
    std::string name;
    std::string about;  ///< its first line, if that is a comment
    std::string sql;
    bool is_own = false;
};

/// `<database>.queries`.
std::string queries_folder(const std::string& database_path);

/// Own ones first; an own one takes the place of one of the program of the same name. By name.
std::vector<SavedQuery> saved_queries(const std::string& folder);

/// Throws InputError with the nearest name.
SavedQuery find_query(const std::string& folder, const std::string& name);

/// Writes NAME.sql. Throws InputError where the name is no file name, FileError.
void save_query(const std::string& folder, const std::string& name, const std::string& sql);

}  // namespace leadsweep
