// Figures of the tested folds as the database holds them, by attempt: what cells of tables are made from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "orchestrator/report/selection.hpp"

namespace leadsweep {

/// A figure over all classes ("macro_f1") or of one class.
struct Figure {
    std::string text;        ///< as it was asked for: "auroc:AF"
    std::string name;        ///< "auroc"
    std::string class_code;  ///< "" over all classes
};

/// "name" or "name:class", the class by code or abbreviation. Throws InputError with the nearest right name.
Figure figure_from(const ReadStore& store, const std::string& text);

/// Value of each result that has one, by attempt.
using FigureValues = std::unordered_map<std::int64_t, double>;

/// Throws InputError naming the known ones where no result of the database has this figure.
FigureValues load_figure(const ReadStore& store, std::int64_t sweep_id, const Figure& figure);

/// Values of a figure of single classes, for every class.
struct ClassFigures {
    std::string code;
    std::string abbreviation;
    FigureValues values;
    std::unordered_map<std::int64_t, std::int64_t> positives;  ///< tested positives, by attempt
};

/// In the order of the label set (`label_set` of the selection); scored groups alone where it has groups. Throws as
/// load_figure().
std::vector<ClassFigures> load_class_figures(const ReadStore& store, const Selection& selection,
                                             const std::string& name);

/// A macro figure whose pairs are to be compared: where not every fold has positives of every class, its mean over the
/// classes that have them in every fold that was tested takes the place of the stored one.
struct PairedFigure {
    FigureValues values;
    std::size_t classes = 0;      ///< averaged
    std::size_t all_classes = 0;  ///< that occur in any fold; equal to `classes` where the stored values serve
};

/// `stored` as from load_figure(); figures that are no macro mean over classes come back as they are.
PairedFigure paired_figure(const ReadStore& store, const Selection& selection, const Figure& figure,
                           const FigureValues& stored);

}  // namespace leadsweep
