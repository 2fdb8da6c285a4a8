// What --version prints at the top level.
#pragma once

#include <string>

namespace godwit::cli {

// "godwit 0.1.0 (commit 0123abcd)".
[[nodiscard]] std::string version_line();

}  // namespace godwit::cli
