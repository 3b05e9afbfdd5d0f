// The live page over HTTP: the report, and events that tell readers what runs and when to fetch the report anew. Reads
// only; nothing that comes over the network reaches the sweep. The only place of httplib.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace leadsweep {

struct LiveSources {
    std::function<std::string()> page;    ///< the report as HTML; slow, called at most when results have changed
    std::function<std::string()> status;  ///< what runs, as JSON on one line; called once a second for all readers
    std::function<std::int64_t()> data_version;  ///< changes with every commit
};

struct LiveOptions {
    std::string host = "127.0.0.1";
    int port = 0;       ///< 0: any free one
    std::string token;  ///< what readers must show; "": everyone who reaches a loopback address may read
};

class LiveServer {
public:
    /// Binds the address. Throws InputError where it cannot be bound, or is no loopback address and there is no token.
    LiveServer(LiveOptions options, LiveSources sources);
    /// Ends all connections.
    ~LiveServer();

    int port() const;
    /// Where to look, with the token.
    std::string url() const;
    /// Answers until stop(); the sources are called from one thread at a time.
    void run();
    /// From any thread.
    void stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// "127.0.0.1", "::1", "localhost".
bool is_loopback(const std::string& host);

/// 32 hexadecimal digits from the system's random source.
std::string random_token();

}  // namespace leadsweep
