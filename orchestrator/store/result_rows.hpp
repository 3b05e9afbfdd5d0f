// The rows of one attempt's result. Inside store/ only; ResultStore::record_finished decides whether they count.
#pragma once

#include "orchestrator/store/connection.hpp"
#include "shared/job/job_result.hpp"

namespace leadsweep {

/// Inserts epochs, metrics, lead importance and artifacts of the attempt. Must run inside a transaction. Throws
/// StoreError.
void insert_result_rows(Connection& connection, AttemptId attempt, const JobResult& result);

}  // namespace leadsweep
