// Classes from a user's file, groups as classes, where labels are looked for, and which database a record is of.
#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"
#include "shared/ecg/sources.hpp"
#include "shared/job/fold_lists.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;

namespace {

const std::string kCsv =
    "code,abbreviation,name,merge\n"
    "164889003,AF,atrial fibrillation,flutter\n"
    "426783006,NSR,\"sinus rhythm, normal\",\n"
    "164890007,AFL,atrial flutter,flutter\n"
    "59118001|713427006,RBBB,right bundle branch block,\n";

std::string csv_problem(const std::string& text) {
    try {
        label_set_from_csv(text, "classes.csv");
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

Catalogue catalogue_with(const std::vector<std::string>& paths) {
    Catalogue catalogue;
    for (const auto& path : paths) catalogue.records.emplace_back().path = path;
    name_sources(catalogue);
    return catalogue;
}

std::vector<std::string> sources_of(const std::vector<std::string>& paths) {
    std::vector<std::string> sources;
    for (const auto& record : catalogue_with(paths).records) sources.push_back(record.source);
    return sources;
}

}  // namespace

TEST_CASE("A user's classes are read with their merges and alternative codes", "[classes]") {
    const LabelSet set = label_set_from_csv(kCsv, "classes.csv");
    CHECK(set.name == "file");
    REQUIRE(set.classes.size() == 4);
    CHECK(set.classes[1].name == "sinus rhythm, normal");
    CHECK(set.groups == std::vector<std::vector<std::size_t>>{{0, 2}, {1}, {3}});
    CHECK(set.group_abbreviation(0) == "AF|AFL");
    CHECK(set.find("713427006") == 3);
    CHECK_FALSE(set.find("1"));
    CHECK(label_set_text(label_set_from_text(label_set_text(set))) == label_set_text(set));
}

TEST_CASE("What is wrong in a user's classes is told with file and row", "[classes]") {
    CHECK_THAT(csv_problem("code,name\n1,x\n"), ContainsText("classes.csv: found the columns 'code, name'"));
    CHECK_THAT(csv_problem("code,abbreviation,name\n1,a,b\n1,c,d\n"), ContainsText("row 3: code 1 was there before"));
    CHECK_THAT(csv_problem("code,abbreviation,name\n,a,b\n"), ContainsText("row 2 has no code"));
    CHECK_THAT(csv_problem("code,abbreviation,name\n1,a\n"), ContainsText("row 2 has 2 fields"));
    CHECK_THAT(csv_problem("code,abbreviation,name\n"), ContainsText("no class in it"));
}

TEST_CASE("Classes travel with the lists of a fold, and a user's ones are part of its identity", "[classes][job]") {
    const TemporaryFolder folder;
    FoldLists lists;
    lists.label_set = label_set_from_csv(kCsv, "classes.csv");
    lists.data_digest = "d";
    lists.train = {0};
    lists.validation = {1};
    lists.test = {2};
    lists.record_count = 3;
    lists.class_count = 4;
    lists.labels.assign(12, 1);
    save_fold_lists(lists, folder / "lists.safetensors");
    const FoldLists loaded = load_fold_lists(folder / "lists.safetensors");
    CHECK(label_set_text(loaded.label_set) == label_set_text(lists.label_set));
    CHECK(digest_of(loaded) == digest_of(lists));
    FoldLists other = lists;
    other.label_set.classes[0].code = "1";
    CHECK(digest_of(other) != digest_of(lists));
    other.label_set = label_set("challenge2021");
    lists.label_set = label_set("synthetic");
    CHECK(digest_of(other) == digest_of(lists));  // known sets are told by data.labels
}

TEST_CASE("A source is the folder in which records differ, whatever lies above and below it", "[sources]") {
    using Sources = std::vector<std::string>;
    CHECK(sources_of({"georgia/g1/E00001", "ptb-xl/g2/HR00001"}) == Sources{"georgia", "ptb-xl"});
    CHECK(sources_of({"training/georgia/g1/E00001", "training/ptb/g1/S0001"}) == Sources{"georgia", "ptb"});
    CHECK(sources_of({"georgia/g1/E00001", "georgia/g2/E00002"}) == Sources{"georgia", "georgia"});
    CHECK(sources_of({"A0001", "Q0001", "I0001", "S0001", "HR00001", "E00001"}) ==
          Sources{"cpsc_2018", "cpsc_2018_extra", "st_petersburg_incart", "ptb", "ptb-xl", "georgia"});
    CHECK(sources_of({"JS10646", "JS10647"}) == Sources{"chapman_shaoxing", "ningbo"});
    CHECK(sources_of({"records500/00000/00001_hr", "records500/01000/01001_hr"}) ==
          Sources{"records500", "records500"});
    CHECK(sources_of({"mine/a", "mine/b"}) == Sources{"mine", "mine"});
    CHECK(sources_of({"a", "b"}) == Sources{"", ""});
}

TEST_CASE("Limb leads follow from I and II", "[leads]") {
    CHECK(gives_leads({"ii", "AVR"}, {"aVR", "II"}, false));
    CHECK_FALSE(gives_leads({"I", "II"}, {"aVF"}, false));
    CHECK(gives_leads({"I", "II"}, {"aVF", "III", "aVR", "aVL"}, true));
    CHECK_FALSE(gives_leads({"I"}, {"aVF"}, true));
    CHECK_FALSE(gives_leads({"I", "II"}, {"V1"}, true));
    CHECK(find_lead("ECG aVL") == 4);
}
