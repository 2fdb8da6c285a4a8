// The strings of the wire are UTF-8 and a peer's decoder refuses any other (wire spec 2.1). The rule is the strict one
// of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include "base/bytes.h"

namespace godwit::wire {

[[nodiscard]] bool is_valid_utf8(ByteView text);

}  // namespace godwit::wire
