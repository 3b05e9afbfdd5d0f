#include "orchestrator/report/map_pool.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

bool is_electrode(const std::string& name) {
    return name == "RA" || name == "LA" || name == "LL";
}

std::vector<std::string> electrodes() {
    std::vector<std::string> names{"RA", "LA", "LL"};
    names.insert(names.end(), kLeadNames.begin() + 6, kLeadNames.end());
    return names;
}

/// The rows of all jobs together. Throws where leads and electrodes would be mixed.
std::vector<std::string> rows_of(const std::vector<SqlResult>& results, const std::string& sweep) {
    bool has_electrodes = false;
    bool has_limb_leads = false;
    for (const SqlResult& result : results)
        for (const auto& row : result.rows) {
            const std::string name = as_text(row[1]);
            const auto lead = find_lead(name);
            has_electrodes = has_electrodes || is_electrode(name);
            has_limb_leads = has_limb_leads || (lead && *lead < 6);
        }
    if (has_electrodes && has_limb_leads)
        throw InputError(
            fmt::format("sweep {} has maps of leads and maps of electrodes, which cannot be pooled: choose "
                        "with --where explain.space=leads or explain.space=electrodes",
                        sweep));
    return has_electrodes ? electrodes() : standard_lead_names();
}

/// Class -> lead -> importance, of one job.
using OfJob = std::map<std::string, std::map<std::string, double>>;

OfJob add_job(const SqlResult& result, MapPool& pool) {
    OfJob of_job;
    std::map<std::string, std::int64_t> n_of_class;
    for (const auto& row : result.rows) {
        const std::string code = as_text(row[0]);
        const auto lead = find_lead(as_text(row[1]));
        const std::string name = lead ? std::string(kLeadNames[*lead]) : as_text(row[1]);
        if (std::find(pool.leads.begin(), pool.leads.end(), name) == pool.leads.end()) {
            pool.has_other_leads = true;
            continue;
        }
        const std::int64_t n = as_integer(row[3]).value_or(0);
        const std::int64_t dropped = as_integer(row[5]).value_or(0);
        const bool is_first_lead = !n_of_class.contains(code);
        if (n == 0) {
            if (is_first_lead && dropped > 0) ++pool.without_fit;
            n_of_class.emplace(code, 0);
            continue;
        }
        Pooled& pooled = pool.classes[code];
        std::int64_t& job_n = n_of_class[code];
        pooled.n += std::max<std::int64_t>(n - job_n, 0);
        job_n = std::max(job_n, n);
        if (is_first_lead) pooled.n_dropped += dropped;
        if (const auto importance = as_number(row[2])) {
            pooled.weighted_sum[name].add_product(static_cast<double>(n), *importance);
            pooled.lead_n[name] += n;
            of_job[code][name] = *importance;
        }
        if (const auto r2 = as_number(row[4])) {
            pooled.r2_sum.add_product(static_cast<double>(n), *r2);
            pooled.r2_n += n;
        }
    }
    return of_job;
}

/// The maps that have every lead that any has: only those can be compared.
std::vector<FoldMap> complete_maps(const std::vector<OfJob>& jobs) {
    std::size_t most = 0;
    for (const OfJob& job : jobs)
        for (const auto& [code, of_lead] : job) most = std::max(most, of_lead.size());
    std::vector<FoldMap> folds;
    for (const OfJob& job : jobs) {
        FoldMap& fold = folds.emplace_back();
        for (const auto& [code, of_lead] : job)
            if (of_lead.size() == most)
                for (const auto& [name, importance] : of_lead) fold[code].push_back(importance);
    }
    return folds;
}

}  // namespace

MapPool pool_jobs(const ReadStore& store, const Selection& selection) {
    std::vector<SqlResult> results;
    MapPool pool;
    for (std::size_t i = 0; i < selection.jobs.size(); ++i) {
        const SelectedJob& job = selection.jobs[i];
        if (job.attempt_id == 0) continue;
        pool.job_of_fold.push_back(i);
        results.push_back(
            store.ask("SELECT class_code, lead, sum(importance), max(n), avg(r2), max(n_dropped) FROM lead_importance "
                      "WHERE attempt_id = ? GROUP BY class_code, lead",
                      {job.attempt_id}));
    }
    pool.leads = rows_of(results, selection.sweep);
    std::vector<OfJob> of_jobs;
    for (const SqlResult& result : results) of_jobs.push_back(add_job(result, pool));
    pool.folds = complete_maps(of_jobs);
    return pool;
}

}  // namespace leadsweep
