#include "shared/job/pack_key.hpp"

#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("Shards cover all records", "[pack]") {
    CHECK(shard_count(0) == 0);
    CHECK(shard_count(1) == 1);
    CHECK(shard_count(256) == 1);
    CHECK(shard_count(257) == 2);
}

TEST_CASE("Jobs share a pack exactly if their records are prepared alike", "[pack]") {
    const JobSpec base;
    const auto differs = [&](auto&& change) {
        JobSpec changed = base;
        change(changed);
        return pack_key(changed, "d") != pack_key(base, "d");
    };
    CHECK(differs([](JobSpec& s) { s.sampling_hz = 75; }));
    CHECK(differs([](JobSpec& s) { s.data.window_s = 5; }));
    CHECK(differs([](JobSpec& s) { s.data.normalize = "zscore"; }));
    CHECK(differs([](JobSpec& s) { s.data.leads = {"II", "I"}; }));
    CHECK(differs([](JobSpec& s) { s.data.windows = "strided"; }));
    CHECK(differs([](JobSpec& s) { s.data.band_pass_hz = {0.5, 40}; }));
    CHECK(differs([](JobSpec& s) { s.data.missing = "mask"; }));
    CHECK(differs([](JobSpec& s) { s.data.derive_leads = "limb"; }));
    CHECK(differs([](JobSpec& s) { s.data.layout = "reshape"; }));
    CHECK(differs([](JobSpec& s) { s.data.pack_type = "int16"; }));
    CHECK_FALSE(differs([](JobSpec& s) { s.data.pooling = "max"; }));
    CHECK_FALSE(differs([](JobSpec& s) { s.fold = 3; }));
    CHECK_FALSE(differs([](JobSpec& s) { s.data.records = "/elsewhere"; }));
    CHECK_FALSE(differs([](JobSpec& s) { s.loss = "focal"; }));
    CHECK(pack_key(base, "other data") != pack_key(base, "d"));
}

// Computed apart from this code, by Python's hashlib over the canonical JSON.
TEST_CASE("The pack key of a fixed job is golden", "[pack]") {
    JobSpec spec;
    spec.sampling_hz = 75;
    spec.data.leads = {"I", "V1"};
    CHECK(pack_key(spec, "data") == "aa2ffb0fb64f63365c3f54c665795649a11f10929a217d5a963f228477dee45c");
}
