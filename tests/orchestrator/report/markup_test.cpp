#include "orchestrator/report/markup.hpp"

#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

Table nasty_table() {
    Table table;
    table.caption = "<script>alert(1)</script> & 100 % of \\evil{}";
    table.columns = {{"a_b"}, {"x", Alignment::kRight, {"mean"}}};
    table.rows = {{cell_of(std::string("[50, 25] <img onerror=\"x\">")), {"-0.012 ± 0.003†", {-0.012}, true}},
                  {cell_of(std::string("$x^2$ ~#_")), {"a|b\nc", {}}}};
    table.notes = {"'quoted' & <b>"};
    return table;
}

}  // namespace

TEST_CASE("LaTeX's own signs are shown, not obeyed", "[report]") {
    CHECK(render(nasty_table(), TableFormat::kLatex) ==
          "% \\usepackage{booktabs,graphicx}; text in UTF-8\n"
          "\\begin{table}\n\\centering\n\\small\n"
          "\\caption{\\textless{}script\\textgreater{}alert(1)\\textless{}/script\\textgreater{} \\& 100 \\% of "
          "\\textbackslash{}evil\\{\\}}\n"
          "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n\\begin{tabular}{lr}\n\\toprule\n"
          "a\\_b & x \\\\\n\\midrule\n"
          "{}[50, 25] \\textless{}img onerror=\"x\"\\textgreater{} & \\textbf{$-$0.012 $\\pm$ 0.003\\dag{}} \\\\\n"
          "\\$x\\textasciicircum{}2\\$ \\textasciitilde{}\\#\\_ & a\\textbar{}b c \\\\\n"
          "\\bottomrule\n\\end{tabular}}\n"
          "\n\\medskip\n\\begin{minipage}{0.95\\linewidth}\\footnotesize\n'quoted' \\& "
          "\\textless{}b\\textgreater{}\\par\n"
          "\\end{minipage}\n\\end{table}\n");
}

TEST_CASE("Options keep both their hyphens in LaTeX", "[report]") {
    Table table;
    table.columns = {{"a"}};
    table.rows = {{cell_of(CellValue(std::string("-1")))}};
    table.notes = {"choose with --where key=value"};
    const std::string latex = render(table, TableFormat::kLatex);
    CHECK(latex.find("choose with -{}-where key=value") != std::string::npos);
    CHECK(latex.find("$-$1") != std::string::npos);
}

TEST_CASE("HTML in names is text, and numbers can be sorted by", "[report]") {
    const std::string html = html_table(nasty_table(), "t");
    CHECK(html.find("<script") == std::string::npos);
    CHECK(html.find("<img") == std::string::npos);
    CHECK(html.find("<figure class=\"table\" id=\"t\">") == 0);
    CHECK(html.find("<figcaption>&lt;script&gt;alert(1)&lt;/script&gt; &amp; 100 % of \\evil{}</figcaption>") !=
          std::string::npos);
    CHECK(html.find("<td class=\"number\" data-value=\"-0.012\"><b>-0.012 ± 0.003†</b></td>") != std::string::npos);
    CHECK(html.find("<li>&#39;quoted&#39; &amp; &lt;b&gt;</li>") != std::string::npos);
    const std::string page = render(nasty_table(), TableFormat::kHtml);
    CHECK(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    CHECK(page.find("<title>&lt;script&gt;") != std::string::npos);
}
