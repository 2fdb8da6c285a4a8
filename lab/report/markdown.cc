#include "report/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace godwit::report {

namespace {

constexpr std::string_view kBegin = "<!-- godwit:begin ";
constexpr std::string_view kEnd = "<!-- godwit:end -->";
constexpr std::string_view kClose = "-->";

std::string cell_text(const Cell& cell) {
  std::string text;
  for (const char character : cell.text) {
    if (character == '|') text += '\\';
    text += character == '\n' ? ' ' : character;
  }
  const bool bold = (cell.tone == Tone::kStrong || cell.tone == Tone::kBad) && !text.empty();
  return bold ? "**" + text + "**" : text;
}

// A document in pieces: lines of the author, and sections with what stands in them.
struct Piece {
  std::string author;               // verbatim, with the begin marker's line at its end when a section follows
  std::optional<std::string> name;  // of the section that follows
  std::string content;              // of the section, verbatim
  std::size_t line = 0;             // of the begin marker
};

std::string_view trimmed(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

Result<std::vector<Piece>> cut(std::string_view document) {
  std::vector<Piece> pieces(1);
  bool inside = false;
  bool in_code = false;  // a fenced example of a marker is not one
  std::size_t number = 0;
  while (!document.empty()) {
    ++number;
    const std::size_t end = document.find('\n');
    const std::string_view line = document.substr(0, end == std::string_view::npos ? document.size() : end + 1);
    document.remove_prefix(line.size());
    const std::string_view bare = trimmed(line.substr(0, line.find('\n')));
    if (!inside && bare.starts_with("```")) in_code = !in_code;
    if (!in_code && bare == kEnd) {
      if (!inside) return failure(ErrorCode::kInvalidArgument, fmt::format("line {}: an end without a begin", number));
      inside = false;
      pieces.emplace_back();
      pieces.back().author = line;
    } else if (!in_code && bare.starts_with(kBegin) && bare.ends_with(kClose)) {
      if (inside) return failure(ErrorCode::kInvalidArgument, fmt::format("line {}: a begin inside a section", number));
      inside = true;
      Piece& piece = pieces.back();
      piece.author += line;
      piece.line = number;
      piece.name = trimmed(bare.substr(kBegin.size(), bare.size() - kBegin.size() - kClose.size()));
    } else if (inside) {
      pieces.back().content += line;
    } else {
      pieces.back().author += line;
    }
  }
  if (inside) {
    return failure(ErrorCode::kInvalidArgument, fmt::format("line {}: a begin without an end", pieces.back().line));
  }
  return pieces;
}

// As it stands in the document: set apart by empty lines, as Markdown wants its tables.
std::string framed(std::string content) {
  while (!content.empty() && content.back() == '\n') content.pop_back();
  return "\n" + content + "\n\n";
}

}  // namespace

std::string to_markdown(const Table& table) {
  std::string out;
  if (!table.title.empty()) out += "**" + table.title + "**\n\n";
  std::string titles = "|";
  std::string rule = "|";
  for (const Column& column : table.columns) {
    titles += " " + cell_text({column.title}) + " |";
    rule += column.right ? "---:|" : "---|";
  }
  out += titles + "\n" + rule + "\n";
  for (const std::vector<Cell>& row : table.rows) {
    out += "|";
    for (const Cell& cell : row) out += " " + cell_text(cell) + " |";
    out += "\n";
  }
  if (!table.note.empty()) out += "\n" + table.note + "\n";
  return out;
}

Result<std::string> update_document(std::string_view document, const RenderSection& render) {
  const Result<std::vector<Piece>> pieces = cut(document);
  if (!pieces) return std::unexpected(pieces.error());
  std::string out;
  for (const Piece& piece : *pieces) {
    out += piece.author;
    if (!piece.name) continue;
    Result<std::string> content = render(*piece.name);
    if (!content) {
      return failure(content.error().code,
                     fmt::format("line {}: section '{}': {}", piece.line, *piece.name, content.error().message));
    }
    out += framed(std::move(*content));
  }
  return out;
}

std::vector<std::string> check_document(std::string_view document, const RenderSection& render) {
  const Result<std::vector<Piece>> pieces = cut(document);
  if (!pieces) return {pieces.error().message};
  std::vector<std::string> problems;
  for (const Piece& piece : *pieces) {
    if (!piece.name) continue;
    const Result<std::string> content = render(*piece.name);
    if (!content) {
      problems.push_back(fmt::format("line {}: section '{}': {}", piece.line, *piece.name, content.error().message));
    } else if (framed(*content) != piece.content) {
      problems.push_back(
          fmt::format("line {}: section '{}' is not what the stored results say", piece.line, *piece.name));
    }
  }
  return problems;
}

}  // namespace godwit::report
