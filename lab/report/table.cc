#include "report/table.h"

#include <algorithm>

namespace godwit::report {

Table without_empty_columns(const Table& table) {
  Table narrower{.title = table.title, .note = table.note};
  narrower.rows.resize(table.rows.size());
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const bool empty = std::all_of(table.rows.begin(), table.rows.end(),
                                   [column](const std::vector<Cell>& row) { return row[column].text.empty(); });
    if (empty) continue;
    narrower.columns.push_back(table.columns[column]);
    for (std::size_t row = 0; row < table.rows.size(); ++row) narrower.rows[row].push_back(table.rows[row][column]);
  }
  return narrower;
}

}  // namespace godwit::report
