#include "orchestrator/serve/live_server.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

/// A server on a free loopback port, with sources that count how often they are asked.
struct Running {
    std::atomic<int> pages = 0;
    std::atomic<int> statuses = 0;
    std::atomic<std::int64_t> version = 1;
    LiveServer server;
    std::thread thread;

    explicit Running(const std::string& token = "")
        : server({"127.0.0.1", 0, token},
                 {[this] { return "<p>page " + std::to_string(++pages) + "</p>"; },
                  [this] { return "{\"n\":" + std::to_string(++statuses) + "}"; }, [this] { return version.load(); }}),
          thread([this] { server.run(); }) {}
    ~Running() {
        server.stop();
        thread.join();
    }
    httplib::Client client() const {
        httplib::Client one("127.0.0.1", server.port());
        one.set_connection_timeout(5);
        one.set_read_timeout(10);
        return one;
    }
    /// Text of the event stream until it holds `wanted`, at most 10 s.
    std::string listen_until(const std::string& wanted, const std::function<void()>& meanwhile = {}) const {
        std::string text;
        auto one = client();
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        one.Get("/events", [&](const char* data, std::size_t size) {
            text.append(data, size);
            if (meanwhile && text.find("event: status") != std::string::npos) meanwhile();
            return text.find(wanted) == std::string::npos && std::chrono::steady_clock::now() < give_up;
        });
        return text;
    }
};

}  // namespace

TEST_CASE("Readers get the page and the status, and can change nothing", "[serve]") {
    const Running running;
    auto client = running.client();
    const auto page = client.Get("/");
    REQUIRE(page);
    CHECK(page->status == 200);
    CHECK(page->body == "<p>page 1</p>");
    CHECK(page->get_header_value("Content-Type") == "text/html; charset=utf-8");
    CHECK(page->get_header_value("X-Content-Type-Options") == "nosniff");
    CHECK(client.Get("/status.json")->body == "{\"n\":1}\n");
    CHECK(client.Get("/another")->status == 404);
    CHECK(client.Get("/../../etc/passwd")->status == 404);
    for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
        httplib::Request request;
        request.method = method;
        request.path = "/";
        const auto answer = client.send(request);
        REQUIRE(answer);
        CHECK(answer->status == 405);
    }
}

TEST_CASE("The page is made once for all readers, and anew when results have changed", "[serve]") {
    Running running;
    std::vector<std::thread> readers;
    for (int i = 0; i < 8; ++i) readers.emplace_back([&] { running.client().Get("/"); });
    for (auto& reader : readers) reader.join();
    const int before = running.pages;
    CHECK(before <= 2);
    const std::string events = running.listen_until("event: changed", [&] { running.version = 2; });
    CHECK(events.find("event: status\ndata: {\"n\":") != std::string::npos);
    CHECK(events.find("event: changed\ndata: {}\n\n") != std::string::npos);
    running.client().Get("/");
    CHECK(running.pages > before);
}

TEST_CASE("A hundred readers that come at once are let in at once", "[serve]") {
    const LiveServer server({"127.0.0.1", 0, ""}, {});  // not run: whom it lets in waits in its queue
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server.port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int let_in = 0;
    std::vector<int> sockets;
    for (int i = 0; i < 100 && let_in == i; ++i) {
        sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)::connect(sockets.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        pollfd open{sockets.back(), POLLOUT, 0};
        constexpr int kLess_ms = 500;  // than the second after which the system tries again
        let_in += ::poll(&open, 1, kLess_ms) == 1 && (open.revents & (POLLERR | POLLHUP)) == 0;
    }
    for (const int socket : sockets) ::close(socket);
    CHECK(let_in == 100);
}

TEST_CASE("With a token only those who show it may read", "[serve]") {
    const Running running("secret");
    auto client = running.client();
    CHECK(client.Get("/")->status == 403);
    CHECK(client.Get("/?token=wrong!")->status == 403);
    CHECK(client.Get("/?token=secret")->status == 200);
    CHECK(client.Get("/", {{"Authorization", "Bearer secret"}})->status == 200);
    CHECK(running.server.url().find("/?token=secret") != std::string::npos);
}

TEST_CASE("A page of another site cannot read through a name that points here", "[serve]") {
    const Running running;
    auto client = running.client();
    CHECK(client.Get("/", {{"Host", "evil.example:80"}})->status == 403);
    CHECK(client.Get("/", {{"Host", "127.evil.example"}})->status == 403);
    CHECK(client.Get("/", {{"Host", "localhost:80"}})->status == 200);
    CHECK(client.Get("/", {{"Host", "[::1]:80"}})->status == 200);
}

TEST_CASE("An address that others reach needs a token, and a port that is taken is told", "[serve]") {
    CHECK_THROWS_AS(LiveServer({"0.0.0.0", 0, ""}, {}), InputError);
    const Running running;
    CHECK_THROWS_AS(LiveServer({"127.0.0.1", running.server.port(), ""}, {}), InputError);
    CHECK(random_token().size() == 32);
    CHECK(random_token() != random_token());
}

TEST_CASE("A page that cannot be made is an error of that request alone", "[serve]") {
    LiveServer server({"127.0.0.1", 0, ""}, {[]() -> std::string { throw InputError("no sweep yet"); },
                                             [] { return std::string("{}"); }, [] { return std::int64_t{1}; }});
    std::thread thread([&] { server.run(); });
    httplib::Client client("127.0.0.1", server.port());
    CHECK(client.Get("/")->status == 500);
    CHECK(client.Get("/")->body == "no sweep yet\n");
    CHECK(client.Get("/status.json")->body == "{}\n");
    server.stop();
    thread.join();
}
