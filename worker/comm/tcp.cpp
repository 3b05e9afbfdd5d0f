#include "worker/comm/tcp.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "shared/core/log.hpp"
#include "worker/comm/socket.hpp"

namespace leadsweep {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMagic = 0x4c535731;  // "LSW1"
constexpr std::size_t kTokenBytes = 32;
/// How long a newcomer may take to say who it is: a stranger that connects and is silent must not keep others out.
constexpr std::chrono::milliseconds kGreetingPatience{2000};

struct Greeting {
    std::uint32_t magic = kMagic;
    std::int32_t rank = 0;
    std::int32_t size = 0;
    std::array<char, 2 * kTokenBytes> token{};
};

enum class Operation : std::uint32_t { kAllReduce = 1, kBroadcast, kAllGather, kBarrier };

/// Goes before the data of every collective: ranks that have lost step are found instead of adding unlike things.
struct CollectiveHeader {
    Operation operation;
    std::uint32_t scalar_type;
    std::uint64_t sequence;
    std::uint64_t size_bytes;
    bool operator==(const CollectiveHeader&) const = default;
};

std::string random_token() {
    std::array<unsigned char, kTokenBytes> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
        throw CommError("gang: no random bytes for the token");
    std::string token;
    for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
    return token;
}

Greeting greeting_of(const std::string& token, int rank, int size) {
    Greeting greeting;
    greeting.rank = rank;
    greeting.size = size;
    if (token.size() != greeting.token.size())
        throw CommError(
            fmt::format("gang: the token has {} characters, expected {}", token.size(), greeting.token.size()));
    std::copy(token.begin(), token.end(), greeting.token.begin());
    return greeting;
}

/// Rank 0 has one peer per other rank, in rank order; every other rank has rank 0 alone.
class TcpCommunicator final : public Communicator {
public:
    TcpCommunicator(int rank, int size, std::vector<Socket> peers, std::chrono::milliseconds patience)
        : rank_(rank), size_(size), peers_(std::move(peers)), patience_(patience) {}

    int rank() const override { return rank_; }
    int size() const override { return size_; }

    void all_reduce_sum_(torch::Tensor& tensor) override {
        guarded([&] {
            auto local = tensor.detach().contiguous();
            begin(Operation::kAllReduce, local);
            if (rank_ == 0) {
                auto from_peer = torch::empty_like(local);
                for (const auto& peer : peers_) {
                    receive(peer, from_peer);
                    local.add_(from_peer);
                }
                for (const auto& peer : peers_) send(peer, local);
            } else {
                send(peers_.front(), local);
                receive(peers_.front(), local);
            }
            copy_back(local, tensor);
        });
    }

    void broadcast_(torch::Tensor& tensor, int root) override {
        guarded([&] {
            auto local = tensor.detach().contiguous();
            begin(Operation::kBroadcast, local);
            if (rank_ != 0) {
                if (rank_ == root) send(peers_.front(), local);
                receive(peers_.front(), local);
            } else {
                if (root != 0) receive(peers_.at(static_cast<std::size_t>(root) - 1), local);
                for (const auto& peer : peers_) send(peer, local);
            }
            copy_back(local, tensor);
        });
    }

    torch::Tensor all_gather(const torch::Tensor& tensor) override {
        std::vector<std::int64_t> shape{size_};
        shape.insert(shape.end(), tensor.sizes().begin(), tensor.sizes().end());
        auto gathered = torch::empty(shape, tensor.options());
        guarded([&] {
            const auto local = tensor.detach().contiguous();
            begin(Operation::kAllGather, local);
            if (rank_ == 0) {
                gathered[0].copy_(local);
                for (int peer = 1; peer < size_; ++peer) {
                    auto slot = gathered[peer];
                    receive(peers_[static_cast<std::size_t>(peer) - 1], slot);
                }
                for (const auto& peer : peers_) send(peer, gathered);
            } else {
                send(peers_.front(), local);
                receive(peers_.front(), gathered);
            }
        });
        return gathered;
    }

    void barrier() override {
        auto nothing = torch::zeros({1}, torch::kUInt8);
        all_reduce_sum_(nothing);
    }

    void abort() noexcept override {
        is_aborted_ = true;
        for (const auto& peer : peers_) peer.shut_down();
    }

private:
    /// Whatever goes wrong here must become known to all ranks: those that wait for this one would wait for ever.
    template <class Collective>
    void guarded(Collective&& collective) {
        if (is_aborted_) throw CommError("gang: it has been ended");
        try {
            collective();
        } catch (...) {
            abort();
            throw;
        }
    }

    void begin(Operation operation, const torch::Tensor& tensor) {
        if (!tensor.device().is_cpu()) throw CommError("gang: the TCP communicator moves CPU tensors only");
        deadline_ = Clock::now() + patience_;
        const CollectiveHeader mine{operation, static_cast<std::uint32_t>(tensor.scalar_type()), ++sequence_,
                                    static_cast<std::uint64_t>(tensor.nbytes())};
        if (rank_ == 0) {
            for (std::size_t peer = 0; peer < peers_.size(); ++peer) {
                CollectiveHeader theirs{};
                peers_[peer].receive_all(&theirs, sizeof theirs, deadline_);
                if (!(theirs == mine))
                    throw CommError(fmt::format(
                        "gang: rank {} is in collective {} (kind {}, {} bytes), rank 0 in {} (kind {}, {} bytes)",
                        peer + 1, theirs.sequence, static_cast<int>(theirs.operation), theirs.size_bytes, mine.sequence,
                        static_cast<int>(mine.operation), mine.size_bytes));
            }
        } else {
            peers_.front().send_all(&mine, sizeof mine, deadline_);
        }
    }

    static void copy_back(const torch::Tensor& local, torch::Tensor& tensor) {
        if (local.const_data_ptr() != tensor.const_data_ptr()) tensor.detach().copy_(local);
    }

    void send(const Socket& peer, const torch::Tensor& tensor) const {
        peer.send_all(tensor.const_data_ptr(), tensor.nbytes(), deadline_);
    }
    void receive(const Socket& peer, torch::Tensor& tensor) const {
        peer.receive_all(tensor.mutable_data_ptr(), tensor.nbytes(), deadline_);
    }

    int rank_;
    int size_;
    std::vector<Socket> peers_;
    std::chrono::milliseconds patience_;
    Deadline deadline_{};
    std::uint64_t sequence_ = 0;
    std::atomic<bool> is_aborted_{false};
};

class TcpGangHost final : public GangHost {
public:
    TcpGangHost(const std::string& host, std::chrono::milliseconds collective_patience)
        : listener_(Socket::listen_on(host)),
          where_{fmt::format("{}:{}", host, listener_.port()), random_token()},
          collective_patience_(collective_patience) {}

    MeetingPoint meeting_point() const override { return where_; }

    std::unique_ptr<Communicator> wait_for_gang(int size, std::chrono::milliseconds patience) override {
        const Deadline deadline = Clock::now() + patience;
        std::vector<std::optional<Socket>> seats(static_cast<std::size_t>(size) - 1);
        std::size_t taken = 0;
        while (taken < seats.size()) {
            auto newcomer = listener_.accept_until(deadline);
            if (!newcomer)
                throw CommError(fmt::format("gang: {} of {} ranks came to {} within {} s", taken + 1, size,
                                            where_.address,
                                            std::chrono::duration_cast<std::chrono::seconds>(patience).count()));
            if (seat(std::move(*newcomer), size, seats)) ++taken;
        }
        std::vector<Socket> peers;
        for (auto& occupied : seats) peers.push_back(std::move(*occupied));
        for (const auto& peer : peers) peer.send_all(&kMagic, sizeof kMagic, deadline);
        return std::make_unique<TcpCommunicator>(0, size, std::move(peers), collective_patience_);
    }

private:
    /// Lets a newcomer in that shows the token and a free rank; closes the connection of any other.
    bool seat(Socket newcomer, int size, std::vector<std::optional<Socket>>& seats) const {
        Greeting greeting;
        try {
            newcomer.receive_all(&greeting, sizeof greeting, Clock::now() + kGreetingPatience);
        } catch (const CommError& error) {
            log::warning("{}: refused, it did not say who it is", error.what());
            return false;
        }
        const bool is_token_right =
            CRYPTO_memcmp(greeting.token.data(), where_.token.data(), greeting.token.size()) == 0;
        const bool is_rank_free = greeting.rank > 0 && greeting.rank < size &&
                                  !seats[static_cast<std::size_t>(greeting.rank) - 1].has_value();
        if (greeting.magic != kMagic || !is_token_right || greeting.size != size || !is_rank_free) {
            log::warning("gang: refused a newcomer ({})",
                         is_token_right ? "its rank is taken or out of range" : "wrong token");
            return false;
        }
        newcomer.name_peer(fmt::format("rank {}", greeting.rank));
        seats[static_cast<std::size_t>(greeting.rank) - 1].emplace(std::move(newcomer));
        return true;
    }

    Socket listener_;
    MeetingPoint where_;
    std::chrono::milliseconds collective_patience_;
};

}  // namespace

std::unique_ptr<GangHost> open_tcp_gang(const std::string& host, std::chrono::milliseconds collective_patience) {
    return std::make_unique<TcpGangHost>(host, collective_patience);
}

std::unique_ptr<Communicator> join_tcp_gang(const MeetingPoint& where, int rank, int size,
                                            std::chrono::milliseconds patience,
                                            std::chrono::milliseconds collective_patience) {
    const Deadline deadline = Clock::now() + patience;
    const Greeting greeting = greeting_of(where.token, rank, size);
    std::vector<Socket> peers;
    peers.push_back(Socket::connect_to(where.address, deadline));
    peers.front().send_all(&greeting, sizeof greeting, deadline);
    std::uint32_t answer = 0;
    try {
        peers.front().receive_all(&answer, sizeof answer, deadline);
    } catch (const CommError& error) {
        throw CommError(
            fmt::format("{} before it let rank {} of {} in (wrong token, or rank taken)", error.what(), rank, size));
    }
    if (answer != kMagic)
        throw CommError(fmt::format("gang: what answers at {} is no leadsweep worker", where.address));
    return std::make_unique<TcpCommunicator>(rank, size, std::move(peers), collective_patience);
}

}  // namespace leadsweep
