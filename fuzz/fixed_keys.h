// Keys that are the same in every execution of a fuzz target. An X25519 operation costs as much as fifty packets, so
// everything that can be computed once per process is: what remains per execution are the operations of the handshakes
// under test.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "crypto/intro_box.h"
#include "crypto/keypair.h"
#include "fuzz/input.h"
#include "wire/intro.h"
#include "wire/version.h"

namespace godwit::fuzz {

// Deterministic, but not constant: targets that need several keys number them.
inline KeyPair fixed_key_pair(std::uint8_t number) {
  std::array<std::uint8_t, kSecretKeySize> secret;
  secret.fill(static_cast<std::uint8_t>(0x40 + number));
  return *KeyPair::from_secret(ByteView(secret));
}

inline SymmetricKey fixed_symmetric_key(std::uint8_t number) {
  std::array<std::uint8_t, kSymmetricKeySize> bytes;
  bytes.fill(static_cast<std::uint8_t>(0x80 + number));
  return SymmetricKey(bytes);
}

// A valid intro that offers `key`, as anyone who knows the recipient's public key can make it.
inline Bytes sealed_intro(const PublicKey& recipient, const SymmetricKey& key, std::uint8_t ephemeral,
                          const wire::VersionBytes& version = wire::kAnnouncedVersion, std::size_t extra = 0) {
  Bytes plaintext(wire::kIntroPlaintext + extra);
  wire::encode_intro_plaintext({.version = version, .key = key},
                               std::span<std::uint8_t, wire::kIntroPlaintext>(plaintext.data(), wire::kIntroPlaintext));
  std::array<std::uint8_t, kSecretKeySize> secret;
  secret.fill(ephemeral);
  Bytes datagram(plaintext.size() + kIntroOverhead);
  GODWIT_ASSERT(seal_intro(recipient, SecretKey(secret), plaintext, datagram));
  return datagram;
}

}  // namespace godwit::fuzz
