// The one rule for names of files (docs/file_transfer.md section 4): which names a receiver refuses, which name a file
// gets in place of one that is unsafe or impossible on some system, and which name stands in for one that is taken. A
// sender applies the same rule, so that what it offers is what its receiver keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit {

inline constexpr std::size_t kMaxFileName = 255;

// Why a receiver refuses an offered name outright, in a few words: it is no name of a file, or not text. Nothing for a
// name from which acceptable_file_name() can make one.
[[nodiscard]] std::optional<std::string_view> refuse_file_name(std::string_view name);

// A name of at most kMaxFileName bytes of UTF-8 that is safe in a shell, in a terminal and on other systems, for any
// bytes. The same name where it is acceptable already. Otherwise each byte of a wrong character becomes "%XX": a
// leading
// "." or "-", leading or trailing spaces, trailing dots, separators, control, format and invisible characters, bytes
// that are not UTF-8, and <>:"|?*\. A name that another system reserves for a device (CON, COM1.txt) gets a leading
// "_".
[[nodiscard]] std::string acceptable_file_name(std::string_view name);

// Something in a folder that is sent as a whole: names from the folder's own on, with "/" between them, as
// "photos/2024/beach.jpg"; a folder's path ends with "/". Each name by the rules above.
inline constexpr std::size_t kMaxFilePath = 1024;  // bytes
inline constexpr std::size_t kMaxPathNames = 64;

// Why a receiver refuses an offered path; nothing for one from which acceptable_file_path() can make one.
[[nodiscard]] std::optional<std::string_view> refuse_file_path(std::string_view path);
// For any bytes that hold a "/". May be longer than kMaxFilePath.
[[nodiscard]] std::string acceptable_file_path(std::string_view path);
[[nodiscard]] inline bool is_folder_path(std::string_view path) {
  return path.ends_with('/');
}
// The names of a path, without the "/" of a folder.
[[nodiscard]] std::vector<std::string_view> names_of_path(std::string_view path);

// "report.pdf" becomes "report.1.pdf", cut to kMaxFileName bytes at a character's boundary. Requires an acceptable
// name.
[[nodiscard]] std::string numbered_file_name(std::string_view name, std::uint64_t number);

// ".NAME.XXXXXX.part" with the X replaced by `random`; cut as above.
[[nodiscard]] std::string partial_file_name(std::string_view name, std::string_view random);

}  // namespace godwit
