// Runs a fuzz target on its seeds, on files that once broke it, and on some thousand changed seeds, always the same.
// Usage: NAME_replay [FOLDER of files]; NAME_replay --write FOLDER leaves the seeds there, for libFuzzer.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "shared/core/files.hpp"
#include "tests/fuzz/target.hpp"

using namespace leadsweep;

namespace {

constexpr int kChangesOfASeed = 2000;

void run(const std::string& bytes) {
    (void)LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::string changed(std::string bytes, std::mt19937& random) {
    for (std::size_t i = 1 + random() % 4; i > 0 && !bytes.empty(); --i) {
        const std::size_t at = random() % bytes.size();
        switch (random() % 4) {
            case 0:
                bytes[at] = static_cast<char>(random());
                break;
            case 1:
                bytes.erase(at, 1 + random() % 8);
                break;
            case 2:
                bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 16));
                break;
            default:
                bytes.resize(at);
                break;
        }
    }
    return bytes;
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<std::string> args(arguments + 1, arguments + count);
    const auto seeds = fuzz::seeds();
    if (args.size() == 2 && args[0] == "--write") {
        std::filesystem::create_directories(args[1]);
        for (std::size_t i = 0; i < seeds.size(); ++i)
            std::ofstream(args[1] + "/seed-" + std::to_string(i), std::ios::binary) << seeds[i];
        return 0;
    }
    std::mt19937 random(1);
    int runs = 0;
    for (const auto& seed : seeds) {
        run(seed);
        for (int i = 0; i < kChangesOfASeed; ++i, ++runs) run(changed(seed, random));
    }
    if (!args.empty() && std::filesystem::is_directory(args[0]))
        for (const auto& entry : std::filesystem::directory_iterator(args[0])) {
            run(read_file(entry.path()));
            ++runs;
        }
    std::cout << runs << " inputs\n";
}
