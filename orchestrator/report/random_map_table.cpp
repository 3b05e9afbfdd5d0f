#include "orchestrator/report/random_map_table.hpp"

#include <fmt/format.h>

#include "orchestrator/report/class_names.hpp"
#include "orchestrator/report/map_pool.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr double kLevel = 0.05;

Cell number_cell(double value, int decimals) {
    return {fmt::format("{:.{}f}", value, decimals), {value}};
}

}  // namespace

Table random_map_table(const ReadStore& store, const MapRequest& request, const std::string& random_sweep) {
    JobFilter other = request.filter;
    other.sweep = random_sweep;
    const Selection trained = select_jobs(store, request.filter);
    const Selection random = select_jobs(store, other);
    if (trained.sweep_id == random.sweep_id)
        throw InputError(
            fmt::format("--random {}: these are the maps themselves; name the trained ones by --sweep", random_sweep));
    const MapPool pool = pool_jobs(store, trained);
    const MapPool random_pool = pool_jobs(store, random);
    if (pool.leads != random_pool.leads)
        throw InputError("one sweep has maps of leads, the other of electrodes: choose with --where explain.space=...");
    const auto compared = compare_with_random(pool.folds, random_pool.folds);
    if (compared.empty())
        throw InputError(fmt::format("sweeps {} and {} have no class in common that was explained in two folds",
                                     trained.sweep, random.sweep));
    const ClassNames names(store);
    Table table;
    table.caption =
        fmt::format("Maps of sweep {} beside those of networks with random weights ({})", trained.sweep, random.sweep);
    table.columns = {{"class"},
                     {"stability", Alignment::kRight},
                     {"random models", Alignment::kRight},
                     {"their similarity", Alignment::kRight},
                     {"the most similar", Alignment::kRight},
                     {"p", Alignment::kRight}};
    for (const auto& [code, one] : compared) {
        const std::string& name = names.of(code);
        if (!is_wanted(request, code, name)) continue;
        table.rows.push_back({cell_of(one.p < kLevel ? name : name + " °"), number_cell(one.stability, 2),
                              cell_of(one.models), number_cell(one.similarity, 2), number_cell(one.most_similar, 2),
                              number_cell(one.p, 3)});
    }
    table.notes.push_back(fmt::format(
        "stability: Spearman's correlation between folds, each map less the mean over classes; similarity: the same "
        "between a random network's map and the folds'. p: share of random networks as close to the folds as these are "
        "to each other. °: p >= {}: a network that learnt nothing would do.",
        kLevel));
    return table;
}

}  // namespace leadsweep
