// Reading and writing the JSON of measurements. Objects keep the order in which they are written, so that stored
// files diff well. JsonReader reads what a person or another version wrote: it never throws, and it collects every
// problem with its place instead of stopping at the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "support/json_fwd.h"

namespace godwit::measure {

// What a text may become. Every level of nesting is indented when it is printed, so that a short text of brackets would
// be a long one.
struct JsonLimits {
  std::size_t depth = 64;           // arrays and objects in one another
  std::size_t elements = SIZE_MAX;  // values in all
};
// Nothing but an Error for text that is not JSON, or beyond the limits. Allocates in proportion to the text only.
[[nodiscard]] Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

// Two spaces of indentation, arrays of plain numbers on one line, a line feed at the end.
[[nodiscard]] std::string print_json(const Json& value);

// A finite number as itself, anything else as null: JSON knows no infinity.
[[nodiscard]] Json number_or_null(double value);
[[nodiscard]] Json number_or_null(const std::optional<double>& value);

// A number of an object whose form is not in question; 0 where it is missing or of another kind.
[[nodiscard]] double number_or_zero(const Json& object, std::string_view key);

// One object under inspection. Accessors return a neutral value where the member is missing or of another kind, and
// note the problem as "path.key: expected a number". Members not asked for are ignored: newer writers may add some.
// `problems` outlives the reader, and so does the value.
class JsonReader {
 public:
  JsonReader(const Json& value, std::string path, std::vector<std::string>& problems);

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key);
  [[nodiscard]] std::string text_or(std::string_view key, std::string_view otherwise);
  [[nodiscard]] double number(std::string_view key);
  // Nothing for a missing member or null.
  [[nodiscard]] std::optional<double> optional_number(std::string_view key);
  [[nodiscard]] std::uint64_t count(std::string_view key);
  [[nodiscard]] bool flag(std::string_view key);
  [[nodiscard]] std::vector<double> numbers(std::string_view key);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  [[nodiscard]] JsonReader object(std::string_view key);
  // One reader an element; the array may be missing when `required` is false.
  [[nodiscard]] std::vector<JsonReader> objects(std::string_view key, bool required = true);
  // Names and values of an object of strings, in its order.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> text_map(std::string_view key);

  void problem(std::string_view key, std::string_view what);
  [[nodiscard]] const Json& value() const { return *value_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] const Json* find(std::string_view key) const;
  [[nodiscard]] const Json* require(std::string_view key, std::string_view kind);
  [[nodiscard]] std::string path_of(std::string_view key) const;

  const Json* value_;
  std::string path_;
  std::vector<std::string>* problems_;
};

}  // namespace godwit::measure
