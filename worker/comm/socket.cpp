#include "worker/comm/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/comm/communicator.hpp"

namespace leadsweep {
namespace {

sockaddr_in ipv4_address(const std::string& host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
        throw CommError(fmt::format("'{}' is no IPv4 address to listen on or connect to", host));
    return address;
}

int new_descriptor() {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) throw CommError(fmt::format("no socket: {}", std::strerror(errno)));
    return descriptor;
}

/// A peer whose node is gone sends nothing, not even an end: keep-alive finds it.
void tune(int descriptor) {
    const auto set = [&](int level, int option, int value) {
        ::setsockopt(descriptor, level, option, &value, sizeof value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 5);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 3);
    set(IPPROTO_TCP, TCP_KEEPCNT, 4);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20000);
}

int milliseconds_until(Deadline deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, 1'000'000));
}

}  // namespace

Socket::Socket(int descriptor, std::string peer) : descriptor_(descriptor), peer_(std::move(peer)) {}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), peer_(std::move(other.peer_)) {}

Socket::~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Socket Socket::listen_on(const std::string& host) {
    const sockaddr_in address = ipv4_address(host, 0);
    Socket made(new_descriptor(), "newcomer");
    if (::bind(made.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(made.descriptor_, 64) != 0)
        made.fail(fmt::format("cannot listen on {}: {}", host, std::strerror(errno)));
    return made;
}

Socket Socket::connect_to(const std::string& where, Deadline deadline) {
    const auto colon = where.rfind(':');
    if (colon == std::string::npos) throw CommError(fmt::format("'{}' is no address of the form host:port", where));
    const sockaddr_in address =
        ipv4_address(where.substr(0, colon), static_cast<std::uint16_t>(std::atoi(where.c_str() + colon + 1)));
    for (;;) {
        Socket made(new_descriptor(), "rank 0 at " + where);
        int error = 0;
        if (::connect(made.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            error = errno;
        if (error == EINPROGRESS) {
            made.wait_for(POLLOUT, deadline);
            socklen_t length = sizeof error;
            ::getsockopt(made.descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
        }
        if (error == 0) {
            tune(made.descriptor_);
            return made;
        }
        if (std::chrono::steady_clock::now() >= deadline)
            made.fail(fmt::format("does not answer: {}", std::strerror(error)));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

std::uint16_t Socket::port() const {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        fail(fmt::format("has no port: {}", std::strerror(errno)));
    return ntohs(address.sin_port);
}

std::optional<Socket> Socket::accept_until(Deadline deadline) const {
    for (;;) {
        const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted >= 0) {
            tune(accepted);
            return Socket(accepted, "newcomer");
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED)
            fail(fmt::format("cannot be accepted: {}", std::strerror(errno)));
        pollfd waited{descriptor_, POLLIN, 0};
        const int left_ms = milliseconds_until(deadline);
        if (left_ms == 0 || ::poll(&waited, 1, left_ms) == 0) return std::nullopt;
    }
}

void Socket::wait_for(short events, Deadline deadline) const {
    for (;;) {
        pollfd waited{descriptor_, events, 0};
        const int left_ms = milliseconds_until(deadline);
        if (left_ms == 0) fail("was silent for too long");
        const int ready = ::poll(&waited, 1, left_ms);
        if (ready > 0) return;
        if (ready < 0 && errno != EINTR) fail(fmt::format("cannot be waited for: {}", std::strerror(errno)));
    }
}

void Socket::send_all(const void* data, std::size_t size_bytes, Deadline deadline) const {
    const auto* next = static_cast<const char*>(data);
    while (size_bytes > 0) {
        const ssize_t sent = ::send(descriptor_, next, size_bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            next += sent;
            size_bytes -= static_cast<std::size_t>(sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            wait_for(POLLOUT, deadline);
        } else if (errno != EINTR) {
            fail(fmt::format("is gone: {}", std::strerror(errno)));
        }
    }
}

void Socket::receive_all(void* data, std::size_t size_bytes, Deadline deadline) const {
    auto* next = static_cast<char*>(data);
    while (size_bytes > 0) {
        const ssize_t received = ::recv(descriptor_, next, size_bytes, 0);
        if (received > 0) {
            next += received;
            size_bytes -= static_cast<std::size_t>(received);
        } else if (received == 0) {
            fail("is gone: it closed the connection");
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            wait_for(POLLIN, deadline);
        } else if (errno != EINTR) {
            fail(fmt::format("is gone: {}", std::strerror(errno)));
        }
    }
}

void Socket::shut_down() const noexcept {
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
}

void Socket::fail(const std::string& what) const {
    throw CommError(fmt::format("gang: {} {}", peer_, what));
}

}  // namespace leadsweep
