#include <sys/resource.h>

#include <csignal>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/commands/asking.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/log_piece.hpp"
#include "orchestrator/report/page.hpp"
#include "orchestrator/serve/live_server.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::int64_t kFailuresShown = 5;
constexpr std::int64_t kLogLines = 20;
constexpr std::int64_t kLogBytes = 4000;
constexpr std::size_t kCurvePoints = 200;
constexpr int kNice = 15;  ///< a sweep on this machine goes first

struct ServeOptions {
    LiveOptions live;
    std::string sweep;
    Places places;
};

/// What is told of a running sweep. Loss curves grow while this command watches: the database gets them at the end.
class LiveStatus {
public:
    explicit LiveStatus(Places places) : places_(std::move(places)) {}

    std::string text(const ReadStore& store) {
        nlohmann::json json = running();
        json["failures"] = failures(store);
        return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }

private:
    nlohmann::json running() {
        const nlohmann::json nothing = {{"is_running", false}};
        try {
            const auto status = ask_running<StatusReply>(places_.db, StatusRequest{}, kQuestionTimeout_s);
            return status ? told(*status) : nothing;
        } catch (const Error& error) {
            return {{"is_running", false}, {"message", error.what()}};
        }
    }

    nlohmann::json told(const StatusReply& status) {
        nlohmann::json json = {{"is_running", true},
                               {"sweep", status.sweep},
                               {"elapsed", show_duration(status.elapsed_s)},
                               {"jobs", status.jobs},
                               {"finished", status.finished},
                               {"failed", status.failed},
                               {"running", nlohmann::json::array()},
                               {"nodes", nlohmann::json::array()}};
        if (status.remaining_s) json["remaining"] = show_duration(*status.remaining_s);
        std::map<std::uint64_t, std::vector<std::pair<double, double>>> curves;
        for (const RunningAttempt& r : status.running) {
            auto& curve = curves[r.attempt.value];
            if (const auto known = curves_.find(r.attempt.value); known != curves_.end()) curve = known->second;
            const double epoch = static_cast<double>(r.epoch) - 1 + r.fraction;
            if (r.phase == "training" && r.loss != 0 && (curve.empty() || epoch > curve.back().first))
                curve.emplace_back(epoch, r.loss);
            if (curve.size() > kCurvePoints) curve.erase(curve.begin() + 1);
            json["running"].push_back({{"job", r.job.value},
                                       {"label", r.label},
                                       {"node", r.node},
                                       {"device", r.device},
                                       {"phase", r.phase},
                                       {"epoch", r.epoch},
                                       {"epochs", r.epochs},
                                       {"loss", r.loss},
                                       {"records_per_s", r.records_per_s},
                                       {"curve", curve}});
        }
        curves_ = std::move(curves);
        for (const NodeUse& n : status.nodes)
            json["nodes"].push_back(
                {{"node", n.node}, {"device_kind", n.device_kind}, {"workers", n.workers}, {"busy", n.busy}});
        return json;
    }

    nlohmann::json failures(const ReadStore& store) const {
        auto list = nlohmann::json::array();
        for (const auto& row :
             store
                 .ask("SELECT job_id, attempt, class, message FROM failures ORDER BY attempt DESC LIMIT ?",
                      {kFailuresShown})
                 .rows) {
            const std::int64_t job = as_integer(row[0]).value_or(0);
            const std::int64_t attempt = as_integer(row[1]).value_or(0);
            std::string log;
            try {
                log = log_tail(find_log(store, places_, job, attempt), kLogLines, kLogBytes);
            } catch (const Error& error) {
                log = error.what();
            }
            list.push_back({{"job", job},
                            {"attempt", attempt},
                            {"class", as_text(row[2])},
                            {"message", as_text(row[3])},
                            {"log", log}});
        }
        return list;
    }

    Places places_;
    std::map<std::uint64_t, std::vector<std::pair<double, double>>> curves_;  ///< epoch and loss, by attempt
};

int serve(ServeOptions options) {
    const Places places = resolve_places(options.places);
    if (!is_loopback(options.live.host) && options.live.token.empty()) options.live.token = random_token();
    if (setpriority(PRIO_PROCESS, 0, kNice) != 0) log::warning("the priority cannot be lowered");
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    const ReadStore store = ReadStore::open(places.db);
    LiveStatus status(places);
    PageRequest request;
    request.filter.sweep = options.sweep;
    request.work_folder = places.work;
    request.is_live = true;
    LiveServer server(options.live, {[&] { return report_page(store, request); }, [&] { return status.text(store); },
                                     [&] { return store.data_version(); }});
    fmt::print("{}\n", server.url());
    std::fflush(stdout);
    fmt::print(stderr, "Open this address in a browser; Ctrl-C ends the page, never the sweep.\n");
    std::thread waiter([&] {
        int received = 0;
        sigwait(&signals, &received);
        server.stop();
    });
    server.run();
    waiter.join();
    return kExitDone;
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<ServeOptions>();
    CLI::App* command = app.add_subcommand("serve", "the report as a live page; reads only");
    command->add_option("--host", options->live.host, "address to listen on; others than loopback need a token")
        ->capture_default_str();
    command->add_option("--port", options->live.port, "0: any free one")
        ->capture_default_str()
        ->check(CLI::Range(0, 65535));
    command->add_option(
        "--token", options->live.token,
        "what readers must show (?token= or Authorization: Bearer) [none on loopback, else a random one]");
    command->add_option("--sweep", options->sweep, "name of the sweep [the latest]");
    add_place_options(*command, options->places);
    command->footer(
        "Prints the address. From another machine, better than --host: ssh -L 8000:localhost:8000 NODE\n"
        "Examples:\n  leadsweep serve --port 8000\n  leadsweep serve --host 0.0.0.0 --port 8000");
    command->callback([options, &exit_code] { exit_code = serve(*options); });
}

}  // namespace leadsweep
