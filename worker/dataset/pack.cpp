#include "worker/dataset/pack.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/ecg/leads.hpp"
#include "worker/dataset/prepare.hpp"
#include "worker/dataset/survey.hpp"

namespace leadsweep {
namespace {

constexpr std::string_view kMagic = "LSWSHARD";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kFixedBytes = 8 + 4 + 4 + kDigestBytes;
constexpr std::size_t kAlignment = 4096;

std::int64_t records_of_shard(std::int64_t shard, std::int64_t records) {
    return std::min(kRecordsPerShard, records - shard * kRecordsPerShard);
}

/// All that a shard's header says besides the digest of its data.
nlohmann::json shard_description(const JobSpec& spec, std::int64_t shard, std::int64_t records) {
    return {{"preparation", preparation_settings(spec)},
            {"first_record", shard * kRecordsPerShard},
            {"records", records_of_shard(shard, records)},
            {"leads", spec.data.leads.size()},
            {"samples", spec.window_samples()}};
}

std::size_t data_bytes_of(const nlohmann::json& description) {
    return sizeof(float) * description.at("records").get<std::size_t>() * description.at("leads").get<std::size_t>() *
           description.at("samples").get<std::size_t>();
}

std::size_t data_offset_of(std::size_t json_bytes) {
    return (kFixedBytes + json_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::string encode_header(const nlohmann::json& header) {
    const std::string json = header.dump();
    std::string bytes(kMagic);
    for (const std::uint32_t number : {kVersion, static_cast<std::uint32_t>(json.size())}) {
        char raw[sizeof number];
        std::memcpy(raw, &number, sizeof number);
        bytes.append(raw, sizeof raw);
    }
    bytes += sha256(json) + json;
    bytes.resize(data_offset_of(json.size()), '\0');
    return bytes;
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
    auto header = nlohmann::json::parse(json);
    header["data_offset"] = data_offset_of(json_bytes);
    return header;
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

/// Checks a shard's header against what it should hold, and the size of the file. Returns where its data begin.
std::size_t check_shard(std::string_view file, const nlohmann::json& expected, const std::string& name) {
    const auto header = decode_header(file, name);
    for (const auto& [key, value] : expected.items())
        if (header.value(key, nlohmann::json()) != value)
            throw InputError(fmt::format("{}: {}: found {}, expected {}: the shard belongs to another pack", name, key,
                                         header.value(key, nlohmann::json()).dump(), value.dump()));
    const auto offset = header.at("data_offset").get<std::size_t>();
    const std::size_t expected_bytes = offset + data_bytes_of(expected);
    if (file.size() != expected_bytes)
        throw InputError(fmt::format("{}: found {} bytes, expected {}: the shard is torn, delete it, it is made anew",
                                     name, file.size(), expected_bytes));
    return offset;
}

/// Whether a complete shard with these properties is there: reads it through.
/// Records without a wanted lead are in no fold (the plan leaves them out): their rows stay zero.
bool has_leads(const CatalogueRecord& record, const std::vector<std::string>& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& lead) {
        return std::any_of(record.leads.begin(), record.leads.end(),
                           [&](const std::string& present) { return find_lead(present) == find_lead(lead); });
    });
}

bool is_valid_shard(const std::filesystem::path& path, const nlohmann::json& expected) {
    if (!std::filesystem::exists(path)) return false;
    try {
        const MappedFile file(path.string());
        const std::size_t offset = check_shard(file.bytes(), expected, path.string());
        return decode_header(file.bytes(), path.string()).at("data_sha256") == sha256(file.bytes().substr(offset));
    } catch (const InputError&) {
        return false;
    }
}

void count_notes(const PrepareNotes& notes, ShardReport& report) {
    report.padded_records += notes.padded_samples > 0 ? 1 : 0;
    report.missing_samples += notes.missing_samples;
    report.constant_leads += notes.constant_leads;
    report.unitless_records += notes.is_unitless ? 1 : 0;
}

PrepareNotes add_record(const JobSpec& spec, const CatalogueRecord& record, Preparer& preparer, std::span<float> out) {
    if (spec.data.synthetic.patients > 0) {
        const auto index = synthetic_index(spec.data.synthetic, record.path);
        return preparer.add(make_synthetic_record(spec.data.synthetic, index), out);
    }
    const std::filesystem::path folder = spec.data.records;
    require_unchanged(record, folder);
    return preparer.add(read_wfdb_record(folder / (record.path + ".hea")), out);
}

}  // namespace

/// One shard in memory.
class Pack::Mapping {
public:
    Mapping(const std::string& path, const nlohmann::json& expected)
        : file_(path), offset_(check_shard(file_.bytes(), expected, path)) {}
    /// The file's data begin at a multiple of a page, so they are aligned.
    const float* data() const { return reinterpret_cast<const float*>(file_.bytes().data() + offset_); }

private:
    MappedFile file_;
    std::size_t offset_;
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

    // The header is as long whatever the digest of the data: they are written behind it in one piece.
    description["data_sha256"] = std::string(kDigestBytes, '0');
    const std::size_t offset = encode_header(description).size();
    Preparer preparer(spec);
    const auto record_values = static_cast<std::size_t>(preparer.leads() * preparer.samples());
    std::vector<float> file(offset / sizeof(float) + static_cast<std::size_t>(report.records) * record_values, 0.0F);
    const auto values = std::span<float>(file).subspan(offset / sizeof(float));
    for (std::int64_t i = 0; i < report.records; ++i) {
        const auto& record = catalogue.records[static_cast<std::size_t>(shard * kRecordsPerShard + i)];
        const auto out = values.subspan(static_cast<std::size_t>(i) * record_values, record_values);
        if (record.is_usable() && has_leads(record, spec.data.leads))
            count_notes(add_record(spec, record, preparer, out), report);
        if (progress) progress(i + 1, report.records);
    }
    preparer.flush();
    description["data_sha256"] = sha256(std::as_bytes(values));
    const std::string header = encode_header(description);
    std::memcpy(file.data(), header.data(), header.size());
    write_file_durably(path, {reinterpret_cast<const char*>(file.data()), file.size() * sizeof(float)});
    return report;
}

Pack Pack::open(const std::filesystem::path& folder, const JobSpec& spec, std::int64_t records) {
    Pack pack;
    pack.records_ = records;
    pack.leads_ = static_cast<std::int64_t>(spec.data.leads.size());
    pack.samples_ = spec.window_samples();
    for (std::int64_t shard = 0; shard < shard_count(records); ++shard)
        pack.shards_.push_back(
            std::make_shared<Mapping>(shard_path(folder, shard).string(), shard_description(spec, shard, records)));
    return pack;
}

std::span<const float> Pack::record(std::int64_t index) const {
    if (index < 0 || index >= records_) throw std::out_of_range(fmt::format("record {} of {}", index, records_));
    const auto values = leads_ * samples_;
    const auto& shard = *shards_[static_cast<std::size_t>(index / kRecordsPerShard)];
    return {shard.data() + index % kRecordsPerShard * values, static_cast<std::size_t>(values)};
}

}  // namespace leadsweep
