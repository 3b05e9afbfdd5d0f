// An ECG on paper, as SVG: 25 mm/s, 10 mm/mV, a line every mm and a stronger one every 5 mm.
#pragma once

#include <string>
#include <vector>

namespace leadsweep {

struct DrawnLead {
    std::string name;
    std::vector<float> amplitude_uv;  ///< [N]
};

struct DrawnRecord {
    std::string title;  ///< the record's path
    std::string facts;  ///< rate, length, age, sex, diagnoses
    double sampling_hz = 0;
    bool is_unitless = false;  ///< 10 mm is one unit of the file, not a mV
    std::vector<DrawnLead> leads;
};

/// Draws `seconds` from `from_s` on, one strip under the other, each with its name and a calibration pulse of 1 mV. A
/// lead is centred on its median and keeps its true height, also where it crosses its neighbours. A complete SVG
/// document, in mm. Throws InputError where nothing lies in that stretch.
std::string draw_ecg_paper(const DrawnRecord& record, double from_s, double seconds);

}  // namespace leadsweep
