// An ECG on paper, as SVG: 25 mm/s, 10 mm/mV, a line every mm and a stronger one every 5 mm.
#pragma once

#include <string>
#include <vector>

namespace leadsweep {

/// A stretch of a strip that is coloured behind the trace.
struct Shade {
    double from_s = 0;
    double to_s = 0;
    std::string colour;     ///< "#rrggbb"
    double opacity = 0;     ///< 0 to 1
    std::string text = "";  ///< at its top, where there is room
};

struct DrawnLead {
    std::string name;
    std::vector<float> amplitude_uv;  ///< [N]
    std::vector<Shade> shades = {};
    std::string note = "";  ///< at the strip's end
};

struct DrawnRecord {
    std::string title;  ///< the record's path
    std::string facts;  ///< rate, length, age, sex, diagnoses
    double sampling_hz = 0;
    bool is_unitless = false;  ///< 10 mm is one unit of the file, not a mV
    std::vector<DrawnLead> leads;
    std::vector<std::string> remarks = {};  ///< lines below the facts
    std::string foot = "";                  ///< SVG below the paper, in mm
    double foot_mm = 0;                     ///< its height
};

/// Draws `seconds` from `from_s` on, one strip under the other, each with its name and a calibration pulse of 1 mV. A
/// lead is centred on its median and keeps its true height, also where it crosses its neighbours. A complete SVG
/// document, in mm. Throws InputError where nothing lies in that stretch.
std::string draw_ecg_paper(const DrawnRecord& record, double from_s, double seconds);

}  // namespace leadsweep
