#include "orchestrator/report/settings.hpp"

#include "shared/core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("Settings are read by dotted path and shown shortest", "[report]") {
    SettingTable table;
    const GroupSettings group = table.add(
        R"({"a":500.0,"b":{"c":true,"d":[40.0,20,"x,y"],"e":{"f":null,"g":"}, \"{"}},"h":[],"i":[[1,2],[3]]})");
    const auto shown = [&](const std::string& key) {
        const std::string* value = table.find(group, key);
        return value == nullptr ? "nothing" : *value;
    };
    CHECK(shown("a") == "500");
    CHECK(shown("b.c") == "true");
    CHECK(shown("b.d") == "[40, 20, x,y]");
    CHECK(shown("b.e.f") == "null");
    CHECK(shown("b.e.g") == "}, \"{");
    CHECK(shown("h") == "[]");
    CHECK(shown("i") == "[[1, 2], [3]]");
    CHECK(shown("b") == "nothing");
}

TEST_CASE("Groups with equal and with other settings, or without some, are told apart", "[report]") {
    SettingTable table;
    const GroupSettings first = table.add(R"({"a":1,"b":{"c":2}})");
    const GroupSettings second = table.add(R"({"a":1,"b":{"c":3}})");
    const GroupSettings third = table.add(R"({"b":{"c":2},"d":"new"})");
    CHECK(*table.find(second, "a") == "1");
    CHECK(*table.find(second, "b.c") == "3");
    CHECK(*table.find(third, "b.c") == *table.find(first, "b.c"));
    CHECK(table.find(third, "a") == nullptr);
    CHECK(table.find(first, "d") == nullptr);
    CHECK(*table.find(third, "d") == "new");
    CHECK(table.size() == 3);
}

TEST_CASE("A spec that is no JSON is refused", "[report]") {
    SettingTable table;
    for (const char* spec : {"", "no json", "{\"a\":}", "{\"a\":[1}", "{\"a\" 1}"})
        CHECK_THROWS_AS(table.add(spec), InputError);
    CHECK(table.add("{}").value_of(0) == GroupSettings::kNone);
}
