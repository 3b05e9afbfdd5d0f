#include "orchestrator/transport/mpi_world.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <set>
#include <thread>

#define OMPI_SKIP_MPICXX 1
#include <dlfcn.h>
#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "shared/core/log.hpp"
#include "shared/protocol/codec.hpp"
#include "shared/protocol/framing.hpp"

namespace leadsweep {
namespace {

constexpr int kTag = 1;
constexpr std::size_t kBatchBytes = std::size_t{256} << 10U;
constexpr std::chrono::milliseconds kPollInterval{1};

void check(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw Error(fmt::format("{} failed: {}", call, text));
}

/// A function of the PMIx that this MPI brought with it, if it did.
template <class Function>
Function* pmix_function(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

/// In the last fence of MPI_Init Open MPI 5.0 takes messages before it has set MPI_COMM_WORLD up for them: a rank that
/// is through first, and sends, ends the others by SIGSEGV (issue 12495 and pull request 13559 of open-mpi/ompi). Nobody
/// enters this further fence before its MPI_Init is done. It collects data, of which there are none: Slurm lets others
/// pass at once (PMIxFenceBarrier of mpi.conf(5)). Open MPI 4.1 sets up first; its PMIx is not to be found here.
void wait_until_all_are_initialised() {
    constexpr std::chrono::seconds kLongest{10};  // a rank that died is found later, by its silence
    constexpr std::uint16_t kPmixBool = 1;
    const auto create = pmix_function<void*(std::size_t count)>("PMIx_Info_create");
    const auto load = pmix_function<int(void*, const char* key, const void*, std::uint16_t type)>("PMIx_Info_load");
    const auto fence = pmix_function<int(const void* ranks, std::size_t, const void* information, std::size_t,
                                         void (*when_over)(int status, void*), void*)>("PMIx_Fence_nb");
    if (create == nullptr || load == nullptr || fence == nullptr) return;
    static std::atomic<bool> is_over = false;
    void* const collects = create(1);  // PMIx reads it until the fence is over: left to it
    const bool is_true = true;
    const auto deadline = std::chrono::steady_clock::now() + kLongest;
    if (load(collects, "pmix.collect", &is_true, kPmixBool) != 0 ||
        fence(nullptr, 0, collects, 1, [](int, void*) { is_over = true; }, nullptr) != 0)
        return;
    while (!is_over && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(kPollInterval);
}

/// All bytes that wait from any rank, one entry a message.
std::vector<std::pair<int, std::string>> receive_waiting() {
    std::vector<std::pair<int, std::string>> received;
    while (true) {
        int has_message = 0;
        MPI_Status status;
        check(MPI_Iprobe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &has_message, &status), "MPI_Iprobe");
        if (!has_message) return received;
        int size = 0;
        check(MPI_Get_count(&status, MPI_BYTE, &size), "MPI_Get_count");
        std::string bytes(static_cast<std::size_t>(size), '\0');
        check(MPI_Recv(bytes.data(), size, MPI_BYTE, status.MPI_SOURCE, kTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
              "MPI_Recv");
        received.emplace_back(status.MPI_SOURCE, std::move(bytes));
    }
}

}  // namespace

/// Sends that never block: frames are gathered per rank and sent by MPI_Isend, one batch in flight for each rank.
struct MpiOutbox {
    struct Lane {
        std::string waiting;
        std::string in_flight;
        MPI_Request request = MPI_REQUEST_NULL;
        bool is_forgotten = false;
        std::string problem;  ///< why nothing can be sent any more; "" as long as it can
    };
    std::map<std::uint32_t, Lane> lanes;
    FrameReader from_coordinator;  ///< ranks > 0

    void add(std::uint32_t rank, std::string_view message) {
        Lane& lane = lanes[rank];
        if (!lane.is_forgotten) lane.waiting += make_frame(message);
    }

    /// A lane that MPI refuses to send on is forgotten, and says why in `problem`.
    void flush() {
        for (auto& [rank, lane] : lanes) {
            if (lane.is_forgotten) continue;
            try {
                flush(rank, lane);
            } catch (const Error& error) {
                lane.is_forgotten = true;
                lane.problem = error.what();
            }
        }
    }

    void flush(std::uint32_t rank, Lane& lane) {
        if (lane.request != MPI_REQUEST_NULL) {
            int is_done = 0;
            check(MPI_Test(&lane.request, &is_done, MPI_STATUS_IGNORE), "MPI_Test");
            if (!is_done) return;
        }
        if (lane.waiting.empty()) return;
        const std::size_t size = std::min(lane.waiting.size(), kBatchBytes);
        lane.in_flight = lane.waiting.substr(0, size);
        lane.waiting.erase(0, size);
        check(MPI_Isend(lane.in_flight.data(), static_cast<int>(size), MPI_BYTE, static_cast<int>(rank), kTag,
                        MPI_COMM_WORLD, &lane.request),
              "MPI_Isend");
    }

    /// Somebody is gone: MPI_Finalize would wait for it.
    bool has_forgotten() const {
        return std::any_of(lanes.begin(), lanes.end(), [](const auto& entry) { return entry.second.is_forgotten; });
    }

    bool is_empty() const {
        return std::all_of(lanes.begin(), lanes.end(), [](const auto& entry) {
            return entry.second.is_forgotten ||
                   (entry.second.waiting.empty() && entry.second.request == MPI_REQUEST_NULL);
        });
    }
};

namespace {

class MpiTransport : public Transport {
public:
    MpiTransport(SupervisorMail& mail, std::uint32_t size, MpiOutbox& outbox)
        : mail_(mail), size_(size), outbox_(outbox) {}

    std::uint32_t size() const override { return size_; }

    void send(std::uint32_t rank, ToSupervisor message) override {
        if (rank == 0)
            mail_.to_supervisor.push(std::move(message));
        else
            outbox_.add(rank, encode(message));
    }

    std::vector<Received> receive(std::chrono::milliseconds timeout) override {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        std::vector<Received> received;
        while (true) {
            outbox_.flush();
            for (auto& [rank, lane] : outbox_.lanes)
                if (!lane.problem.empty())
                    received.push_back({rank, SupervisorFailed{std::exchange(lane.problem, "")}});
            for (auto& [source, bytes] : receive_waiting()) {
                FrameReader& reader = readers_[source];
                reader.feed(bytes);
                while (auto frame = reader.next())
                    received.push_back({static_cast<std::uint32_t>(source), decode_from_supervisor(*frame)});
            }
            for (auto& message : mail_.from_supervisor.take()) received.push_back({0, std::move(message)});
            if (!received.empty() || std::chrono::steady_clock::now() >= deadline) return received;
            for (auto& message : mail_.from_supervisor.wait_and_take(kPollInterval))
                received.push_back({0, std::move(message)});
        }
    }

    void flush() override { outbox_.flush(); }

    void forget(std::uint32_t rank) override { outbox_.lanes[rank].is_forgotten = true; }

    void remember(std::uint32_t rank) override { outbox_.lanes[rank].is_forgotten = false; }

private:
    SupervisorMail& mail_;
    std::uint32_t size_;
    MpiOutbox& outbox_;
    std::map<int, FrameReader> readers_;
};

}  // namespace

bool is_under_mpi_launcher() {
    return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

bool is_rank_zero() {
    for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK"})
        if (const char* rank = std::getenv(variable)) return std::string_view(rank) == "0";
    return true;
}

MpiWorld::MpiWorld() : outbox_(std::make_unique<MpiOutbox>()) {
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        throw Error("MPI_Init_thread failed: run without mpirun, or look at what mpirun said above");
    if (provided < MPI_THREAD_FUNNELED) throw Error("this MPI does not allow other threads beside its own");
    check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    int rank = 0;
    int size = 0;
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
    check(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
    rank_ = static_cast<std::uint32_t>(rank);
    size_ = static_cast<std::uint32_t>(size);
    if (size_ > 1) wait_until_all_are_initialised();
}

MpiWorld::~MpiWorld() {
    if (is_abandoned_ || outbox_->has_forgotten() || std::uncaught_exceptions() > 0) return;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    try {
        while (!outbox_->is_empty() && std::chrono::steady_clock::now() < deadline) {
            outbox_->flush();
            std::this_thread::sleep_for(kPollInterval);
        }
        if (outbox_->is_empty()) MPI_Finalize();
    } catch (const std::exception& error) {
        log::warning("leaving MPI: {}", error.what());
    }
}

std::string MpiWorld::broadcast(const std::string& text) {
    auto length = static_cast<std::uint64_t>(text.size());
    check(MPI_Bcast(&length, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD), "MPI_Bcast");
    std::string said = text;
    said.resize(length);
    check(MPI_Bcast(said.data(), static_cast<int>(length), MPI_BYTE, 0, MPI_COMM_WORLD), "MPI_Bcast");
    return said;
}

std::vector<std::string> MpiWorld::share_devices(const std::string& node, const std::vector<std::string>& visible) {
    const std::string mine = nlohmann::json{node, visible}.dump();
    const int my_length = static_cast<int>(mine.size());
    std::vector<int> lengths(size_);
    check(MPI_Allgather(&my_length, 1, MPI_INT, lengths.data(), 1, MPI_INT, MPI_COMM_WORLD), "MPI_Allgather");
    std::vector<int> offsets(size_, 0);
    for (std::size_t r = 1; r < size_; ++r) offsets[r] = offsets[r - 1] + lengths[r - 1];
    std::string all(static_cast<std::size_t>(offsets.back() + lengths.back()), '\0');
    check(MPI_Allgatherv(mine.data(), my_length, MPI_CHAR, all.data(), lengths.data(), offsets.data(), MPI_CHAR,
                         MPI_COMM_WORLD),
          "MPI_Allgatherv");
    std::map<std::string, std::set<std::uint32_t>> seen_by;
    std::set<std::string> nodes;
    for (std::uint32_t r = 0; r < size_; ++r) {
        const auto entry = nlohmann::json::parse(
            all.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(lengths[r])));
        nodes.insert(entry.at(0).get<std::string>());
        if (entry.at(0).get<std::string>() != node) continue;
        for (const auto& id : entry.at(1)) seen_by[id.get<std::string>()].insert(r);
    }
    node_count_ = nodes.size();
    std::map<std::uint32_t, int> owned;
    std::vector<std::string> own;
    for (const auto& [id, ranks] : seen_by) {
        const auto owner = *std::min_element(ranks.begin(), ranks.end(), [&](std::uint32_t a, std::uint32_t b) {
            return std::pair(owned[a], a) < std::pair(owned[b], b);
        });
        ++owned[owner];
        if (owner == rank_) own.push_back(id);
    }
    return own;
}

std::unique_ptr<Transport> MpiWorld::make_transport(SupervisorMail& mail) {
    return std::make_unique<MpiTransport>(mail, size_, *outbox_);
}

void MpiWorld::relay_once(SupervisorMail& mail, bool is_waiting) {
    FrameReader& reader = outbox_->from_coordinator;
    for (auto& [source, bytes] : receive_waiting()) {
        reader.feed(bytes);
        while (auto frame = reader.next()) mail.to_supervisor.push(decode_to_supervisor(*frame));
    }
    auto facts = is_waiting ? mail.from_supervisor.wait_and_take(kPollInterval) : mail.from_supervisor.take();
    for (const auto& fact : facts) outbox_->add(0, encode(fact));
    outbox_->flush();
    if (!std::exchange(outbox_->lanes[0].problem, "").empty()) mail.to_supervisor.push(StopSupervisor{true});
}

std::string mpi_library() {
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
    int length = 0;
    if (MPI_Get_library_version(text.data(), &length) != MPI_SUCCESS) return "MPI";
    std::string line(text.data(), static_cast<std::size_t>(length));
    line.resize(std::min(line.find('\n'), line.size()));
    return line.substr(0, line.find(','));
}

}  // namespace leadsweep
