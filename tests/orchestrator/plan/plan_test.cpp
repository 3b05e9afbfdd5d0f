#include "orchestrator/plan/plan.hpp"

#include <cstdlib>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include "orchestrator/plan/catalogue_source.hpp"
#include "shared/job/pack_key.hpp"
#include "tests/orchestrator/plan/plan_support.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::test;
namespace fs = std::filesystem;

namespace {

/// Two records of each patient, half of them with atrial fibrillation.
std::shared_ptr<Catalogue> made_catalogue(std::size_t patients) {
    auto catalogue = std::make_shared<Catalogue>();
    for (std::size_t p = 0; p < patients; ++p)
        for (const char* r : {"a", "b"})
            catalogue->records.push_back(made_record("r" + std::to_string(100 + p) + r,
                                                     {p % 2 ? "164889003" : "426783006"}, "p" + std::to_string(p)));
    return catalogue;
}

/// Counts how often it is asked, and for what.
struct Provider {
    std::shared_ptr<Catalogue> catalogue = made_catalogue(12);
    std::vector<std::string> asked;
    CatalogueProvider function() {
        return [this](const DataSpec& data) {
            asked.push_back(source_of(data));
            return catalogue;
        };
    }
};

bool has_note(const Plan& plan, const std::string& text) {
    for (const auto& note : plan.notes)
        if (note.find(text) != std::string::npos) return true;
    return false;
}

}  // namespace

TEST_CASE("A plan has every job with its keys and each fold's lists once", "[plan]") {
    Provider provider;
    const Plan plan =
        make_plan(sweep_of(kData + "folds: {k: 3}\naxes: {loss: [bce, focal], fold: all, data.window_s: [5, 10]}\n"),
                  provider.function());
    CHECK(plan.jobs.size() == 12);
    CHECK(plan.groups.size() == 4);
    CHECK(plan.lists.size() == 3);
    CHECK(plan.folds.size() == 1);
    CHECK(plan.data.size() == 1);
    CHECK(provider.asked.size() == 1);
    CHECK(plan.data[0].data_digest == digest_of(*provider.catalogue));
    std::set<std::string> keys;
    for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
        const PlannedJob& job = plan.jobs[i];
        const JobSpec spec = plan.specs[i];
        const JobKeys expected = keys_of(spec, {plan.data[0].data_digest, plan.lists_digests[job.lists]});
        keys.insert(plan.keys(i).key);
        CHECK(plan.lists[job.lists].fold == spec.fold);
        CHECK(plan.keys(i).key == expected.key);
        CHECK(plan.keys(i).train_key == expected.train_key);
        CHECK(plan.keys(i).group == expected.group);
        CHECK(plan.keys(i).point == expected.point);
        CHECK(plan.specs.text(i) == to_json(spec).dump());
        CHECK(plan.packs[job.pack].key == pack_key(spec, plan.data[0].data_digest));
        CHECK(plan.lists_digests[job.lists] == digest_of(plan.lists[job.lists]));
    }
    CHECK(keys.size() == 12);
}

TEST_CASE("Settings that change folds or records get lists of their own", "[plan]") {
    Provider provider;
    const Plan plan = make_plan(sweep_of("base: {data.synthetic.patients: 12}\naxes: {data.synthetic.seed: [1, 2], "
                                         "folds.k: [3, 4], folds.validation: [next, tested]}\n"),
                                provider.function());
    CHECK(plan.jobs.size() == 8);
    CHECK(provider.asked.size() == 2);
    CHECK(plan.data.size() == 2);
    CHECK(plan.folds.size() == 4);
    CHECK(plan.lists.size() == 8);
    CHECK(has_note(plan, "leaky"));
}

TEST_CASE("The table is applied before the digest and the folds", "[plan]") {
    const TemporaryFolder folder;
    std::ofstream(folder.path / "t.csv") << "path,group\nr100a,joined\nr101a,joined\n";
    Provider provider;
    const std::string yaml = "data: {records: " + folder.path.string() + "}\nfolds: {k: 3}\n";
    const Plan without = make_plan(sweep_of(yaml), provider.function());
    const Plan with =
        make_plan(sweep_of(yaml, {"data.table.file=" + (folder.path / "t.csv").string(), "data.table.patient=group"}),
                  provider.function());
    CHECK(with.data[0].data_digest != without.data[0].data_digest);
    CHECK(with.data[0].catalogue->records[0].patient == "joined");
    CHECK(provider.catalogue->records[0].patient == "p0");
    CHECK(without.folds[0].report.groups == 12);
    CHECK(with.folds[0].report.groups == 13);  // r100b and r101b keep p0 and p1, joined is new
    CHECK(has_note(with, "22 of 24 records have no row"));
}

TEST_CASE("A lead that no record has is an error, a lead that some lack leaves these out", "[plan]") {
    Provider provider;
    for (auto& record : provider.catalogue->records) record.leads = {"I", "II"};
    provider.catalogue->records[3].leads = {"I"};
    const auto problems =
        problems_in([&] { make_plan(sweep_of(kData + "base: {data.leads: [I, V1]}\n"), provider.function()); });
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].find("no record has lead V1") != std::string::npos);
    const Plan plan = make_plan(sweep_of(kData + "base: {data.leads: [I, II], folds.k: 3}\n"), provider.function());
    CHECK(plan.folds[0].report.without_lead == 1);
    CHECK(plan.lists[0].train.size() + plan.lists[0].validation.size() + plan.lists[0].test.size() == 23);
    CHECK(has_note(plan, "1 records lack a lead"));
}

TEST_CASE("Problems of the records carry the place of the setting behind them, once", "[plan]") {
    const CatalogueProvider scan = [](const DataSpec& data) {
        scan_records_folder(data.records);
        return std::make_shared<Catalogue>();
    };
    const auto problems = problems_in([&] {
        make_plan(sweep_of("data: {records: /does/not/exist}\naxes: {fold: all, loss: [bce, focal]}\n"), scan);
    });
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("s.yaml:1:17: data.records: there is no folder /does/not/exist"));

    Provider provider;
    const auto folds =
        problems_in([&] { make_plan(sweep_of(kData + "folds: {k: 20}\naxes: {fold: all}\n"), provider.function()); });
    REQUIRE(folds.size() == 1);
    CHECK(folds[0].starts_with("s.yaml:2:12: folds.k is 20, but the records form only 12 groups"));
}

TEST_CASE("The plan reads as text with counts, folds, states and notes", "[plan]") {
    Provider provider;
    provider.catalogue->records[0].labels.clear();
    const Plan plan =
        make_plan(sweep_of("name: shown\n" + kData +
                           "folds: {k: 3}\naxes: {fold: all}\nzip: [{train.batch: [8, 16], seed: [1, 2]}]\n"),
                  provider.function());
    const std::string text = render_plan(plan, {{plan.keys(0).key, "done"}, {plan.keys(1).key, "stale"}});
    INFO(text);
    CHECK(text.starts_with("Sweep shown: 6 jobs in 2 groups (1 done, 4 new, 1 stale)\n"));
    CHECK(text.find("  fold: 0 (2), 1 (2), 2 (2)\n") != std::string::npos);
    CHECK(text.find("  train.batch + seed: 8 + 1 (3), 16 + 2 (3)\n") != std::string::npos);
    CHECK(text.find("23 of 24 records in 12 groups") != std::string::npos);
    CHECK(text.find("1 records have no known diagnosis") != std::string::npos);
}

TEST_CASE("The real records with their table make folds that keep groups whole", "[plan][real]") {
    const char* named = std::getenv("LEADSWEEP_ECG");
    const fs::path folder = named ? fs::path(named) : fs::path(LEADSWEEP_SOURCE_DIR) / ".." / "shared" / "ecg";
    if (!fs::exists(folder / "labels.csv")) LEADSWEEP_SKIP("no real records in " + folder.string());
    // The table says all that folds need: no record is opened here.
    const CatalogueProvider provider = [](const DataSpec& data) {
        auto catalogue = std::make_shared<Catalogue>();
        for (const auto& path : scan_records_folder(data.records).records)
            catalogue->records.push_back(made_record(path, {}));
        return catalogue;
    };
    const Plan plan = make_plan(load_sweep_file(fs::path(LEADSWEEP_SOURCE_DIR) / "sweeps" / "real_small.yaml",
                                                {"data.records=" + folder.string()}),
                                provider);
    CHECK(plan.jobs.size() == 12);
    CHECK(plan.data[0].catalogue->records.size() == 1446);
    CHECK(plan.folds[0].report.split_groups == 0);
    CHECK(plan.folds[0].report.without_diagnosis > 0);
    CHECK_FALSE(has_note(plan, "have no row"));
}
