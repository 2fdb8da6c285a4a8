// The files in which the kernel tells about the machine (/proc, /sys), read below a root that tests may replace with a
// tree of their own. A file that is absent or may not be read is nothing, never an empty string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::measure {

class SystemFiles {
 public:
  SystemFiles() = default;
  // `root` stands for "/", without a slash at its end.
  explicit SystemFiles(std::string root) : root_(std::move(root)) {}

  // At most 1 MiB of the file.
  [[nodiscard]] std::optional<std::string> read(std::string_view path) const;
  // The content without white space at either end.
  [[nodiscard]] std::optional<std::string> read_line(std::string_view path) const;
  [[nodiscard]] std::optional<std::int64_t> read_number(std::string_view path) const;
  // Names in a folder, sorted; none when the folder cannot be read.
  [[nodiscard]] std::vector<std::string> list(std::string_view path) const;
  [[nodiscard]] bool exists(std::string_view path) const;
  // True for the machine's own files: what no file tells (sockets, counters) may then be asked of the system too.
  [[nodiscard]] bool is_real() const { return root_.empty(); }

 private:
  std::string root_;
};

// Helpers for the kernel's tables.
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split_lines(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split_words(std::string_view text);
// Nothing unless the whole text is one decimal number.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);
// The text after "key" and a colon on the line that begins with key: "/proc/cpuinfo", "/proc/self/status".
[[nodiscard]] std::optional<std::string> value_of(std::string_view table, std::string_view key);

}  // namespace godwit::measure
