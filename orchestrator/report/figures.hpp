// Figures of the tested folds as the database holds them, by attempt: what cells of tables are made from.
#pragma once

#include <cstdint>
#include <map>
#include <set>
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

/// Values of a figure of single classes, for every class.
struct ClassFigures {
    std::string code;
    std::string abbreviation;
    FigureValues values;
    std::unordered_map<std::int64_t, std::int64_t> positives;  ///< tested positives, by attempt
};

/// A macro figure whose pairs are to be compared: where not every fold has positives of every class, its mean over the
/// classes that have them in every fold that was tested takes the place of the stored one.
struct PairedFigure {
    FigureValues values;
    std::size_t classes = 0;      ///< averaged
    std::size_t all_classes = 0;  ///< that occur in any fold; equal to `classes` where the stored values serve
};

/// What the finished jobs of a selection found. A figure is read from the database once, whoever shows it.
class Figures {
public:
    /// Both must live as long as this. Nothing is read yet.
    Figures(const ReadStore& store, const Selection& selection);
    Figures(const Figures&) = delete;
    Figures& operator=(const Figures&) = delete;

    const ReadStore& store() const { return store_; }

    /// Throws InputError naming the known ones where no result of the database has this figure.
    const FigureValues& values(const Figure& figure) const;

    /// Names of the figures of the first finished job, over all classes or of single ones.
    std::set<std::string> names(bool of_classes) const;

    /// Of the jobs of `part`, which is this selection or some of its jobs; in the order of the label set, scored groups
    /// alone where it has groups. Throws as values().
    std::vector<ClassFigures> of_classes(const std::string& name, const Selection& part) const;

    /// Of the jobs of `part`. Figures that are no macro mean over classes come back as they are.
    PairedFigure paired(const Figure& figure, const Selection& part) const;

    /// SHA-256 over what the jobs found: for each finished one, ordered by key, the key and all its stored figures. The
    /// same results give the same digest, however the file is laid out on disk. Since this reads everything, values()
    /// of the figures named in `keep` (over all classes) are kept on the way.
    std::string digest(const std::set<std::string>& keep = {}) const;

private:
    using Key = std::pair<std::string, std::string>;  ///< name and class

    const ReadStore& store_;
    const Selection& selection_;
    std::vector<std::int64_t> attempts_;  ///< of finished jobs
    std::vector<std::size_t> jobs_;       ///< of each of them: index into the selection's jobs
    mutable std::map<Key, FigureValues> known_;
};

}  // namespace leadsweep
