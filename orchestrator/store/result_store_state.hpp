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
        : lock(file), is_on_network(options.is_on_network.value_or(is_on_network_file_system(file))) {
        if (options.mode == OpenMode::kCreate) create_private_file(file);
        connection.emplace(file, SQLite::OPEN_READWRITE);
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
