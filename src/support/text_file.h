// Whole text files, with errors that name their cause.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::measure {

// Errors: kNotFound, "cannot read PATH: cause".
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);
// Makes or replaces the file. Errors: kSystem, "cannot write PATH: cause"; part of `content` may be there then.
[[nodiscard]] Status write_text_file(const std::string& path, std::string_view content);

}  // namespace godwit::measure
