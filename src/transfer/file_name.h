// File names that a stranger chose (docs/file_transfer.md section 4, decisions 24): what is accepted, and which name
// stands in for one that is taken.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace godwit {

inline constexpr std::size_t kMaxFileName = 255;

// Why `name` is refused, in a few words; nothing when it may be given to a file in the output folder.
[[nodiscard]] std::optional<std::string_view> refuse_file_name(std::string_view name);

// "report.pdf" becomes "report.1.pdf", cut to kMaxFileName bytes at a character's boundary. Requires an accepted name.
[[nodiscard]] std::string numbered_file_name(std::string_view name, unsigned number);

// ".NAME.XXXXXX.part" with the X replaced by `random`; cut as above.
[[nodiscard]] std::string partial_file_name(std::string_view name, std::string_view random);

}  // namespace godwit
