#include "shared/job/attempt_files.hpp"

#include <filesystem>

#include "shared/core/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;

TEST_CASE("A job goes on from its newest attempt that has a checkpoint, also if only the one before is left", "[job]") {
    const TemporaryFolder folder;
    const auto path = [&](const std::string& name) { return folder / name; };
    CHECK(newest_folder_with_checkpoint(folder / "no_such_job").empty());
    std::filesystem::create_directories(path("12"));
    write_file_durably(path("note/checkpoint.safetensors"), "no attempt's");
    CHECK(newest_folder_with_checkpoint(folder.path().string()).empty());
    write_file_durably(path("9/checkpoint.safetensors"), "x");
    CHECK(newest_folder_with_checkpoint(folder.path().string()) == path("9"));
    write_file_durably(path("10/checkpoint.previous.safetensors"), "x");
    CHECK(newest_folder_with_checkpoint(folder.path().string()) == path("10"));
    remove_checkpoints(path("10"));
    CHECK(newest_folder_with_checkpoint(folder.path().string()) == path("9"));
}
