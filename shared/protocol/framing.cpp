#include "shared/protocol/framing.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "shared/protocol/messages.hpp"

namespace leadsweep {

std::string make_frame(std::string_view bytes) {
    const auto length = static_cast<std::uint32_t>(bytes.size());
    std::string frame(sizeof length, '\0');
    std::memcpy(frame.data(), &length, sizeof length);
    frame += bytes;
    return frame;
}

void FrameReader::feed(std::string_view bytes) {
    if (start_ > 0 && start_ == buffer_.size()) {
        buffer_.clear();
        start_ = 0;
    }
    buffer_ += bytes;
}

std::optional<std::string> FrameReader::next() {
    std::uint32_t length = 0;
    const std::size_t available = buffer_.size() - start_;
    if (available < sizeof length) return std::nullopt;
    std::memcpy(&length, buffer_.data() + start_, sizeof length);
    if (length > kMaxMessageBytes)
        throw ProtocolError(fmt::format("frame of {} bytes where at most {} are allowed", length, kMaxMessageBytes));
    if (available - sizeof length < length) return std::nullopt;
    std::string content = buffer_.substr(start_ + sizeof length, length);
    start_ += sizeof length + length;
    if (start_ > buffer_.size() / 2) {
        buffer_.erase(0, start_);
        start_ = 0;
    }
    return content;
}

void write_frame(int descriptor, std::string_view bytes) {
    const std::string frame = make_frame(bytes);
    std::string_view rest = frame;
    while (!rest.empty()) {
        const ssize_t written = ::write(descriptor, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw FileError("message pipe", errno, "write");
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace leadsweep
