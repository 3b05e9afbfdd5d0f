#include "orchestrator/serve/live_server.hpp"

#include <arpa/inet.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include <fmt/format.h>
#include <httplib.h>

#include "orchestrator/serve/broadcast.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostReaders = 256;  ///< of events; each waits on a thread of its own
constexpr int kAnswerThreads = 16;
constexpr auto kStatusInterval = std::chrono::seconds(1);
constexpr auto kPageInterval = std::chrono::seconds(5);  ///< between two renderings, at least
constexpr int kPageRest = 20;  ///< a rendering may take 1 / 20 of the time, so that it costs a sweep little
constexpr double kPageAge_s = 0.5;
constexpr auto kKeepAlive = std::chrono::seconds(15);

/// In a time that does not tell how much of it was right.
bool is_same_secret(const std::string& a, const std::string& b) {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    return difference == 0;
}

/// A page of another site that has its name point here must not read what this one says.
bool names_loopback(const std::string& header) {
    std::string host = header;
    if (host.starts_with('[')) {
        host = host.substr(1, host.find(']') - 1);
    } else if (const auto colon = host.find(':'); colon != std::string::npos) {
        host.resize(colon);
    }
    return is_loopback(host);
}

std::string one_event(const std::string& name, const std::string& data) {
    return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

}  // namespace

struct LiveServer::State {
    State(LiveOptions given, LiveSources from) : options(std::move(given)), sources(std::move(from)) {}

    LiveOptions options;
    LiveSources sources;
    httplib::Server server;
    socket_t listening = INVALID_SOCKET;
    Broadcast broadcast;
    std::mutex sources_mutex;
    std::mutex page_mutex;
    std::shared_ptr<const std::string> page;
    std::atomic<bool> is_page_old = true;
    std::atomic<double> page_seconds = 0;
    Clock::time_point page_made{};
    std::mutex running_mutex;
    bool is_run = false;
    std::atomic<bool> has_ended = false;
    std::atomic<bool> is_stopping = false;
    std::thread watcher;

    bool may_read(const httplib::Request& request) const {
        if (options.token.empty()) return names_loopback(request.get_header_value("Host"));
        const std::string bearer = request.get_header_value("Authorization");
        if (bearer.starts_with("Bearer ") && is_same_secret(bearer.substr(7), options.token)) return true;
        return request.has_param("token") && is_same_secret(request.get_param_value("token"), options.token);
    }

    /// Made anew where results have changed, but not again and again: kPageRest, and half a second at least.
    std::shared_ptr<const std::string> current_page() {
        const std::lock_guard lock(page_mutex);
        const double age = std::chrono::duration<double>(Clock::now() - page_made).count();
        const bool is_fresh = !is_page_old || age < std::max(kPageAge_s, kPageRest * page_seconds);
        if (page && is_fresh) return page;
        const auto begin = Clock::now();
        const std::lock_guard sources_lock(sources_mutex);
        is_page_old = false;
        try {
            page = std::make_shared<const std::string>(sources.page());
        } catch (...) {
            is_page_old = true;
            throw;
        }
        page_made = Clock::now();
        page_seconds = std::chrono::duration<double>(page_made - begin).count();
        return page;
    }

    void watch() {
        std::int64_t version = -1;
        auto next_page = Clock::now();
        while (!is_stopping) {
            if (broadcast.readers() > 0) {
                try {
                    const std::lock_guard lock(sources_mutex);
                    broadcast.tell_status(sources.status());
                    if (const std::int64_t now = sources.data_version(); now != version) {
                        is_page_old = true;
                        version = now;
                    }
                } catch (const std::exception& error) {
                    log::warning("the live page: {}", error.what());
                }
                if (is_page_old && Clock::now() >= next_page) {
                    const std::chrono::duration<double> rest(page_seconds * kPageRest);
                    next_page = Clock::now() + std::max<Clock::duration>(
                                                   kPageInterval, std::chrono::duration_cast<Clock::duration>(rest));
                    broadcast.tell_page_changed();
                }
            } else {
                is_page_old = true;
            }
            std::this_thread::sleep_for(kStatusInterval);
        }
    }

    void send_events(httplib::Response& answer) {
        if (broadcast.readers() >= kMostReaders) {
            answer.status = 503;
            answer.set_header("Retry-After", "30");
            answer.set_content("too many readers\n", "text/plain");
            return;
        }
        broadcast.enter();
        auto seen = std::make_shared<LiveNews>();
        seen->page_number = broadcast.wait({}, std::chrono::milliseconds(0)).page_number;
        answer.set_chunked_content_provider(
            "text/event-stream",
            [this, seen](std::size_t, httplib::DataSink& sink) {
                const LiveNews news = broadcast.wait(*seen, kKeepAlive);
                std::string text;
                if (news.status_number != seen->status_number) text += one_event("status", news.status);
                if (news.page_number != seen->page_number) text += one_event("changed", "{}");
                *seen = news;
                if (text.empty()) text = ": still here\n\n";
                if (news.is_over || !sink.write(text.data(), text.size())) {
                    sink.done();
                    return false;
                }
                return true;
            },
            [this](bool) { broadcast.leave(); });
    }

    void add_routes() {
        server.new_task_queue = [] { return new httplib::ThreadPool(kMostReaders + kAnswerThreads); };
        server.set_payload_max_length(1024);
        // The library's own choice lets two servers share a port: each would get some of the readers.
        server.set_socket_options([this](socket_t socket) {
            listening = socket;
            const int yes = 1;
            setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        });
        // A reader asks for one page and one stream of events, and the library looks at every idle connection a hundred
        // times a second: none stays open for more.
        server.set_keep_alive_max_count(1);
        server.set_default_headers({{"Cache-Control", "no-store"},
                                    {"X-Content-Type-Options", "nosniff"},
                                    {"X-Frame-Options", "DENY"},
                                    {"Referrer-Policy", "no-referrer"}});
        server.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& answer) {
            if (request.method != "GET" && request.method != "HEAD") {
                answer.status = 405;
                answer.set_header("Allow", "GET, HEAD");
                return httplib::Server::HandlerResponse::Handled;
            }
            if (may_read(request)) return httplib::Server::HandlerResponse::Unhandled;
            answer.status = 403;
            answer.set_content("The token is missing or wrong: use the address that `leadsweep serve` printed.\n",
                               "text/plain");
            return httplib::Server::HandlerResponse::Handled;
        });
        server.Get("/", [this](const httplib::Request&, httplib::Response& answer) {
            // Sent as it is, not through the library's compression: a hundred readers would cost seconds of it.
            const auto whole = current_page();
            answer.set_content_provider(whole->size(), "text/html; charset=utf-8",
                                        [whole](std::size_t at, std::size_t length, httplib::DataSink& sink) {
                                            return sink.write(whole->data() + at, length);
                                        });
        });
        server.Get("/events", [this](const httplib::Request&, httplib::Response& answer) { send_events(answer); });
        server.Get("/status.json", [this](const httplib::Request&, httplib::Response& answer) {
            const std::lock_guard lock(sources_mutex);
            answer.set_content(sources.status() + "\n", "application/json");
        });
        server.set_exception_handler([](const httplib::Request&, httplib::Response& answer, std::exception_ptr thrown) {
            answer.status = 500;
            try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& error) {
                answer.set_content(fmt::format("{}\n", error.what()), "text/plain");
            }
        });
    }
};

LiveServer::LiveServer(LiveOptions options, LiveSources sources)
    : state_(std::make_unique<State>(std::move(options), std::move(sources))) {
    LiveOptions& chosen = state_->options;
    if (!is_loopback(chosen.host) && chosen.token.empty())
        throw InputError(fmt::format("{} can be reached from other machines: give a --token", chosen.host));
    state_->add_routes();
    if (chosen.port == 0)
        chosen.port = state_->server.bind_to_any_port(chosen.host.c_str());
    else if (!state_->server.bind_to_port(chosen.host.c_str(), chosen.port))
        throw InputError(
            fmt::format("{}:{} cannot be bound: the port is taken or not allowed, or the address is none of "
                        "this machine; choose another --port or --host",
                        chosen.host, chosen.port));
    if (chosen.port < 0) throw InputError(fmt::format("{} cannot be bound; choose another --host", chosen.host));
    // The library lets five wait, and whoever comes sixth tries again after a second: readers come all at once, when the
    // page has changed.
    ::listen(state_->listening, kMostReaders + kAnswerThreads);
}

LiveServer::~LiveServer() {
    stop();
    if (state_->watcher.joinable()) state_->watcher.join();
}

int LiveServer::port() const {
    return state_->options.port;
}

std::string LiveServer::url() const {
    const LiveOptions& o = state_->options;
    const std::string host = o.host.find(':') != std::string::npos ? "[" + o.host + "]" : o.host;
    return fmt::format("http://{}:{}/{}", host, o.port, o.token.empty() ? "" : "?token=" + o.token);
}

void LiveServer::run() {
    {
        const std::lock_guard lock(state_->running_mutex);
        if (state_->is_stopping) return;
        state_->is_run = true;
    }
    state_->watcher = std::thread([this] { state_->watch(); });
    state_->server.listen_after_bind();
    state_->has_ended = true;
}

void LiveServer::stop() {
    {
        const std::lock_guard lock(state_->running_mutex);
        state_->is_stopping = true;
        state_->broadcast.end();
        if (!state_->is_run) return;
    }
    // The library forgets a stop that comes before it listens.
    while (!state_->server.is_running() && !state_->has_ended)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    state_->server.stop();
}

bool is_loopback(const std::string& host) {
    in_addr address{};
    if (inet_pton(AF_INET, host.c_str(), &address) == 1) return (ntohl(address.s_addr) >> 24U) == 127;
    return host == "localhost" || host == "::1";
}

std::string random_token() {
    std::array<unsigned char, 16> bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw Error("the system gives no random numbers");
    std::string text;
    for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

}  // namespace leadsweep
