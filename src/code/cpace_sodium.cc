#include <sodium.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "code/cpace.h"

namespace godwit::cpace {
namespace {

constexpr std::string_view kDomain = "CPaceRistretto255";
constexpr std::string_view kKeyDomain = "CPaceRistretto255_ISK";
constexpr std::string_view kMacDomain = "CPaceMac";
constexpr std::size_t kHashBlock = 128;  // of SHA-512, H.s_in_bytes

static_assert(kPointSize == crypto_core_ristretto255_BYTES);
static_assert(kScalarSize == crypto_core_ristretto255_SCALARBYTES);
static_assert(kKeySize == crypto_hash_sha512_BYTES && kKeySize == crypto_auth_hmacsha512_BYTES);

using Bytes = std::vector<std::uint8_t>;

// prepend_len(): the length as LEB128, then the bytes.
void append_field(Bytes& out, ByteView field) {
  std::size_t length = field.size();
  while (length >= 0x80) {
    out.push_back(static_cast<std::uint8_t>((length & 0x7f) | 0x80));
    length >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(length));
  out.insert(out.end(), field.begin(), field.end());
}

void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Key hash(const Bytes& input) {
  Key result{};
  ::crypto_hash_sha512(result.data(), input.data(), input.size());
  return result;
}

}  // namespace

bool available() {
  // Safe to call any number of times and from any thread; it fails where the system has no randomness at all.
  return ::sodium_init() >= 0;
}

Point generator(ByteView password, ByteView channel, ByteView session) {
  Bytes input;
  append_field(input, as_bytes(kDomain));
  append_field(input, password);
  // The password and its padding fill the first block of the hash, so that the time does not depend on its length.
  const std::size_t padding = input.size() + 1 < kHashBlock ? kHashBlock - 1 - input.size() : 0;
  append_field(input, Bytes(padding));
  append_field(input, channel);
  append_field(input, session);
  Key hashed = hash(input);
  Point point{};
  ::crypto_core_ristretto255_from_hash(point.data(), hashed.data());
  wipe(input);
  wipe(hashed);
  return point;
}

Scalar scalar_of(const std::array<std::uint8_t, kScalarSize>& random) {
  constexpr std::size_t kGroupBits = 252;
  Scalar scalar = random;
  scalar.back() &= static_cast<std::uint8_t>((1U << (kGroupBits - 8 * (kScalarSize - 1))) - 1);
  return scalar;
}

std::optional<Point> multiply(const Scalar& scalar, const Point& point) {
  Point result{};
  if (::crypto_scalarmult_ristretto255(result.data(), scalar.data(), point.data()) != 0) return std::nullopt;
  return result;
}

Key session_key(ByteView session, const Point& secret, const Share& initiator, const Share& responder) {
  Bytes input;
  append_field(input, as_bytes(kKeyDomain));
  append_field(input, session);
  append_field(input, secret);
  for (const Share* const share : {&initiator, &responder}) {
    append_field(input, share->point);
    append_field(input, share->data);
  }
  const Key key = hash(input);
  wipe(input);
  return key;
}

Key confirmation(ByteView session, const Key& key, const Share& share) {
  Bytes input;
  append(input, as_bytes(kMacDomain));
  append(input, session);
  append(input, key);
  Key mac_key = hash(input);
  wipe(input);
  Bytes message;
  append_field(message, share.point);
  append_field(message, share.data);
  Key tag{};
  crypto_auth_hmacsha512_state state;
  ::crypto_auth_hmacsha512_init(&state, mac_key.data(), mac_key.size());
  ::crypto_auth_hmacsha512_update(&state, message.data(), message.size());
  ::crypto_auth_hmacsha512_final(&state, tag.data());
  ::sodium_memzero(&state, sizeof state);
  wipe(mac_key);
  return tag;
}

bool equal(ByteView one, ByteView other) {
  return one.size() == other.size() && ::sodium_memcmp(one.data(), other.data(), one.size()) == 0;
}

void wipe(MutableBytes secret) {
  ::sodium_memzero(secret.data(), secret.size());
}

}  // namespace godwit::cpace
