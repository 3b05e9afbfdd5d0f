#include "orchestrator/commands/survey.hpp"

#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/plan/catalogue_source.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

/// Runs `leadsweep-worker survey`; its words are shown only where it fails.
Catalogue survey_by_worker(const nlohmann::json& request, const std::string& folder, const Places& places,
                           Spawner& spawner) {
    const std::string stem = fmt::format("{}/survey.{}", folder, ::getpid());
    const std::string request_path = stem + ".json";
    const std::string result_path = stem + ".jsonl";
    const std::string log_path = stem + ".log";
    write_file_durably(request_path, request.dump());
    const std::size_t headers = request.at("headers").size();
    if (headers > 0) log::info("surveying {} records in {}", headers, request.at("records_folder").get<std::string>());
    const ChildExit exit =
        spawner.run({{places.worker, "survey", request_path, "--out", result_path}, {}, log_path, false});
    const std::string words = read_file(log_path);
    fs::remove(log_path);
    fs::remove(request_path);
    if (exit.signal != 0)
        throw InterruptedError(fmt::format("the survey of records was ended by signal {}: start again", exit.signal));
    if (exit.code != 0) throw InputError(fmt::format("the survey of records failed: {}", trim(words)));
    Catalogue catalogue = load_catalogue(result_path);
    fs::remove(result_path);
    return catalogue;
}

}  // namespace

CatalogueProvider catalogue_provider(const Places& places, Spawner& spawner) {
    return [places, &spawner](const DataSpec& data) {
        const std::string folder = places.work + "/catalogues";
        const std::string path = fmt::format("{}/{}.jsonl", folder, sha256(source_of(data)).substr(0, 16));
        std::optional<Catalogue> cached;
        if (fs::exists(path)) {
            try {
                cached = load_catalogue(path);
            } catch (const InputError& error) {
                log::warning("{}: the records are surveyed anew", error.what());
            }
        }
        bool is_changed = false;
        auto catalogue = std::make_shared<Catalogue>(fresh_catalogue(data, cached, [&](const nlohmann::json& request) {
            is_changed = true;
            fs::create_directories(folder);
            return survey_by_worker(request, folder, places, spawner);
        }));
        if (is_changed || !cached || cached->records.size() != catalogue->records.size())
            save_catalogue(*catalogue, path);
        return std::shared_ptr<const Catalogue>(catalogue);
    };
}

}  // namespace leadsweep
