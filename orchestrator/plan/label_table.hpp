// A CSV table whose columns take the place of what the headers say (data.table). Changes a catalogue, opens no record.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "shared/ecg/catalogue.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep {

struct TableReport {
    std::string file;                     ///< where the table was found
    std::size_t records_without_row = 0;  ///< keep what their headers say
    std::size_t rows_without_record = 0;  ///< ignored
};

/// Overlays what the named columns say (labels, patient, source, fold, age, sex) onto the records of the same path (no
/// extension). Codes are separated by ; or , and an empty cell means that nothing is known. A relative table.file is
/// looked for in `records_folder`, then in `sweep_folder`. Throws InputError where the file, a named column or a field
/// is missing, or a record comes twice.
TableReport apply_table(Catalogue& catalogue, const TableSpec& table, const std::filesystem::path& records_folder,
                        const std::filesystem::path& sweep_folder);

/// The classes that data.labels names; those of a file are read from data.label_file, looked for like a table. Throws
/// InputError.
LabelSet label_set_of(const DataSpec& data, const std::filesystem::path& sweep_folder);

}  // namespace leadsweep
