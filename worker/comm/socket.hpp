// A connected or listening TCP socket that waits with a deadline. It moves bytes; what they mean is the caller's
// matter.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace leadsweep {

using Deadline = std::chrono::steady_clock::time_point;

/// Owns a descriptor. Every failure, an end of the stream and a passed deadline are a CommError that names the peer.
class Socket {
public:
    /// Listens on an IPv4 address at a free port.
    static Socket listen_on(const std::string& host);
    /// Connects to "host:port", again and again until it answers.
    static Socket connect_to(const std::string& address, Deadline deadline);

    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&&) = delete;
    ~Socket();

    /// Port of a listening socket.
    std::uint16_t port() const;
    /// The next connection, or nothing at the deadline.
    std::optional<Socket> accept_until(Deadline deadline) const;
    void send_all(const void* data, std::size_t size_bytes, Deadline deadline) const;
    void receive_all(void* data, std::size_t size_bytes, Deadline deadline) const;
    /// Wakes whoever waits on this socket, here and at the other end. May be called from another thread.
    void shut_down() const noexcept;
    void name_peer(std::string peer) { peer_ = std::move(peer); }

private:
    Socket(int descriptor, std::string peer);
    void wait_for(short events, Deadline deadline) const;
    [[noreturn]] void fail(const std::string& what) const;

    int descriptor_;
    std::string peer_;
};

}  // namespace leadsweep
