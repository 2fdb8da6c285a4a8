// The strings of the wire are UTF-8 and a peer's decoder refuses any other (wire spec 2.1). The rule is the strict one
// of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace godwit::wire {

[[nodiscard]] bool is_valid_utf8(ByteView text);
// The beginning of `text`, at most so many bytes, not cut inside a character.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t bytes);
// `text` with a '?' for each byte that is no UTF-8.
[[nodiscard]] std::string with_valid_utf8(std::string_view text);

}  // namespace godwit::wire
