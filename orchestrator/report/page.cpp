#include "orchestrator/report/page.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "embedded/report_page.hpp"
#include "orchestrator/report/markup.hpp"
#include "orchestrator/report/page_figures.hpp"
#include "orchestrator/report/page_sections.hpp"
#include "orchestrator/report/provenance.hpp"

namespace leadsweep {
namespace {

/// JSON inside a script element: no "<" may end it, whatever people call their sweeps.
std::string script_json(const nlohmann::json& json) {
    std::string text;
    for (const char c : json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)) {
        if (c == '<')
            text += "\\u003c";
        else
            text += c;
    }
    return text;
}

std::string filled(std::string_view pattern, const std::vector<std::pair<std::string_view, std::string_view>>& values) {
    std::string out;
    std::size_t at = 0;
    while (at < pattern.size()) {
        const auto open = pattern.find("{{", at);
        const auto close = open == std::string_view::npos ? open : pattern.find("}}", open);
        if (close == std::string_view::npos) break;
        out += pattern.substr(at, open - at);
        const std::string_view name = pattern.substr(open + 2, close - open - 2);
        const auto value = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.first == name; });
        out += value == values.end() ? pattern.substr(open, close + 2 - open) : value->second;
        at = close + 2;
    }
    return out.append(pattern.substr(at));
}

struct Section {
    std::string id;
    std::string title;
    std::string html;
};

std::string joined(const std::vector<Section>& sections) {
    std::string nav = "<nav aria-label=\"Sections\"><ul>\n";
    std::string body;
    for (const Section& one : sections) {
        if (one.html.empty()) continue;
        nav += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", one.id, one.title);
        body += fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n{2}</section>\n", one.id,
                            one.title, one.html);
    }
    return nav + "</ul></nav>\n" + body;
}

/// A place that the page's script fills.
std::string drawn(const std::string& name, bool is_there) {
    return is_there ? fmt::format("<div data-figures=\"{}\"></div>\n", name) : "";
}

nlohmann::json figures_of(const PageData& page, const std::vector<PageGroup>& drawn_groups) {
    nlohmann::json data;
    data["axis"] = axis_figures(page.figures, page.selection, page.layout, page.groups, page.metrics);
    data["curves"] = learning_curves(page.store, page.selection, drawn_groups);
    data["predictions"] = prediction_figures(page.store, page.work_folder, page.selection, drawn_groups);
    data["maps"] = lead_maps(page.store, page.work_folder, page.selection, drawn_groups);
    return data;
}

std::string problems_html(const nlohmann::json& problems) {
    if (problems.empty()) return "";
    std::string html = fmt::format(
        "<details><summary>Predictions of {} job{} cannot be used; the figures are of the others</summary>\n<ul>\n",
        problems.size(), problems.size() == 1 ? "" : "s");
    for (std::size_t i = 0; i < std::min<std::size_t>(problems.size(), 20); ++i)
        html += "<li>" + html_escaped(problems[i].get<std::string>()) + "</li>\n";
    return html + "</ul>\n</details>\n";
}

}  // namespace

std::string report_page(const ReadStore& store, const PageRequest& request) {
    const PageData page(store, request);
    const std::vector<PageGroup> groups = groups_to_draw(page);
    const nlohmann::json data = figures_of(page, groups);
    const auto& predictions = data["predictions"];
    const std::string content =
        joined({{"summary", "Summary", summary_html(page)},
                {"comparison", "Comparison", comparison_html(page)},
                {"figures", "Figures", drawn("axis", !data["axis"].empty())},
                {"classes", "By class", class_html(page)},
                {"curves", "Learning curves", drawn("curves", !data["curves"].empty())},
                {"calibration", "Calibration and thresholds",
                 drawn("calibration", !predictions["calibration"].empty()) + problems_html(predictions["problems"])},
                {"maps", "Lead importance", drawn("maps", !data["maps"].is_null())},
                {"failures", "Failures", failures_html(page)},
                {"cost", "Cost", cost_html(page)},
                {"provenance", "Provenance", provenance_html(page)}}) +
        "<script type=\"application/json\" id=\"data\">" + script_json(data) + "</script>\n";
    const std::string title = html_escaped(page.selection.sweep);
    return filled(embedded::page_html, {{"title", title},
                                        {"version", LEADSWEEP_VERSION},
                                        {"style", embedded::page_css},
                                        {"connect", request.is_live ? "'self'" : "'none'"},
                                        {"body", request.is_live ? " data-live" : ""},
                                        {"live", request.is_live ? "<div id=\"live\"></div>\n" : ""},
                                        {"content", content},
                                        {"digest", page.digest},
                                        {"charts", embedded::charts_js},
                                        {"script", embedded::page_js},
                                        {"live_script", request.is_live ? embedded::live_js : std::string_view()}});
}

}  // namespace leadsweep
