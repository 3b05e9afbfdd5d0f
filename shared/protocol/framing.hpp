// Frames on a byte stream: u32 length (little-endian), then that many bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leadsweep {

/// `bytes` as a frame.
std::string make_frame(std::string_view bytes);

/// Cuts a stream into frames, however the stream is cut into reads.
class FrameReader {
public:
    void feed(std::string_view bytes);
    /// The next whole frame's content, or nothing yet. Throws ProtocolError for a length over kMaxMessageBytes: the
    /// stream is no stream of frames, and cannot be trusted from there on.
    std::optional<std::string> next();

private:
    std::string buffer_;
    std::size_t start_ = 0;
};

/// Blocking write of one whole frame to a descriptor. Throws FileError (EPIPE where the reader is gone).
void write_frame(int descriptor, std::string_view bytes);

}  // namespace leadsweep
