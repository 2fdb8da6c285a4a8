#include "measure/system_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace godwit::measure {

namespace {

constexpr std::size_t kLargestFile = 1U << 20U;
constexpr std::string_view kWhiteSpace = " \t\r\n";

}  // namespace

std::optional<std::string> SystemFiles::read(std::string_view path) const {
  const std::string full = root_ + std::string(path);
  const int descriptor = ::open(full.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  std::string content;
  std::array<char, 16384> block;
  // Some files of /sys open and then fail to read: that is absence too.
  bool failed = false;
  while (content.size() < kLargestFile) {
    const ssize_t got = ::read(descriptor, block.data(), block.size());
    if (got < 0) failed = true;
    if (got <= 0) break;
    content.append(block.data(), static_cast<std::size_t>(got));
  }
  ::close(descriptor);
  if (failed) return std::nullopt;
  return content;
}

std::optional<std::string> SystemFiles::read_line(std::string_view path) const {
  const std::optional<std::string> content = read(path);
  if (!content) return std::nullopt;
  return std::string(trim(*content));
}

std::optional<std::int64_t> SystemFiles::read_number(std::string_view path) const {
  const std::optional<std::string> line = read_line(path);
  return line ? parse_integer(*line) : std::nullopt;
}

std::vector<std::string> SystemFiles::list(std::string_view path) const {
  std::vector<std::string> names;
  DIR* folder = ::opendir((root_ + std::string(path)).c_str());
  if (folder == nullptr) return names;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

bool SystemFiles::exists(std::string_view path) const {
  struct stat ignored{};
  return ::stat((root_ + std::string(path)).c_str(), &ignored) == 0;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t begin = text.find_first_not_of(kWhiteSpace);
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(kWhiteSpace), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> value_of(std::string_view table, std::string_view key) {
  for (const std::string_view line : split_lines(table)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (trim(line.substr(0, colon)) == key) return std::string(trim(line.substr(colon + 1)));
  }
  return std::nullopt;
}

}  // namespace godwit::measure
