#include "orchestrator/plan/sweep_file.hpp"

#include <set>

#include <fmt/format.h>

#include "shared/core/files.hpp"
#include "shared/job/key.hpp"
#include "shared/job/schema.hpp"
#include "tests/orchestrator/plan/plan_support.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::test;
using Problems = std::vector<std::string>;

namespace {

const nlohmann::json& base_value(const SweepSpec& sweep, const std::string& key) {
    for (const Setting& setting : sweep.base)
        if (setting.key == key) return setting.value;
    throw std::runtime_error(key + " is not set");
}

}  // namespace

TEST_CASE("Sections, nested and dotted keys name the same settings", "[sweep_file]") {
    const SweepSpec sweep = sweep_of(
        "data: {window_s: 5, synthetic: {patients: 3}}\nfolds: {k: 4}\n"
        "base: {sampling_hz: 250, model: {depth: 3}, train.batch: 8}\n");
    CHECK(sweep.name == "s");
    CHECK(base_value(sweep, "data.window_s") == 5);
    CHECK(base_value(sweep, "data.synthetic.patients") == 3);
    CHECK(base_value(sweep, "folds.k") == 4);
    CHECK(base_value(sweep, "sampling_hz") == 250);
    CHECK(base_value(sweep, "model.depth") == 3);
    CHECK(base_value(sweep, "train.batch") == 8);
    CHECK(sweep.place_of("train.batch") == "s.yaml:3:58");
    CHECK(sweep.place_of("seed") == "s.yaml");
    CHECK(sweep_of("name: other\n").name == "other");
}

TEST_CASE("Scalars are typed by the schema", "[sweep_file]") {
    const SweepSpec sweep = sweep_of(
        "base: {train.learning_rate: 1e-3, sampling_hz: 100, train.epochs: +7, model.kernels: [9, 5.5], "
        "data.table.file: 2021}\n");
    CHECK(base_value(sweep, "train.learning_rate") == 1e-3);
    CHECK(base_value(sweep, "sampling_hz").is_number_float());
    CHECK(base_value(sweep, "sampling_hz").dump() == "100.0");
    CHECK(base_value(sweep, "train.epochs").is_number_integer());
    CHECK(base_value(sweep, "model.kernels").dump() == "[9.0,5.5]");
    CHECK(base_value(sweep, "data.table.file") == "2021");

    CHECK(sweep_problems("base: {sampling_hz: \"100\"}\n") ==
          Problems{"s.yaml:1:21: sampling_hz: expected a number, found \"100\""});
    CHECK(sweep_problems("base: {sampling_hz: .nan}\n") ==
          Problems{"s.yaml:1:21: sampling_hz: expected a number, found \".nan\""});
    CHECK(sweep_problems("base: {sampling_hz: inf}\n") ==
          Problems{"s.yaml:1:21: sampling_hz: expected a number, found \"inf\""});
    CHECK(sweep_problems("base: {train: {epochs: 3.5}}\n") ==
          Problems{"s.yaml:1:24: train.epochs: expected an integer, found 3.5"});
    CHECK(sweep_problems("base: {loss: }\n") == Problems{"s.yaml:1:8: loss: expected text, found null"});
}

TEST_CASE("100 and 100.0 are one experiment", "[sweep_file]") {
    const auto point = [](const std::string& rate) {
        return point_of(expand(sweep_of(kData + "base: {sampling_hz: " + rate + "}\n")).jobs[0]);
    };
    CHECK(point("100") == point("100.0"));
    CHECK(point("100") == point("1e2"));
    CHECK(point("100") != point("101"));
}

TEST_CASE("Lead names get one spelling", "[sweep_file]") {
    const SweepSpec sweep = sweep_of("data: {leads: [avr, v1], synthetic: {signs: [v2]}}\n");
    CHECK(base_value(sweep, "data.leads") == nlohmann::json{"aVR", "V1"});
    CHECK(base_value(sweep, "data.synthetic.signs") == nlohmann::json::array({"V2"}));
}

TEST_CASE("Paths are relative to the sweep file, those of --set to the current folder", "[sweep_file]") {
    const TemporaryFolder folder;
    const auto root = std::filesystem::canonical(folder.path);
    const auto file = root / "sweeps" / "s.yaml";
    write_file_durably(file, "data: {records: ../ecg}\naxes: {data.records: [a, ../b]}\n");
    const SweepSpec sweep = load_sweep_file(file);
    CHECK(base_value(sweep, "data.records") == (root / "ecg").string());
    CHECK(sweep.axes.at(0).points.at(1).at(0) == (root / "b").string());
    CHECK(sweep.folder == root / "sweeps");

    write_file_durably(file, "data: {records: ../ecg}\n");
    const auto here = std::filesystem::current_path();
    const SweepSpec set = load_sweep_file(file, {"data.records=x y: [z", "data.table.file=t.csv"});
    CHECK(base_value(set, "data.records") == (here / "x y: [z").string());
    CHECK(base_value(set, "data.table.file") == (here / "t.csv").string());
    CHECK_THROWS_AS(load_sweep_file(root / "none.yaml"), FileError);
}

TEST_CASE("An override by --set takes the place of a base setting", "[sweep_file]") {
    const SweepSpec sweep =
        sweep_of("base: {train: {batch: 8}}\n", {"train.batch=16", "model.kernels=[9, 5]", "train.epochs=2"});
    CHECK(base_value(sweep, "train.batch") == 16);
    CHECK(base_value(sweep, "model.kernels") == nlohmann::json{9.0, 5.0});
    CHECK(base_value(sweep, "train.epochs") == 2);
    CHECK(sweep.base.size() == 3);
    CHECK(base_value(sweep_of("data: {table: {file: a.csv}}\n", {"data.table.file="}), "data.table.file") == "");
}

TEST_CASE("Every slip in --set is named", "[sweep_file]") {
    const auto problem = [](const std::string& set) {
        const auto problems = sweep_problems("axes: {loss: [bce]}\n", {set});
        return problems.size() == 1 ? problems[0] : std::to_string(problems.size()) + " problems";
    };
    CHECK(problem("train.bacth=4") == "--set train.bacth=4: unknown key 'train.bacth', did you mean 'train.batch'?");
    CHECK(problem("train.batch=four") == "--set train.batch=four: train.batch: expected an integer, found \"four\"");
    CHECK(problem("loss=focal") == "--set loss=focal: loss is an axis of this sweep (s.yaml:1:8): change it there");
    CHECK(problem("model=fcn") == "--set model=fcn: model is a section: set one of its keys");
    CHECK(problem("train.batch") == "--set train.batch: expected key=value");
    CHECK(problem("model.kernels=[1").starts_with("--set model.kernels=[1: no YAML value: "));
    CHECK(sweep_problems("", {"seed=1", "seed=2"}).back() == "--set seed=2: seed is set twice, first by --set seed=1");
}

TEST_CASE("Every kind of mistake is told with its place", "[sweep_file]") {
    struct Case {
        std::string yaml;
        std::string problem;
    };
    const auto c = GENERATE(values<Case>({
        {"base: {trein: {batch: 3}}\n", "s.yaml:1:8: trein: unknown key, did you mean 'train'?"},
        {"base:\n  train:\n    bacth: 3\n", "s.yaml:3:5: train.bacth: unknown key, did you mean 'train.batch'?"},
        {"base: {seed: 1, seed: 2}\n", "s.yaml:1:17: base: duplicate key 'seed', first at s.yaml:1:8"},
        {"base: {model: {depth: 1}, model.depth: 2}\n",
         "s.yaml:1:27: duplicate key 'model.depth', first at s.yaml:1:16"},
        {"folds: {k: 3}\nbase: {folds: {k: 4}}\n", "s.yaml:2:16: duplicate key 'folds.k', first at s.yaml:1:12"},
        {"base: {seed: 1}\nbase: {seed: 2}\n", "s.yaml:2:1: the sweep file: duplicate key 'base', first at s.yaml:1:1"},
        {"base: {train: {batch: 0}}\n", "s.yaml:1:23: train.batch: expected a value >= 1 and <= 1000000, found 0"},
        {"base: {loss: bcee}\n",
         "s.yaml:1:14: loss: expected one of bce, focal, soft_f1, double_soft_f1, found 'bcee', did you mean 'bce'?"},
        {"base: {model.kernels: 9}\n", "s.yaml:1:23: model.kernels: expected a list of numbers, found 9"},
        {"base: {model.depth: {a: 1}}\n", "s.yaml:1:21: model.depth: expected an integer, found {\"a\":1}"},
        {"base: {fold: all}\n", "s.yaml:1:14: fold: expected an integer, found \"all\": `all` is for axes and include"},
        {"axis: {seed: [1]}\n", "s.yaml:1:1: unknown section 'axis', did you mean 'axes'?"},
        {"loss: bce\n", "s.yaml:1:1: unknown section 'loss', it is a setting: write it under base"},
        {"name: [a]\n", "s.yaml:1:7: name: expected a text"},
        {"axes: {seed: [1, 2, 1]}\n", "s.yaml:1:21: seed: duplicate value 1, first at s.yaml:1:15"},
        {"axes: {sampling_hz: [100, 100.0]}\n",
         "s.yaml:1:27: sampling_hz: duplicate value 100.0, first at s.yaml:1:22"},
        {"axes: {modl.depth: [1]}\n", "s.yaml:1:8: modl.depth: unknown key, did you mean 'model.depth'?"},
        {"axes: {folds: [3]}\n",
         "s.yaml:1:8: folds: an axis needs one key, this is a section: write one of folds.k, folds.assign, folds.seed, "
         "folds.validation"},
        {"axes: {seed: []}\n", "s.yaml:1:14: seed: the list of values is empty"},
        {"axes: {seed: 1}\n", "s.yaml:1:14: seed: expected a list of values, found 1: write [1]"},
        {"axes: {seed: [1, x]}\n", "s.yaml:1:18: seed: expected an integer, found \"x\""},
        {"axes: {model.kernels: [9, 5]}\n", "s.yaml:1:23: model.kernels: each value is itself a list: write [[9,5]]"},
        {"zip: [{seed: [1, 2], train.batch: [1, 2, 3]}]\n",
         "s.yaml:1:7: zip: the lists need equal lengths: seed has 2, train.batch has 3"},
        {"zip: [{seed: [1, 1], train.batch: [2, 2]}]\n",
         "s.yaml:1:18: seed, train.batch: duplicate value [1,2], first at s.yaml:1:15"},
        {"zip: [{fold: all}]\n", "s.yaml:1:14: fold: `all` has no fixed length, it cannot be zipped"},
        {"zip: {seed: [1]}\n", "s.yaml:1:6: zip: expected a list of entries: [{key: value}]"},
        {"axes: {seed: [1, 2]}\nzip: [{seed: [3, 4]}]\n", "s.yaml:2:7: seed is in two axes, first at s.yaml:1:8"},
        {"axes: {seed: [1]}\nwhen: [{if: {loss: bce}, set: {seed: 3}}]\n",
         "s.yaml:2:32: when: seed is an axis (s.yaml:1:8), its value is the point's"},
        {"when: [{if: {loss: bce}}]\n", "s.yaml:1:8: when: expected {if: {key: value}, set: {key: value}}"},
        {"when: [{if: {loss: bce}, set: {seed: 1}, then: 3}]\n",
         "s.yaml:1:42: when: unknown key 'then', known are if and set"},
        {"when: [{if: {}, set: {seed: 1}}]\n", "s.yaml:1:13: if: the entry names no key"},
        {"exclude: [{}]\n", "s.yaml:1:11: exclude: the entry names no key"},
        {"exclude: [{fold: all}]\n", "s.yaml:1:18: fold: `all` matches every point: leave the key out"},
        {"exclude: [{sampling_Hz: 3}]\n", "s.yaml:1:12: sampling_Hz: unknown key, did you mean 'sampling_hz'?"},
        {"include: [{}]\n", "s.yaml:1:11: include: the entry names no key"},
        {"include: [{seed: [1, 1]}]\n", "s.yaml:1:22: seed: duplicate value 1, first at s.yaml:1:19"},
        {"include: [3]\n", "s.yaml:1:11: include: expected keys with values, found 3"},
        {"base: [1]\n", "s.yaml:1:7: base: expected keys with values, found [1]"},
        {"", "s.yaml: expected a sweep with the sections name, data, folds, base, axes, zip, exclude, include, when"},
        {"- 1\n",
         "s.yaml: expected a sweep with the sections name, data, folds, base, axes, zip, exclude, include, when"},
        {"name: a\n---\nname: b\n", "s.yaml: expected one document, found several: remove '---' lines and stray commas"},
    }));
    INFO(c.yaml);
    const auto problems = sweep_problems(c.yaml);
    INFO((problems.empty() ? std::string("no problem") : problems[0]));
    CHECK(std::set<std::string>(problems.begin(), problems.end()).contains(c.problem));
}

TEST_CASE("What is no YAML is told with its place", "[sweep_file]") {
    const auto problems = sweep_problems("base: {seed: 1\naxes: [\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("s.yaml:2:"));
    CHECK(problems[0].find("no YAML: ") != std::string::npos);
}

TEST_CASE("All problems come at once", "[sweep_file]") {
    const Problems problems = sweep_problems(
        "base:\n  sampling_Hz: 3\n  loss: bcee\naxes:\n  seed: [1, 1]\n  train.batch: [many]\nexclude: [{lss: bce}]\n",
        {"fold=all", "modell=3"});
    CHECK(problems.size() == 7);
}

TEST_CASE("An alias that contains itself is an error, not an endless loop", "[sweep_file]") {
    CHECK(sweep_problems("base: {model.kernels: &a [*a]}\n").size() == 1);
}

TEST_CASE("The key table of sweeps/README.md is that of the schema", "[sweep_file]") {
    const std::string readme = read_file(std::string(LEADSWEEP_SOURCE_DIR) + "/sweeps/README.md");
    const std::size_t table = readme.find("| key | type |");
    REQUIRE(table != std::string::npos);
    CHECK(readme.substr(table) == schema_as_markdown());
}

TEST_CASE("The example sweeps have the jobs their comments promise", "[sweep_file]") {
    const std::string folder = std::string(LEADSWEEP_SOURCE_DIR) + "/sweeps/";
    CHECK(expand(load_sweep_file(folder + "demo.yaml")).jobs.size() == 12);
    CHECK(expand(load_sweep_file(folder + "real_small.yaml", {"data.records=."})).jobs.size() == 12);
    CHECK(expand(load_sweep_file(folder + "smoke.yaml")).jobs.size() == 2);
    const std::vector<std::pair<std::string, std::size_t>> on_records = {
        {"study_small", 60}, {"study", 120}, {"receptive_field", 90}, {"losses", 120},
        {"sources", 16},     {"leads", 85},  {"layout", 40}};
    for (const auto& [name, jobs] : on_records) {
        INFO(name);
        CHECK(expand(load_sweep_file(folder + name + ".yaml", {"data.records=."})).jobs.size() == jobs);
    }
}

TEST_CASE("A sweep file that is no UTF-8 text is told with its place", "[sweep_file]") {
    CHECK_THROWS_WITH(parse_sweep("name: s\nbase: {loss: b\xea}\n", "s.yaml"),
                      ContainsText("s.yaml:2:15: this is no UTF-8"));
    CHECK_THROWS_WITH(parse_sweep(std::string("name: s\nbase: {loss\0_: bce}\n", 26), "s.yaml"),
                      ContainsText("s.yaml:2:12: this is no UTF-8"));
    CHECK_NOTHROW(parse_sweep("name: fünf\nbase: {loss: bce}\n", "s.yaml"));
}

TEST_CASE("Escapes of YAML become the characters that they stand for", "[sweep_file]") {
    CHECK_THROWS_WITH(parse_sweep("name: s\nbase: {\"é\\_loss\": bce}\n", "s.yaml"),
                      ContainsText("é\xC2\xA0loss: unknown key"));
    CHECK_THROWS_WITH(parse_sweep("name: s\nbase: [\"\\N\"]\n", "s.yaml"), ContainsText("\xC2\x85"));
}

TEST_CASE("Aliases that repeat themselves without bound are refused at once", "[sweep_file]") {
    std::string many;
    for (int i = 0; i < 60; ++i) many += "*a, ";
    const auto refused = ContainsText("aliases (*name) repeat themselves or each other without bound");
    CHECK_THROWS_WITH(parse_sweep("name: s\naxes: {seed: &a [" + many + "1]}\n", "s.yaml"), refused);
    std::string bomb = "name: s\na0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
    for (int i = 1; i < 12; ++i) {
        std::string list;
        for (int k = 0; k < 10; ++k) list += fmt::format("{}*a{}", k ? ", " : "", i - 1);
        bomb += fmt::format("a{}: &a{} [{}]\n", i, i, list);
    }
    CHECK_THROWS_WITH(parse_sweep(bomb, "s.yaml"), refused);
    // Few nodes, much text.
    std::string words = "name: s\nx: &x " + std::string(100'000, 't') + "\nbase: [*x";
    for (int i = 0; i < 100; ++i) words += ", *x";
    CHECK_THROWS_WITH(parse_sweep(words + "]\n", "s.yaml"), refused);
    CHECK_NOTHROW(parse_sweep("name: s\naxes: {seed: &a [1, 2], folds.seed: *a}\nbase: {loss: bce}\n", "s.yaml"));
}

TEST_CASE("A stray comma is an error and not documents without end", "[sweep_file]") {
    CHECK_THROWS_AS(parse_sweep(",", "s.yaml"), InputError);
    CHECK_THROWS_AS(parse_sweep("name: s\n, x\n", "s.yaml"), InputError);
}
