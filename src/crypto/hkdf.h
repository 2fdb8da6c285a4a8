// SHA-256, HMAC-SHA-256 and HKDF (RFC 5869) through OpenSSL, for handshakes and key updates: at that rate they may
// allocate. Used by noise_ik and by the key schedule of extended sessions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace godwit {

inline constexpr std::size_t kHashSize = 32;

// Thirty-two secret bytes that are wiped when they go: chaining keys, traffic secrets.
struct Secret {
  Secret() = default;
  explicit Secret(const std::array<std::uint8_t, kHashSize>& from) : bytes(from) {}
  ~Secret() { wipe(bytes); }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;

  std::array<std::uint8_t, kHashSize> bytes{};
};

// The digest of the pieces end to end.
[[nodiscard]] std::array<std::uint8_t, kHashSize> sha256(std::initializer_list<ByteView> pieces);

[[nodiscard]] Secret hmac_sha256(ByteView key, std::initializer_list<ByteView> pieces);

// HKDF with empty info and two outputs of 32 bytes: the HKDF of the Noise Protocol Framework, section 4.3.
struct SecretPair {
  Secret first;
  Secret second;
};
[[nodiscard]] SecretPair hkdf_two(const Secret& salt, ByteView input);

// HKDF-Expand(secret, label) into `out`, of at most 32 bytes.
void hkdf_expand(const Secret& secret, std::string_view label, MutableBytes out);

}  // namespace godwit
