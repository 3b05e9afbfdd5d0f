#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "orchestrator/control/client.hpp"
#include "orchestrator/control/request_folder.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;
namespace fs = std::filesystem;

namespace {

const std::string kSelf = "host node1, pid 7";
constexpr std::chrono::milliseconds kInterval{5};

std::optional<std::string> holder() {
    return kSelf;
}

/// Answers requests until it goes out of scope.
class Server {
public:
    Server(RequestFolder& folder, std::function<ControlReply(const Letter&)> answer)
        : thread_([this, &folder, answer] {
              while (!is_ending_) {
                  for (const auto& request : folder.take_requests()) folder.reply(request.id, answer(request.letter));
                  std::this_thread::sleep_for(std::chrono::milliseconds(2));
              }
          }) {}
    ~Server() {
        is_ending_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> is_ending_ = false;
    std::thread thread_;
};

bool is_empty_within(const std::string& folder, double seconds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < deadline) {
        if (fs::is_empty(folder)) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

}  // namespace

TEST_CASE("Requests and replies come back from their text as they were") {
    const auto back = decode_letter(encode(Letter{"to", "by", CancelRequest{{{3}, {4}}}}));
    CHECK(back.to == "to");
    CHECK(back.by == "by");
    CHECK(std::get<CancelRequest>(back.request).jobs == std::vector<JobId>{{3}, {4}});
    CHECK(std::get<BackupRequest>(decode_letter(encode(Letter{"", "", BackupRequest{"/a b"}})).request).path == "/a b");
    CHECK(std::holds_alternative<StatusRequest>(decode_letter(encode(Letter{"", "", StatusRequest{}})).request));

    StatusReply status;
    status.sweep = "demo";
    status.remaining_s = 12.5;
    status.running = {{{1}, {2}, "fold 2, loss bce", "n1", "cpu-0", "training", 3, 30, 0.5, 0.25, 1000, 61}};
    status.nodes = {{"n1", "cuda", 8, 7}};
    const auto told = std::get<StatusReply>(decode_reply(encode(ControlReply{status})));
    CHECK(told.running == status.running);
    CHECK(told.nodes == status.nodes);
    CHECK(told.remaining_s == 12.5);
    CHECK_FALSE(std::get<StatusReply>(decode_reply(encode(ControlReply{StatusReply{}}))).remaining_s);
    CHECK(std::get<RetryReply>(decode_reply(encode(ControlReply{RetryReply{1, 2, 3}}))).later == 2);
    CHECK(std::get<WhyReply>(decode_reply(encode(ControlReply{WhyReply{"\xff not UTF-8"}}))).reason.ends_with("UTF-8"));
}

TEST_CASE("Text that is no letter is refused with what is wrong") {
    for (const char* text :
         {"", "{", "[]", "7", "{}", R"({"kind": "cancel"})", R"({"kind": "explode", "to": "", "by": ""})",
          R"({"kind": "cancel", "to": "", "by": "", "jobs": 3})",
          R"({"kind": "cancel", "to": "", "by": "", "jobs": ["x"]})",
          R"({"kind": "cancel", "to": "", "by": "", "jobs": [1.5]})",
          R"({"kind": "cancel", "to": "", "by": "", "jobs": [1e300]})",
          R"({"kind": "cancel", "to": "", "by": "", "jobs": [-1]})", R"({"kind": 3, "to": "", "by": ""})"}) {
        INFO(text);
        CHECK_THROWS_AS(decode_letter(text), ProtocolError);
    }
}

TEST_CASE("A coordinator answers what it is asked, and nothing is left behind") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    RequestFolder requests(db, kSelf, kInterval);
    const Server server(requests, [](const Letter& letter) {
        return WhyReply{std::to_string(std::get<WhyRequest>(letter.request).job.value) + letter.to};
    });
    const auto reply = ask_coordinator(db, WhyRequest{{42}}, 10, holder);
    CHECK(std::get<WhyReply>(reply.value()).reason == "42" + kSelf);
    CHECK(is_empty_within(control_folder(db), 5));
    CHECK((fs::status(control_folder(db)).permissions() & fs::perms::all) == fs::perms::owner_all);
}

TEST_CASE("Ten clients at once get each their own answer") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    RequestFolder requests(db, kSelf, kInterval);
    const Server server(requests, [](const Letter& letter) {
        return WhyReply{std::to_string(std::get<WhyRequest>(letter.request).job.value)};
    });
    std::atomic<int> right = 0;
    std::vector<std::thread> clients;
    for (std::uint64_t i = 0; i < 10; ++i)
        clients.emplace_back([&, i] {
            for (std::uint64_t n = 10 * i; n < 10 * i + 5; ++n) {
                const auto reply = ask_coordinator(db, WhyRequest{{n}}, 20, holder);
                right += reply && std::get<WhyReply>(*reply).reason == std::to_string(n);
            }
        });
    for (auto& client : clients) client.join();
    CHECK(right == 50);
}

TEST_CASE("A folder full of garbage costs no answer") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    make_control_folder(control_folder(db));
    for (int i = 0; i < 300; ++i)
        std::ofstream(control_folder(db) + "/garbage" + std::to_string(i) + ".request") << "no letter " << i;
    fs::create_directories(control_folder(db) + "/folder.request/deep");
    std::ofstream(control_folder(db) + "/other file") << "left alone";
    const std::string large = control_folder(db) + "/large.request";
    std::ofstream(large) << "x";
    fs::resize_file(large, kMaxRequestBytes + 1);

    RequestFolder requests(db, kSelf, kInterval);
    const Server server(requests, [](const Letter&) { return WhyReply{"here"}; });
    const auto reply = ask_coordinator(db, WhyRequest{{1}}, 60, holder);
    CHECK(std::get<WhyReply>(reply.value()).reason == "here");
    CHECK(fs::exists(control_folder(db) + "/other file"));
}

TEST_CASE("An oversized request is answered with an error and moved aside") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    const RequestFolder requests(db, kSelf, kInterval);
    const std::string stem = control_folder(db) + "/large";
    std::ofstream(stem + ".partial") << "x";
    fs::resize_file(stem + ".partial", kMaxRequestBytes + 1);
    fs::rename(stem + ".partial", stem + ".request");
    for (int i = 0; i < 1000 && !fs::exists(stem + ".rejected"); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(fs::exists(stem + ".rejected"));
    const auto reply = decode_reply(read_file(stem + ".reply"));
    CHECK_THAT(std::get<ErrorReply>(reply).message, ContainsText("at most"));
}

TEST_CASE("Requests for a coordinator that is gone are not carried out by the next one") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    make_control_folder(control_folder(db));
    write_file_durably(control_folder(db) + "/old.request", encode(Letter{"host node1, pid 6", "", CancelRequest{}}));
    RequestFolder requests(db, kSelf, kInterval);
    for (int i = 0; i < 1000 && fs::exists(control_folder(db) + "/old.request"); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK_FALSE(fs::exists(control_folder(db) + "/old.request"));
    CHECK(requests.take_requests().empty());
}

TEST_CASE("A coordinator that takes over is asked anew") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    std::atomic<bool> has_taken_over = false;
    const auto current = [&] { return std::optional<std::string>(has_taken_over ? kSelf : "host node1, pid 6"); };
    std::thread successor([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        has_taken_over = true;
    });
    RequestFolder requests(db, kSelf, kInterval);
    const Server server(requests, [](const Letter&) { return WhyReply{"from the next one"}; });
    const auto reply = ask_coordinator(db, WhyRequest{{1}}, 20, current);
    successor.join();
    CHECK(std::get<WhyReply>(reply.value()).reason == "from the next one");
}

TEST_CASE("A coordinator that ends without an answer leaves the request to the command") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    std::atomic<int> looks = 0;
    const auto ending = [&]() -> std::optional<std::string> {
        if (++looks > 1) return std::nullopt;
        return kSelf;
    };
    CHECK_FALSE(ask_coordinator(db, StatusRequest{}, 20, ending));
    CHECK(fs::is_empty(control_folder(db)));
    CHECK_FALSE(ask_coordinator(db, StatusRequest{}, 20, [] { return std::nullopt; }));
}

TEST_CASE("A coordinator that is silent is named, and the request taken back") {
    const TemporaryFolder folder;
    const std::string db = folder / "db";
    CHECK_THROWS_WITH(ask_coordinator(db, StatusRequest{}, 0.2, holder),
                      ContainsText("no answer within 0.2 s") && ContainsText(kSelf));
    CHECK(fs::is_empty(control_folder(db)));
}
