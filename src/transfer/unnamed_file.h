// Temporary files without a name, which go with their descriptor: what is copied before it is sent, and what comes
// before its turn.
#pragma once

#include "base/bytes.h"

namespace godwit {

// In TMPDIR, /var/tmp or /tmp. -1 and errno on failure.
[[nodiscard]] int open_unnamed_file();
// False, and errno, when not all of it could be written.
[[nodiscard]] bool write_fully(int descriptor, ByteView bytes);

}  // namespace godwit
