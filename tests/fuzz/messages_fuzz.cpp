// Any bytes as a stream of frames, and as a message of each kind: a message or ProtocolError.
#include "shared/protocol/codec.hpp"
#include "shared/protocol/framing.hpp"
#include "tests/fuzz/target.hpp"

using namespace leadsweep;

namespace {

template <class Decode>
void try_decode(Decode decode, std::string_view bytes) {
    try {
        const auto message = decode(bytes);
        // What was understood can be said again, but for numbers too large for their field.
        (void)encode(message);
    } catch (const ProtocolError&) {
        // As promised.
    }
}

void decode_all(std::string_view bytes) {
    try_decode(decode_from_worker, bytes);
    try_decode(decode_to_worker, bytes);
    try_decode(decode_from_supervisor, bytes);
    try_decode(decode_to_supervisor, bytes);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    decode_all(bytes);
    FrameReader reader;
    try {
        for (std::size_t i = 0; i < size; i += 7) {
            reader.feed(bytes.substr(i, 7));
            while (const auto frame = reader.next()) decode_all(*frame);
        }
    } catch (const ProtocolError&) {
        // A length that no frame has.
    }
    return 0;
}

std::vector<std::string> fuzz::seeds() {
    Assign assign;
    assign.attempt = {7};
    assign.spec = R"({"loss": "bce"})";
    std::vector<std::string> seeds;
    for (const FromWorker& fact :
         {FromWorker{Hello{}}, FromWorker{Progress{{1}, "training", 2, 30, 0.5, 0.1, 44.0}},
          FromWorker{CheckpointSaved{{1}, 2, "abc"}}, FromWorker{Finished{{1}, 2.0, "p", "d"}},
          FromWorker{Failed{{1}, FailureClass::kOomDevice, "no memory"}},
          FromWorker{RendezvousOffered{{1}, "127.0.0.1:1", "t"}}})
        seeds.push_back(encode(FromSupervisor{FromWorkerOf{{4}, fact, 12}}));
    for (const ToWorker& command : {ToWorker{assign}, ToWorker{Prepare{}}, ToWorker{Stop{{3}}}})
        seeds.push_back(encode(ToSupervisor{ToWorkerOf{{3}, command}}));
    seeds.push_back(encode(FromSupervisor{SupervisorReady{}}));
    seeds.push_back(std::string(3000, '\x81'));  // arrays in arrays
    std::string stream;
    for (const auto& seed : seeds) stream += make_frame(seed);
    seeds.push_back(stream);
    return seeds;
}
