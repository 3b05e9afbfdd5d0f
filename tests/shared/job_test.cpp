#include "shared/job/job_spec.hpp"

#include <limits>

#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/job/job_result.hpp"
#include "shared/job/key.hpp"
#include "shared/job/schema.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("The text of a spec is that of its JSON, also after a key was changed") {
    JobSpec spec;
    spec.data.records = "a \"quoted\" folder";
    spec.model.kernels = {0.08, 0.04, 1};
    spec.data.leads = {"II", "V5"};
    SpecText text(spec);
    CHECK(text.whole() == to_json(spec).dump());

    spec.model.depth = 9;
    spec.loss = "focal";
    const auto& schema = job_schema();
    text.set(static_cast<std::size_t>(find_key("model.depth") - schema.data()),
             text_of_setting(static_cast<std::size_t>(find_key("model.depth") - schema.data()), 9));
    text.set(static_cast<std::size_t>(find_key("loss") - schema.data()),
             text_of_setting(static_cast<std::size_t>(find_key("loss") - schema.data()), "focal"));
    CHECK(text.whole() == to_json(spec).dump());
    CHECK(hex_of(digests_of(text, {"d", "l"}).key) == keys_of(spec, {"d", "l"}).key);
}

TEST_CASE("A job spec survives the way through JSON", "[job]") {
    JobSpec spec;
    spec.sampling_hz = 75;
    spec.model.kernels = {9, 5};
    spec.data.synthetic.signs = {"V2"};
    CHECK(to_json(job_spec_from_json(to_json(spec))) == to_json(spec));
}

TEST_CASE("All problems of a job spec are reported at once", "[job]") {
    try {
        job_spec_from_json({{"sampling_Hz", 75}, {"loss", "bcee"}, {"train", {{"batch", 0}, {"epochs", "ten"}}}});
        FAIL("no error");
    } catch (const InputError& error) {
        CHECK(error.problems().size() == 4);
        CHECK_THAT(error.what(), ContainsText("sampling_Hz: unknown key, did you mean 'sampling_hz'?"));
        CHECK_THAT(error.what(), ContainsText("did you mean 'bce'?"));
        CHECK_THAT(error.what(), ContainsText("train.batch: expected a value >= 1"));
        CHECK_THAT(error.what(), ContainsText("train.epochs: expected an integer"));
    }
}

TEST_CASE("Keys change with what they cover and with nothing else", "[job][key]") {
    const DataIdentity data{"d", "l"};
    const JobSpec base;
    const JobKeys keys = keys_of(base, data);
    JobSpec changed = base;
    SECTION("where a job runs is in no hash") {
        changed.resources.devices = 4;
        changed.data.records = "/elsewhere";
        CHECK(keys_of(changed, data).key == keys.key);
    }
    SECTION("the explanation changes key, not train_key") {
        changed.explain.segments = 7;
        CHECK(keys_of(changed, data).train_key == keys.train_key);
        CHECK(keys_of(changed, data).key != keys.key);
    }
    SECTION("training changes both") {
        changed.train.learning_rate = 2e-3;
        CHECK(keys_of(changed, data).train_key != keys.train_key);
        CHECK(keys_of(changed, data).key != keys.key);
    }
    SECTION("other records change both, the point stays") {
        CHECK(keys_of(base, {"d2", "l"}).train_key != keys.train_key);
        CHECK(keys_of(base, {"d2", "l"}).point == keys.point);
    }
    SECTION("folds of one configuration share the group") {
        changed.fold = 3;
        CHECK(keys_of(changed, data).group == keys.group);
        CHECK(keys_of(changed, data).point != keys.point);
    }
}

// The values were computed apart from this code: SHA-256 of the canonical JSON text, by Python's hashlib.
TEST_CASE("The keys of a fixed job are golden: a change here changes every user's results to stale", "[job][key]") {
    JobSpec spec;
    spec.sampling_hz = 75;
    spec.loss = "double_soft_f1";
    const JobKeys keys = keys_of(spec, {"data", "lists"});
    std::string canonical;
    SpecText(spec).append_canonical(canonical, KeyPart::kEvaluate);
    CHECK(canonical == R"({"loss":"double_soft_f1","sampling_hz":75.0})");
    CHECK(keys.point == "b1a6f7faa8879912c4f2da350383a83d152129c5de3c0d282dd0e8785174a9b0");
    CHECK(keys.train_key == "96c74c6326c969e86f2f93784663c55613ad721f63bbc4a5a6e6ca8feff1183b");
    CHECK(keys.key == "4a6f46166480f546e20b6f9bff5cb6a78a824d0eee99b627bfeb90bb21d69f95");
}

TEST_CASE("A result survives the way through its file, missing values included", "[job]") {
    JobResult result;
    result.metrics.push_back({"test", "426783006", "auroc", std::nullopt, 0});
    result.epochs.push_back({1, 0.5, 0.4, std::nullopt, 0.1, 1e-3, 2.0, 100.0, true});
    result.lead_importance.push_back({"426783006", "V1", 3, -0.5, 0.7, 0.1, 12, 0.8});
    CHECK(to_json(job_result_from_json(to_json(result))) == to_json(result));
}

TEST_CASE("A count in a result that is no whole number is refused", "[job]") {
    const auto with = [](const nlohmann::json& count) {
        auto json = to_json(JobResult{});
        json["n_test"] = count;
        return json;
    };
    CHECK(job_result_from_json(with(7)).n_test == 7);
    for (const double no_count : {2.5, 1e300, std::numeric_limits<double>::infinity()})
        CHECK_THROWS_AS(job_result_from_json(with(no_count)), nlohmann::json::type_error);
    CHECK_THROWS_AS(job_result_from_json(with(std::numeric_limits<std::uint64_t>::max())), nlohmann::json::type_error);
}
