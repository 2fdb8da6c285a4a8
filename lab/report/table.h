// A table of figures before it is drawn: the same one is printed on a terminal, written into a document as Markdown and
// set in the HTML report. Builders in tables.h make them from results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace godwit::report {

// What a cell means; each medium has its own way to show it, and none depends on colour alone.
enum class Tone : std::uint8_t { kPlain, kGood, kBad, kWarning, kFaint, kStrong };

struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
};

struct Column {
  std::string title;
  bool right = false;  // figures stand at the right
  bool minor = false;  // left out where there is little room
};

// Every row has as many cells as there are columns.
struct Table {
  std::string title{};
  std::vector<Column> columns{};
  std::vector<std::vector<Cell>> rows{};
  std::string note{};  // one paragraph below

  [[nodiscard]] bool empty() const { return rows.empty(); }
};

// Columns without a single word, remarks mostly, only take room.
[[nodiscard]] Table without_empty_columns(const Table& table);

}  // namespace godwit::report
