// Any text as the header of a record: a header or InputError.
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"
#include "tests/fuzz/target.hpp"
#include "worker/dataset/wfdb_header.hpp"

using namespace leadsweep;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const WfdbHeader header = parse_wfdb_header({reinterpret_cast<const char*>(data), size}, "fuzz.hea");
        // What goes into the catalogue is text that JSON can hold.
        std::vector<std::string> texts = {header.record, header.patient, header.sex};
        for (const auto* list : {&header.labels, &header.unmapped_labels, &header.repairs})
            texts.insert(texts.end(), list->begin(), list->end());
        for (const auto& signal : header.signals) {
            texts.insert(texts.end(), {signal.lead, signal.file, signal.unit_text});
            if (signal.samples_per_frame < 1 || signal.gain == 0) __builtin_trap();
        }
        for (const auto& text : texts)
            if (find_bad_utf8(text)) __builtin_trap();
    } catch (const InputError&) {
        // As promised.
    }
    return 0;
}

std::vector<std::string> fuzz::seeds() {
    const std::string folder = LEADSWEEP_SOURCE_DIR "/tests/reference/wfdb/";
    std::vector<std::string> seeds = {
        "A0001 2 500 7500 05-Feb-2020 11:39:16\r\nA0001.mat 16+24 1000/mV 16 0 28 -1716 0 I\r\n"
        "A0001.mat 16+24 1000/mV 16 0 7 2029 0 aVR\r\n#Age: 74\r\n#Sex: Male\r\n#Dx: 59118001,RBBB\r\n#Rx: Unknown\r\n",
        "E07500.mat 1 500 5000 \nE07500.mat 16x1+24 1.052e+04(0)/mv 16 0 -115 13047 0 AVR\n# Age: NaN\n# Patient ID: "
        "17\n",
        "JS01052 1 500 5000JS01052.mat 16+24 1000/mV 16 0 1 2 0 I\n#wfdb 10.6\n"};
    for (const char* name : {"tiny", "frames", "format_212"}) seeds.push_back(read_file(folder + name + ".hea"));
    return seeds;
}
