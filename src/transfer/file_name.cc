#include "transfer/file_name.h"

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

// U+0080 to U+009F are control characters too.
bool has_control_character(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < name.size() && static_cast<unsigned char>(name[i + 1]) < 0xa0) return true;
  }
  return false;
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
  if (has_control_character(name)) return "the name holds a control character";
  return std::nullopt;
}

std::string numbered_file_name(std::string_view name, unsigned number) {
  const std::string middle = "." + std::to_string(number);
  const std::size_t dot = name.rfind('.');
  const bool has_extension = dot != std::string_view::npos && dot > 0;
  // A long extension is none.
  const std::string_view extension = has_extension && name.size() - dot <= 32 ? name.substr(dot) : std::string_view();
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
