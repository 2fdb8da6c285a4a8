#include "cli/download_folder.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

namespace godwit::cli {
namespace {

// A file of settings; what is longer is none.
constexpr std::size_t kLongestSettings = 64 * 1024;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// What stands between the quotation marks, as a shell reads it.
std::string unquoted(std::string_view value) {
  std::string result;
  for (std::size_t i = 1; i < value.size() && value[i] != '"'; ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    result += value[i];
  }
  return result;
}

}  // namespace

std::string home_folder() {
  std::string home = environment("HOME");
  if (!home.empty()) return home;
  const passwd* const entry = ::getpwuid(::getuid());
  return entry == nullptr || entry->pw_dir == nullptr ? std::string() : std::string(entry->pw_dir);
}

std::string download_folder_of(std::string_view user_dirs, std::string_view home) {
  std::string found;
  while (!user_dirs.empty()) {
    const std::size_t end = std::min(user_dirs.find('\n'), user_dirs.size());
    const std::string_view line = trimmed(user_dirs.substr(0, end));
    user_dirs.remove_prefix(std::min(end + 1, user_dirs.size()));
    constexpr std::string_view kName = "XDG_DOWNLOAD_DIR=\"";
    if (!line.starts_with(kName)) continue;
    std::string value = unquoted(line.substr(kName.size() - 1));
    constexpr std::string_view kHome = "$HOME";
    if (value.starts_with(kHome)) value.replace(0, kHome.size(), home);
    found = value.starts_with('/') ? value : std::string();
  }
  return found;
}

Result<std::filesystem::path> default_output_folder() {
  const std::filesystem::path own = "godwit";
  if (const std::string chosen = environment("XDG_DOWNLOAD_DIR"); chosen.starts_with('/'))
    return std::filesystem::path(chosen) / own;
  const std::string home = home_folder();
  std::string settings = environment("XDG_CONFIG_HOME");
  if (!settings.starts_with('/') && !home.empty()) settings = home + "/.config";
  std::string text;
  if (std::ifstream in(std::filesystem::path(settings) / "user-dirs.dirs"); !settings.empty() && in) {
    text.resize(kLongestSettings);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
  }
  if (const std::string named = download_folder_of(text, home); !named.empty())
    return std::filesystem::path(named) / own;
  if (home.empty()) {
    return failure(ErrorCode::kNotFound, "no place for received files: HOME is not set; use --output DIR");
  }
  return std::filesystem::path(home) / "Downloads" / own;
}

}  // namespace godwit::cli
