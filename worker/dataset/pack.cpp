#include "worker/dataset/pack.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "shared/core/descriptor.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "worker/dataset/prepare.hpp"
#include "worker/dataset/survey.hpp"

namespace leadsweep {
namespace {

constexpr std::string_view kMagic = "LSWSHARD";
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kFixedBytes = 8 + 4 + 4 + kDigestBytes;
constexpr std::size_t kAlignment = 4096;

std::int64_t records_of_shard(std::int64_t shard, std::int64_t records) {
    return std::min(kRecordsPerShard, records - shard * kRecordsPerShard);
}

/// What a shard of this preparation must say of itself.
nlohmann::json shard_description(const JobSpec& spec, std::int64_t shard, std::int64_t records) {
    return {{"preparation", preparation_settings(spec)},
            {"first_record", shard * kRecordsPerShard},
            {"records", records_of_shard(shard, records)},
            {"leads", spec.data.leads.size()},
            {"samples", spec.window_samples()},
            {"row_bytes", row_bytes(pack_type_from(spec.data.pack_type),
                                    static_cast<std::int64_t>(spec.data.leads.size()), spec.window_samples())}};
}

nlohmann::json to_json(const ShardReport& report) {
    return {{"padded_records", report.padded_records},     {"missing_samples", report.missing_samples},
            {"constant_leads", report.constant_leads},     {"derived_leads", report.derived_leads},
            {"unitless_records", report.unitless_records}, {"zero_records", report.zero_records}};
}

std::size_t aligned(std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::string encode_header(const nlohmann::json& header) {
    const std::string json = header.dump();
    std::string bytes(kMagic);
    for (const std::uint32_t number : {kVersion, static_cast<std::uint32_t>(json.size())}) {
        char raw[sizeof number];
        std::memcpy(raw, &number, sizeof number);
        bytes.append(raw, sizeof raw);
    }
    return bytes += sha256(json) + json;
}

/// The JSON of a shard's header. Throws InputError.
nlohmann::json decode_header(std::string_view file, const std::string& name) {
    const auto torn = [&](std::string_view why) {
        return InputError(fmt::format("{}: {}: delete it, it is made anew", name, why));
    };
    if (file.size() < kFixedBytes || !file.starts_with(kMagic)) throw torn("no shard of a pack");
    std::uint32_t version = 0;
    std::uint32_t json_bytes = 0;
    std::memcpy(&version, file.data() + kMagic.size(), sizeof version);
    std::memcpy(&json_bytes, file.data() + kMagic.size() + sizeof version, sizeof json_bytes);
    if (version != kVersion) throw torn(fmt::format("found version {}, expected {}", version, kVersion));
    if (file.size() < kFixedBytes + json_bytes) throw torn("torn within its header");
    const std::string_view digest = file.substr(kFixedBytes - kDigestBytes, kDigestBytes);
    const std::string_view json = file.substr(kFixedBytes, json_bytes);
    if (sha256(json) != digest) throw torn("header and its digest disagree");
    return nlohmann::json::parse(json);
}

/// Opens a file read-only into memory for the life of the object.
class MappedFile {
public:
    explicit MappedFile(const std::string& path) {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) throw FileError(path, errno, "open the shard");
        struct stat status {};
        const bool is_known = ::fstat(descriptor, &status) == 0;
        size_ = is_known ? static_cast<std::size_t>(status.st_size) : 0;
        if (size_ > 0) address_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
        const int error_number = errno;
        ::close(descriptor);
        if (!is_known || address_ == MAP_FAILED) throw FileError(path, error_number, "map the shard into memory");
    }
    ~MappedFile() {
        if (address_) ::munmap(address_, size_);
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    std::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

private:
    void* address_ = nullptr;
    std::size_t size_ = 0;
};

/// A shard's header after a check against what it should hold, and of the size of the file.
nlohmann::json check_shard(std::string_view file, const nlohmann::json& expected, const std::string& name) {
    auto header = decode_header(file, name);
    for (const auto& [key, value] : expected.items())
        if (header.value(key, nlohmann::json()) != value)
            throw InputError(fmt::format("{}: {}: found {}, expected {}: the shard belongs to another pack", name, key,
                                         header.value(key, nlohmann::json()).dump(), value.dump()));
    const auto windows = header.at("windows").get<std::vector<std::int64_t>>();
    const auto rows = std::accumulate(windows.begin(), windows.end(), std::size_t{0});
    const std::size_t expected_bytes =
        header.at("data_offset").get<std::size_t>() + rows * header.at("row_bytes").get<std::size_t>();
    if (file.size() != expected_bytes)
        throw InputError(fmt::format("{}: found {} bytes, expected {}: the shard is torn, delete it, it is made anew",
                                     name, file.size(), expected_bytes));
    return header;
}

/// Whether a complete shard with these properties is there: reads it through.
bool is_valid_shard(const std::filesystem::path& path, const nlohmann::json& expected) {
    if (!std::filesystem::exists(path)) return false;
    try {
        const MappedFile file(path.string());
        const auto header = check_shard(file.bytes(), expected, path.string());
        return header.at("data_sha256") == sha256(file.bytes().substr(header.at("data_offset").get<std::size_t>()));
    } catch (const InputError&) {
        return false;
    }
}

/// A shard being written: rows as they come, under a temporary name; the header last.
class ShardFile {
public:
    ShardFile(std::filesystem::path path, std::size_t data_offset)
        : path_(std::move(path)), temporary_(path_.string() + fmt::format(".{}.tmp", ::getpid())), size_(data_offset) {}
    ~ShardFile() {
        if (descriptor_.get() < 0) return;
        std::error_code ignored;
        std::filesystem::remove(temporary_, ignored);
    }
    ShardFile(const ShardFile&) = delete;
    ShardFile& operator=(const ShardFile&) = delete;

    void append(std::span<const std::byte> rows) {
        write_at(rows, size_);
        digest_.update(rows.data(), rows.size());
        size_ += rows.size();
    }
    std::string digest() { return digest_.finish(); }

    /// Writes the header, makes all durable and gives the file its name.
    void finish(const std::string& header) {
        write_at(std::as_bytes(std::span(header)), 0);
        if (::fsync(descriptor_.get()) != 0) throw FileError(temporary_, errno, "sync the shard");
        descriptor_.reset();
        std::error_code error;
        std::filesystem::rename(temporary_, path_, error);
        if (error) throw FileError(path_.string(), error.value(), "rename the shard");
        sync_folder(path_.parent_path());
    }

private:
    void write_at(std::span<const std::byte> bytes, std::size_t place) {
        if (descriptor_.get() < 0) open();
        while (!bytes.empty()) {
            const ssize_t count = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(place));
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) throw FileError(temporary_, errno, "write the shard");
            bytes = bytes.subspan(static_cast<std::size_t>(count));
            place += static_cast<std::size_t>(count);
        }
    }
    void open() {
        std::error_code error;
        std::filesystem::create_directories(path_.parent_path(), error);
        if (error) throw FileError(path_.parent_path().string(), error.value(), "create the folder");
        descriptor_ = UniqueDescriptor(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (descriptor_.get() < 0) throw FileError(temporary_, errno, "open for writing");
    }

    std::filesystem::path path_;
    std::string temporary_;
    UniqueDescriptor descriptor_;
    std::size_t size_;
    Sha256 digest_;
};

/// Prepares windows in chunks of some MiB and appends them to the shard.
class ShardWriter {
public:
    ShardWriter(const JobSpec& spec, ShardFile& file, ShardReport& report)
        : spec_(spec), file_(file), report_(report), type_(pack_type_from(spec.data.pack_type)), preparer_(spec) {
        row_values_ = static_cast<std::size_t>(preparer_.leads() * preparer_.samples());
        constexpr std::size_t kChunkValues = std::size_t{1} << 22U;
        values_.resize(std::max<std::size_t>(1, kChunkValues / row_values_) * row_values_);
    }

    /// All windows of a record, or a row of zeros for one that cannot be prepared.
    void add(const CatalogueRecord& record) {
        if (!can_be_prepared(record, spec_.data)) {
            const auto row = next_row();
            std::fill(row.begin(), row.end(), 0.0F);
            ++report_.zero_records;
            return;
        }
        if (spec_.data.synthetic.patients > 0) {
            const auto index = synthetic_index(spec_.data.synthetic, record.path);
            return add_windows(make_synthetic_record(spec_.data.synthetic, index), record);
        }
        const std::filesystem::path folder = spec_.data.records;
        require_unchanged(record, folder);
        add_windows(read_wfdb_record(folder / (record.path + ".hea")), record);
    }

    void flush() {
        preparer_.flush();
        const auto values = std::span<const float>(values_).first(filled_ * row_values_);
        if (type_ == PackType::kFloat32) {
            file_.append(std::as_bytes(values));
        } else {
            const std::size_t width = row_bytes(type_, preparer_.leads(), preparer_.samples());
            std::vector<std::byte> bytes(filled_ * width);
            for (std::size_t row = 0; row < filled_; ++row)
                encode_row(type_, values.subspan(row * row_values_, row_values_), preparer_.leads(),
                           std::span(bytes).subspan(row * width, width));
            file_.append(bytes);
        }
        filled_ = 0;
    }

private:
    template <class Read>
    void add_windows(const Read& read, const CatalogueRecord& record) {
        PrepareNotes all;
        const std::int64_t windows = window_count(spec_.data, record.sampling_hz, record.samples);
        for (std::int64_t window = 0; window < windows; ++window) {
            const PrepareNotes notes = preparer_.add(read, next_row(), window);
            all.padded_samples += notes.padded_samples;
            report_.missing_samples += notes.missing_samples;
            report_.constant_leads += notes.constant_leads;
            all.derived_leads = notes.derived_leads;
            all.is_unitless = all.is_unitless || notes.is_unitless;
        }
        report_.padded_records += all.padded_samples > 0 ? 1 : 0;
        report_.derived_leads += all.derived_leads;
        report_.unitless_records += all.is_unitless ? 1 : 0;
    }

    std::span<float> next_row() {
        if ((filled_ + 1) * row_values_ > values_.size()) flush();
        return std::span<float>(values_).subspan(row_values_ * filled_++, row_values_);
    }

    const JobSpec& spec_;
    ShardFile& file_;
    ShardReport& report_;
    PackType type_;
    Preparer preparer_;
    std::size_t row_values_ = 0;
    std::vector<float> values_;
    std::size_t filled_ = 0;  ///< rows of `values_`
};

}  // namespace

/// One shard in memory.
class Pack::Mapping {
public:
    Mapping(const std::string& path, const nlohmann::json& expected) : file_(path) {
        const auto header = check_shard(file_.bytes(), expected, path);
        data_ = file_.bytes().substr(header.at("data_offset").get<std::size_t>());
        row_bytes_ = header.at("row_bytes").get<std::size_t>();
        header.at("windows").get_to(windows);
    }
    /// Data begin at a multiple of a page and rows are multiples of 4 bytes, so they are aligned.
    std::span<const std::byte> row(std::int64_t index) const {
        return std::as_bytes(std::span(data_)).subspan(static_cast<std::size_t>(index) * row_bytes_, row_bytes_);
    }
    std::vector<std::int64_t> windows;  ///< of each record

private:
    MappedFile file_;
    std::string_view data_;
    std::size_t row_bytes_ = 0;
};

std::filesystem::path shard_path(const std::filesystem::path& folder, std::int64_t shard) {
    return folder / fmt::format("{:06}.shard", shard);
}

ShardReport write_shard(const JobSpec& spec, const Catalogue& catalogue, const std::filesystem::path& folder,
                        std::int64_t shard, const ShardProgress& progress) {
    const auto all_records = static_cast<std::int64_t>(catalogue.records.size());
    if (shard < 0 || shard >= shard_count(all_records))
        throw std::out_of_range(fmt::format("shard {} of {}", shard, shard_count(all_records)));
    auto description = shard_description(spec, shard, all_records);
    const auto path = shard_path(folder, shard);
    ShardReport report;
    report.records = records_of_shard(shard, all_records);
    report.is_kept = is_valid_shard(path, description);
    if (report.is_kept) return report;

    const auto first = catalogue.records.begin() + static_cast<std::ptrdiff_t>(shard * kRecordsPerShard);
    const std::span<const CatalogueRecord> records(first, static_cast<std::size_t>(report.records));
    std::vector<std::int64_t> windows;
    for (const auto& record : records)
        windows.push_back(
            can_be_prepared(record, spec.data) ? window_count(spec.data, record.sampling_hz, record.samples) : 1);
    description["windows"] = windows;
    // Room for the header before what it will say is known: counts have at most 20 digits.
    constexpr std::size_t kRoomForCounts = 512;
    const std::size_t offset = aligned(kFixedBytes + description.dump().size() + kDigestBytes + kRoomForCounts);
    ShardFile file(path, offset);
    ShardWriter writer(spec, file, report);
    for (std::int64_t i = 0; i < report.records; ++i) {
        writer.add(records[static_cast<std::size_t>(i)]);
        if (progress) progress(i + 1, report.records);
    }
    writer.flush();
    description["repairs"] = to_json(report);
    description["data_offset"] = offset;
    description["data_sha256"] = file.digest();
    file.finish(encode_header(description));
    return report;
}

Pack Pack::open(const std::filesystem::path& folder, const JobSpec& spec, std::int64_t records) {
    Pack pack;
    pack.type_ = pack_type_from(spec.data.pack_type);
    pack.leads_ = static_cast<std::int64_t>(spec.data.leads.size());
    pack.samples_ = spec.window_samples();
    pack.first_rows_.reserve(static_cast<std::size_t>(records) + 1);
    pack.first_rows_.push_back(0);
    for (std::int64_t shard = 0; shard < shard_count(records); ++shard) {
        pack.shards_.push_back(
            std::make_shared<Mapping>(shard_path(folder, shard).string(), shard_description(spec, shard, records)));
        for (const std::int64_t windows : pack.shards_.back()->windows)
            pack.first_rows_.push_back(pack.first_rows_.back() + windows);
    }
    return pack;
}

void Pack::copy(std::int64_t row, std::span<float> out) const {
    if (row < 0 || row >= rows()) throw std::out_of_range(fmt::format("row {} of {}", row, rows()));
    if (static_cast<std::int64_t>(out.size()) != leads_ * samples_)
        throw std::out_of_range(fmt::format("a row has {} values, not {}", leads_ * samples_, out.size()));
    // One row a record is the usual case: then rows are records.
    const std::int64_t record =
        rows() == records() ? row
                            : std::upper_bound(first_rows_.begin(), first_rows_.end(), row) - first_rows_.begin() - 1;
    const std::int64_t shard = record / kRecordsPerShard;
    const std::int64_t within = row - first_row(shard * kRecordsPerShard);
    decode_row(type_, shards_[static_cast<std::size_t>(shard)]->row(within), leads_, out);
}

}  // namespace leadsweep
