// Joins the pieces of a packet in the buffer where a cipher then seals them in place.
//
// Why a copy, and not GCM fed piece by piece: the library pays 35 to 70 ns for every packet that comes in pieces, while
// copying 1130 bytes beside the sealing costs 5 ns once they are in the cache. Waiting for them to come from memory is
// what costs (60 to 70 ns), and that is hidden by asking early: a stream's fragments lie one behind the other, so the
// body of the packet four fragments on is requested now. Below three fragments the memory is still awaited; beyond
// four nothing is gained.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace godwit {

inline constexpr std::size_t kCacheLine = 64;
// Bodies below this are messages, behind which nothing of use lies.
inline constexpr std::size_t kSmallestStreamBody = 512;
inline constexpr std::size_t kBodiesAhead = 4;

// Requests the body of the packet four fragments after this one.
inline void request_later_body(ByteView body) noexcept {
  if (body.size() < kSmallestStreamBody) return;
  // As an integer: the address may lie beyond the application's buffer, where a prefetch does nothing and a pointer
  // may not be formed.
  const std::uintptr_t ahead = reinterpret_cast<std::uintptr_t>(body.data()) + kBodiesAhead * body.size();
#pragma GCC unroll 6
  for (std::size_t offset = 0; offset < body.size(); offset += kCacheLine) {
    __builtin_prefetch(reinterpret_cast<const void*>(ahead + offset));  // NOLINT(performance-no-int-to-ptr)
  }
}

// Copies `body` to `to`.
inline void gather_body(ByteView body, std::uint8_t* to) noexcept {
  request_later_body(body);
  std::memcpy(to, body.data(), body.size());
}

// Copies head ‖ body ‖ tail to `out` and returns it as one view.
inline MutableBytes gather_pieces(ByteView head, ByteView body, ByteView tail, std::uint8_t* out) noexcept {
  request_later_body(body);
  std::uint8_t* to = out;
  for (const ByteView piece : {head, body, tail}) {
    if (piece.empty()) continue;
    std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  return {out, to};
}

}  // namespace godwit
