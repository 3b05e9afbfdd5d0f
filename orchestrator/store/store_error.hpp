// What SQLite refused: the statement and both result codes. Input that is no usable database is an InputError instead.
#pragma once

#include <string>

#include "shared/core/errors.hpp"

namespace leadsweep {

/// A statement failed: disk full, input/output error, damaged file, constraint. The transaction at hand is rolled back
/// as a whole before this reaches the caller of ResultStore::in_transaction.
class StoreError : public Error {
public:
    StoreError(std::string path, std::string sql, int code, int extended_code, const std::string& message);
    const std::string& path() const { return path_; }
    const std::string& sql() const { return sql_; }
    int code() const { return code_; }                    ///< SQLITE_FULL, SQLITE_IOERR ...
    int extended_code() const { return extended_code_; }  ///< SQLITE_IOERR_WRITE ...
    /// What can be put right without a look into the database is an interruption: a full disk, one that fails, a
    /// database that somebody else holds.
    ExitCode exit_code() const override;

private:
    std::string path_;
    std::string sql_;
    int code_;
    int extended_code_;
};

}  // namespace leadsweep
