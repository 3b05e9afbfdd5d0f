// What ResultStore holds: the lock, the connection and the transaction at hand. Inside store/ only.
#pragma once

#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "orchestrator/store/connection.hpp"
#include "orchestrator/store/migrations.hpp"
#include "orchestrator/store/opening.hpp"
#include "orchestrator/store/result_store.hpp"
#include "orchestrator/store/store_lock.hpp"

namespace leadsweep {

inline std::string_view text_of(const SQLite::Column& column) {
    const char* text = column.getText();
    return {text, static_cast<std::size_t>(column.getBytes())};
}

struct ResultStore::State {
    State(const std::string& file, const StoreOptions& options)
        : lock(file, options.has_locks),
          is_on_network(!lock.is_of_kernel() || options.is_on_network.value_or(is_on_network_file_system(file))) {
        if (options.mode == OpenMode::kCreate) create_private_file(file);
        // One thread at a time, by `mutex`: SQLite's own locks would cost a twelfth of the time.
        // Where there are no locks, SQLite must not ask for any: the lease keeps others away.
        const std::string vfs = !options.vfs.empty() || lock.is_of_kernel() ? options.vfs : "unix-none";
        connection.emplace(file, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, vfs);
        check_identity(*connection, newest_schema_version());
        set_journal(*connection, is_on_network);
        migrate(*connection, all_migrations());
        transaction([&] { store_classes(*connection); });
    }

    template <class Work>
    void transaction(Work&& work) {
        const std::lock_guard guard(mutex);
        if (depth > 0) {
            try {
                work();
            } catch (...) {
                is_doomed = true;
                throw;
            }
            return;
        }
        connection->execute("BEGIN IMMEDIATE");
        depth = 1;
        is_doomed = false;
        try {
            work();
            if (is_doomed)
                throw StoreError(connection->path(), "COMMIT", 0, 0,
                                 "a part of this transaction failed; all is rolled back");
            if (!lock.is_held())
                throw StoreError(connection->path(), "COMMIT", 0, 0,
                                 "another leadsweep took the database over while this one slept; it goes on there");
            connection->execute("COMMIT");
            depth = 0;
        } catch (...) {
            depth = 0;
            connection->database().tryExec("ROLLBACK");  // fails where SQLite has rolled back by itself: nothing to do
            throw;
        }
    }

    void require_no_transaction(const char* what) const {
        if (depth > 0) throw std::logic_error(std::string(what) + " inside a transaction");
    }

    std::recursive_mutex mutex;
    StoreLock lock;
    bool is_on_network;
    std::optional<Connection> connection;
    int depth = 0;
    bool is_doomed = false;
};

}  // namespace leadsweep
