// An intro as it arrived: what identifies its bytes, and what was inside. Endpoint opens it after Admission has agreed
// to pay for the decryption and hands it to a Handshake; a Session remembers the one it was founded on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "crypto/hkdf.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"
#include "wire/extension.h"
#include "wire/intro.h"

namespace godwit {

// Tells a byte-identical repeat from another intro without keeping the bytes: an authentic intro cannot share
// ephemeral key and tag with a different one.
struct IntroFingerprint {
  std::array<std::uint8_t, kPublicKeySize> ephemeral{};
  std::array<std::uint8_t, kTagSize> tag{};

  // Requires a datagram that wire::classify() calls an intro.
  [[nodiscard]] static IntroFingerprint of(ByteView datagram);
  friend bool operator==(const IntroFingerprint&, const IntroFingerprint&) = default;
};

struct IntroSeen {
  wire::Intro intro;
  IntroFingerprint fingerprint;
  std::size_t datagram_bytes = 0;
  // What follows the 24 bytes that deployed peers read; of a block that is present its message, which has not been
  // authenticated as anybody's.
  wire::ExtensionBlock block = wire::ExtensionBlock::kAbsent;
  std::vector<std::uint8_t> extension = {};
  std::optional<wire::Cookie> cookie = std::nullopt;  // shown beside it
  // Of such an intro: X25519 of the recipient's static key with the intro's ephemeral key.
  std::optional<Secret> agreement = std::nullopt;

  // The offer has been read, or is not to be.
  void drop_offer() {
    extension = {};
    agreement.reset();
  }
};

// Decrypts and decodes: one X25519 operation. Nothing, and no reply is due, when the datagram is no intro to `self`
// (conformance items 5, 6; all-zero shared secrets are refused, wire spec W17).
[[nodiscard]] std::optional<IntroSeen> open_intro_datagram(const KeyPair& self, ByteView datagram);

}  // namespace godwit
