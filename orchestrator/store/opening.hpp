// What happens to a database file before its first transaction. Inside store/ only.
#pragma once

#include <string>

#include "orchestrator/store/connection.hpp"
#include "orchestrator/store/result_store.hpp"

namespace leadsweep {

/// kCreate makes the folders above the file; kExisting throws InputError where there is no file. Throws FileError.
void prepare_file(const std::string& path, OpenMode mode);

/// Makes an empty file that only its owner can read, unless there is one; SQLite's side files take over its mode.
/// Throws FileError.
void create_private_file(const std::string& path);

/// Durability and sharing: a commit survives a power cut (synchronous FULL). WAL needs memory shared by all readers and
/// writers, so network file systems get a rollback journal and a single process. Throws StoreError.
void set_journal(Connection& connection, bool is_on_network);

/// Codes, abbreviations and names of all known label sets, for the views; of one. Throws StoreError.
void store_classes(Connection& connection);
void store_classes(Connection& connection, const LabelSet& set);

}  // namespace leadsweep
