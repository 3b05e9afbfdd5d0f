#include <random>

#include <nlohmann/json.hpp>

#include "shared/protocol/codec.hpp"
#include "shared/protocol/framing.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("Every message survives the wire", "[protocol]") {
    Assign assign;
    assign.attempt = {7};
    assign.key = "k";
    assign.spec = R"({"loss":"bce","sampling_hz":75.0})";
    assign.gang = {1, 2};
    const ToSupervisor down = ToWorkerOf{{3}, assign};
    CHECK(encode(decode_to_supervisor(encode(down))) == encode(down));
    const ToSupervisor decoded = decode_to_supervisor(encode(down));
    const auto& back = std::get<Assign>(std::get<ToWorkerOf>(decoded).message);
    CHECK(back.spec == assign.spec);
    CHECK(back.gang.rank == 1);
    CHECK(back.attempt == AttemptId{7});

    assign.spec = std::string(100000, 's');  // long texts travel apart
    assign.lists_path = "/lists";
    assign.attempt_folder = std::string(300, 'a');
    const ToSupervisor encoded_long = ToWorkerOf{{3}, assign};
    const ToSupervisor decoded_long = decode_to_supervisor(encode(encoded_long));
    const auto& back_long = std::get<Assign>(std::get<ToWorkerOf>(decoded_long).message);
    CHECK(back_long.spec == assign.spec);
    CHECK(back_long.lists_path == assign.lists_path);
    CHECK(back_long.attempt_folder == assign.attempt_folder);
    CHECK(encode(decoded_long) == encode(encoded_long));

    const ToSupervisor start = StartWorkers{3};
    CHECK(std::get<StartWorkers>(decode_to_supervisor(encode(start))).slots_per_device == 3);

    Hello hello;
    hello.device = {"cpu", "cpu-0", "AMD", {0, 1}, 5};
    hello.semantics = {1, 2};
    for (const FromWorker& up :
         {FromWorker{hello}, FromWorker{Beat{}}, FromWorker{Progress{{1}, "training", 2, 30, 0.5, 0.1, 44.0}},
          FromWorker{CheckpointSaved{{1}, 2, "abc"}}, FromWorker{Finished{{1}, 2.0, "p", "d"}},
          FromWorker{Failed{{1}, FailureClass::kOomDevice, "no memory"}},
          FromWorker{RendezvousOffered{{1}, "127.0.0.1:1", "t"}}, FromWorker{Prepared{{9}, 1.0}}}) {
        const FromSupervisor wrapped = FromWorkerOf{{4}, up, 12};
        CHECK(encode(decode_from_supervisor(encode(wrapped))) == encode(wrapped));
        CHECK(decode_from_worker(encode(up)).index() == up.index());
    }
}

TEST_CASE("Frames come whole however the stream is cut", "[protocol]") {
    std::string stream;
    for (const std::size_t size : {0U, 1U, 5U, 70000U}) stream += make_frame(std::string(size, 'x'));
    FrameReader reader;
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0; i < stream.size(); i += 7) {
        reader.feed(std::string_view(stream).substr(i, 7));
        while (auto frame = reader.next()) sizes.push_back(frame->size());
    }
    CHECK(sizes == std::vector<std::size_t>{0, 1, 5, 70000});
}

TEST_CASE("Only whole numbers that their field can hold are taken for whole numbers", "[protocol]") {
    using Json = nlohmann::json;
    const auto saved_at = [](const Json& attempt, const Json& epoch) {
        const FromWorker index_of{CheckpointSaved{}};
        std::string bytes;
        Json::to_cbor(Json::array({index_of.index(), Json::array({attempt, epoch, "digest"})}), bytes);
        return std::get<CheckpointSaved>(decode_from_worker(bytes)).epoch;
    };
    CHECK(saved_at(7, 3) == 3);
    CHECK(saved_at(7, -3) == -3);
    CHECK_THROWS_AS(saved_at(7, 1.5), ProtocolError);
    CHECK_THROWS_AS(saved_at(7, -5.6e79), ProtocolError);
    CHECK_THROWS_AS(saved_at(7, std::uint64_t{1} << 63U), ProtocolError);
    CHECK_THROWS_AS(saved_at(7, true), ProtocolError);
    CHECK_THROWS_AS(saved_at(-1, 3), ProtocolError);
}

TEST_CASE("Garbage ends in ProtocolError and nothing else", "[protocol]") {
    FrameReader reader;
    reader.feed("\xff\xff\xff\xff....");
    CHECK_THROWS_AS(reader.next(), ProtocolError);

    CHECK_THROWS_AS(decode_from_worker(std::string(kMaxMessageBytes, '\x81')), ProtocolError);  // arrays in arrays

    std::mt19937 random(1);
    const std::string short_texts = encode(FromWorker{Progress{{1}, "training", 2, 30, 0.5, 0.1, 44.0}});
    const std::string long_texts = encode(FromWorker{Failed{{1}, FailureClass::kOomDevice, std::string(256, 'm')}});
    for (int i = 0; i < 40000; ++i) {
        std::string bytes = i % 2 == 0 ? short_texts : long_texts;
        const auto changes = 1 + random() % 4;
        for (std::size_t c = 0; c < changes; ++c) bytes[random() % bytes.size()] = static_cast<char>(random());
        if (random() % 4 == 0) bytes.resize(random() % bytes.size());
        try {
            (void)decode_from_worker(bytes);
        } catch (const ProtocolError&) {
        }
    }
}

TEST_CASE("Long texts are cut as the array says, or refused", "[protocol]") {
    const auto with_lengths = [](const std::string& texts, std::initializer_list<nlohmann::json> address_and_token) {
        std::string bytes{'\x5a', '\0', '\0', '\0', static_cast<char>(texts.size())};
        bytes += texts;
        nlohmann::json row = nlohmann::json::array({1});
        for (const auto& text : address_and_token) row.push_back(text);
        const FromWorker index_of{RendezvousOffered{}};
        nlohmann::json::to_cbor(nlohmann::json::array({index_of.index(), row}), bytes);
        return bytes;
    };
    const auto offered = std::get<RendezvousOffered>(decode_from_worker(with_lengths("hosttoken", {4, 5})));
    CHECK(offered.address == "host");
    CHECK(offered.token == "token");
    CHECK_THROWS_AS(decode_from_worker(with_lengths("hosttoken", {4, 6})), ProtocolError);     // more than there is
    CHECK_THROWS_AS(decode_from_worker(with_lengths("hosttoken", {4, "five"})), ProtocolError);  // less
    CHECK_THROWS_AS(decode_from_worker(with_lengths("hosttoken", {4, -5})), ProtocolError);
    CHECK_THROWS_AS(decode_from_worker("\x5a"), ProtocolError);
    CHECK_THROWS_AS(decode_from_worker("\x5a\xff\xff\xff\xff..."), ProtocolError);
}
