// CPace, a password-authenticated key exchange, with the group ristretto255 and the hash SHA-512
// (draft-irtf-cfrg-cpace, sections "The CPace protocol" and "CPace group objects G_Ristretto255"): two sides that know
// the same short secret end up with the same key, and whoever tries a wrong secret learns that it was wrong and nothing
// else. These are the functions of the draft, in the initiator-responder setting; who says what when is CodeExchange's.
// The group is libsodium's. No state and no I/O; no secret decides a branch or an index.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace godwit::cpace {

inline constexpr std::size_t kPointSize = 32;
inline constexpr std::size_t kScalarSize = 32;
inline constexpr std::size_t kKeySize = 64;  // of the session key, "ISK", and of a tag
using Point = std::array<std::uint8_t, kPointSize>;
using Scalar = std::array<std::uint8_t, kScalarSize>;
using Key = std::array<std::uint8_t, kKeySize>;

// False where this was built without libsodium: the functions below must not be called then.
[[nodiscard]] bool available();

// calculate_generator(H, PRS, CI, sid): the point that both sides multiply.
[[nodiscard]] Point generator(ByteView password, ByteView channel, ByteView session);
// sample_scalar() of 32 random bytes: clears the bits beyond the size of the group.
[[nodiscard]] Scalar scalar_of(const std::array<std::uint8_t, kScalarSize>& random);
// scalar_mult_vfy(y, X). Nothing for what is no point, and for the neutral element: the exchange is to be given up.
[[nodiscard]] std::optional<Point> multiply(const Scalar& scalar, const Point& point);

// What one side has sent: its point and the data that the exchange authenticates.
struct Share {
  const Point& point;
  ByteView data;
};
// ISK: H(lv_cat(DSI || "_ISK", sid, K) || transcript_ir(Ya, ADa, Yb, ADb)).
[[nodiscard]] Key session_key(ByteView session, const Point& secret, const Share& initiator, const Share& responder);
// Section "Key confirmation": HMAC-SHA-512 of lv_cat(Y, AD) under H("CPaceMac" || sid || ISK), for the side that has
// sent `share`.
[[nodiscard]] Key confirmation(ByteView session, const Key& key, const Share& share);
// In a time that does not depend on the bytes.
[[nodiscard]] bool equal(ByteView one, ByteView other);
// Overwrites what is not needed any more.
void wipe(MutableBytes secret);

}  // namespace godwit::cpace
