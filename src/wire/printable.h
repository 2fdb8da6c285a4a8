// A peer's words, fit for one line on a terminal or in a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace godwit {

// Control characters and every byte beyond ASCII become '?', and the text is cut to `most` characters: what a peer sent
// is hostile content (wire spec W31).
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 200);

}  // namespace godwit
