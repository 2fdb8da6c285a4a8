// How far a peer may send ahead of the application (docs/extended_sessions.md, section 9): offered in the handshake,
// kept by the streams.
#pragma once

#include <cstdint>

namespace godwit {

struct FlowWindows {
  std::uint64_t stream = 0;      // bytes of one stream that may be under way or unread
  std::uint64_t connection = 0;  // the same of all streams together
  bool by_hand = false;          // the application says what it has read; otherwise what it has been given is read
};

}  // namespace godwit
