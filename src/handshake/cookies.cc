#include "handshake/cookies.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/bytes.h"

namespace godwit {
namespace {

// A cookie is the time of issue in milliseconds (u64 LE), and behind it a random number and the first bytes of the HMAC
// of both, eight bytes each.
constexpr std::size_t kMarked = 16;

std::array<std::uint8_t, wire::kCookieSize - kMarked> tag_of(const Secret& key, ByteView marked) {
  const Secret digest = hmac_sha256(key.bytes, {marked});
  std::array<std::uint8_t, wire::kCookieSize - kMarked> tag;
  std::ranges::copy(ByteView(digest.bytes).first(tag.size()), tag.begin());
  return tag;
}

}  // namespace

Cookies::Cookies(const KeyPair& self)
    : key_(hmac_sha256(as_bytes("godwit cookie 1"), {self.secret().bytes()})) {}

wire::Cookie Cookies::issue(std::uint64_t time_ms, RandomSource& random) const {
  wire::Cookie cookie{};
  store_le(cookie.data(), time_ms);
  random.fill(std::span(cookie).subspan(sizeof time_ms, kMarked - sizeof time_ms));
  std::ranges::copy(tag_of(key_, ByteView(cookie).first(kMarked)), cookie.begin() + kMarked);
  return cookie;
}

bool Cookies::valid(const wire::Cookie& cookie, std::uint64_t time_ms) const {
  const auto issued = load_le<std::uint64_t>(cookie.data());
  if (issued > time_ms || time_ms - issued > kLifetimeMs) return false;
  return constant_time_equal(ByteView(cookie).subspan(kMarked), tag_of(key_, ByteView(cookie).first(kMarked)));
}

}  // namespace godwit
