#include "transfer/file_name.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/bytes.h"
#include "wire/utf8.h"

namespace godwit {
namespace {

// At most `bytes` of `text`, not ending within a character.
std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

// The bytes of the character that `text` begins with; 0 where it begins with none.
std::size_t character_bytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return length <= text.size() && wire::is_valid_utf8(as_bytes(text.substr(0, length))) ? length : 0;
}

char32_t code_point(std::string_view character) {
  const auto byte = [&character](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  char32_t value = byte(0) & (0x7fU >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte(i) & 0x3fU);
  return value;
}

struct CodeRange {
  char32_t first;
  char32_t last;
};

template <std::size_t N>
bool contains(const std::array<CodeRange, N>& ranges, char32_t code) {
  const auto after = std::ranges::upper_bound(ranges, code, {}, &CodeRange::first);
  return after != ranges.begin() && std::prev(after)->last >= code;
}

// Sorted. Controls (Cc), format characters (Cf), line and paragraph separators, what Unicode calls ignorable by default
// (U+FE00 to U+FE0F aside: they choose the form of an emoji), fillers that look like nothing, and code points that are
// no characters.
constexpr std::array<CodeRange, 45> kInvisible = {{
    {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},
    {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f},   {0x2800, 0x2800},   {0x3164, 0x3164},   {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff},
    {0x3fffe, 0x3ffff}, {0x4fffe, 0x4ffff}, {0x5fffe, 0x5ffff}, {0x6fffe, 0x6ffff}, {0x7fffe, 0x7ffff},
    {0x8fffe, 0x8ffff}, {0x9fffe, 0x9ffff}, {0xafffe, 0xaffff}, {0xbfffe, 0xbffff}, {0xcfffe, 0xcffff},
    {0xdfffe, 0xdffff}, {0xe0000, 0xe0fff}, {0xefffe, 0xeffff}, {0xffffe, 0xfffff}, {0x10fffe, 0x10ffff},
}};
constexpr std::array<CodeRange, 7> kSpaces = {{{0x20, 0x20},
                                               {0xa0, 0xa0},
                                               {0x1680, 0x1680},
                                               {0x2000, 0x200a},
                                               {0x202f, 0x202f},
                                               {0x205f, 0x205f},
                                               {0x3000, 0x3000}}};

bool is_space(char32_t code) {
  return contains(kSpaces, code);
}

bool is_wrong_anywhere(char32_t code) {
  constexpr std::u32string_view kForbidden = U"/\\<>:\"|?*";
  return contains(kInvisible, code) || kForbidden.find(code) != std::u32string_view::npos;
}

void append_encoded(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char each : bytes) {
    const auto byte = static_cast<unsigned char>(each);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

char upper(char letter) {
  return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

// Devices of Windows, with any extension. Superscript digits count there as digits.
bool is_reserved_elsewhere(std::string_view name) {
  std::string_view stem = name.substr(0, name.find('.'));
  while (!stem.empty() && stem.back() == ' ') stem.remove_suffix(1);
  std::string word;
  std::ranges::transform(stem, std::back_inserter(word), upper);
  for (const std::string_view device : {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}) {
    if (word == device) return true;
  }
  if (!word.starts_with("COM") && !word.starts_with("LPT")) return false;
  const std::string_view number = std::string_view(word).substr(3);
  return (number.size() == 1 && number[0] >= '0' && number[0] <= '9') || number == "\u00b9" || number == "\u00b2" ||
         number == "\u00b3";
}

// The ending that a cut name keeps: a long extension is none.
std::string_view extension_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  const bool has_extension = dot != std::string_view::npos && dot > 0 && name.size() - dot <= 32;
  return has_extension ? name.substr(dot) : std::string_view();
}

// Where the spaces and dots begin that a name ends with.
std::size_t begin_of_tail(std::string_view name) {
  std::size_t tail = 0;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t length = character_bytes(name.substr(at));
    const char32_t code = length == 0 ? 0 : code_point(name.substr(at, length));
    at += std::max<std::size_t>(length, 1);
    if (code != U'.' && !is_space(code)) tail = at;
  }
  return tail;
}

std::string shortened(std::string name) {
  if (name.size() <= kMaxFileName) return name;
  const std::string_view extension = extension_of(name);
  const std::string_view stem = std::string_view(name).substr(0, name.size() - extension.size());
  std::string result(cut(stem, kMaxFileName - extension.size()));
  // What the cut has made the end must be acceptable there.
  if (extension.empty()) result.resize(begin_of_tail(result));
  return result.append(extension);
}

}  // namespace

std::optional<std::string_view> refuse_file_name(std::string_view name) {
  if (name.empty()) return "the name is empty";
  if (name == "." || name == "..") return "the name is a folder's";
  if (name.size() > kMaxFileName) return "the name is longer than 255 bytes";
  if (name.find('/') != std::string_view::npos || name.find('\\') != std::string_view::npos) {
    return "the name holds a separator";
  }
  if (!wire::is_valid_utf8(as_bytes(name))) return "the name is not UTF-8";
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t length = character_bytes(name.substr(at));
    const char32_t code = code_point(name.substr(at, length));
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return "the name holds a control character";
    at += length;
  }
  return std::nullopt;
}

std::string acceptable_file_name(std::string_view name) {
  if (name.empty()) return "_";
  const std::size_t tail = begin_of_tail(name);
  std::string result;
  bool at_front = true;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t length = character_bytes(name.substr(at));
    const std::string_view bytes = name.substr(at, std::max<std::size_t>(length, 1));
    const char32_t code = length == 0 ? 0 : code_point(bytes);
    const bool wrong_front = at_front && (is_space(code) || (at == 0 && (code == U'.' || code == U'-')));
    if (wrong_front || at >= tail || length == 0 || is_wrong_anywhere(code)) {
      append_encoded(result, bytes);
    } else {
      result.append(bytes);
    }
    at_front = at_front && is_space(code);
    at += bytes.size();
  }
  if (is_reserved_elsewhere(result)) result.insert(result.begin(), '_');
  return shortened(std::move(result));
}

std::vector<std::string_view> names_of_path(std::string_view path) {
  if (is_folder_path(path)) path.remove_suffix(1);
  std::vector<std::string_view> names;
  while (true) {
    const std::size_t end = path.find('/');
    names.push_back(path.substr(0, end));
    if (end == std::string_view::npos) return names;
    path.remove_prefix(end + 1);
  }
}

std::optional<std::string_view> refuse_file_path(std::string_view path) {
  if (path.size() > kMaxFilePath) return "the path is longer than 1024 bytes";
  const auto names = names_of_path(path);
  if (names.size() > kMaxPathNames) return "the path has more than 64 names";
  if (names.size() < 2 && !is_folder_path(path)) return "what is in a folder has a path";
  for (const std::string_view name : names) {
    if (const auto why = refuse_file_name(name)) return why;
  }
  return std::nullopt;
}

std::string acceptable_file_path(std::string_view path) {
  std::string result;
  for (const std::string_view name : names_of_path(path)) {
    if (!result.empty()) result += '/';
    result += acceptable_file_name(name);
  }
  if (is_folder_path(path)) result += '/';
  return result;
}

std::string numbered_file_name(std::string_view name, std::uint64_t number) {
  const std::string middle = "." + std::to_string(number);
  const std::string_view extension = extension_of(name);
  const std::string_view stem = name.substr(0, name.size() - extension.size());
  std::string result(cut(stem, kMaxFileName - middle.size() - extension.size()));
  return result.append(middle).append(extension);
}

std::string partial_file_name(std::string_view name, std::string_view random) {
  constexpr std::string_view kEnd = ".part";
  std::string result = ".";
  result.append(cut(name, kMaxFileName - kEnd.size() - random.size() - 2));
  return result.append(".").append(random).append(kEnd);
}

}  // namespace godwit
