// The intro envelope (wire spec 1.2): 01 ‖ ephemeral X25519 public key ‖ ChaCha20-Poly1305 ciphertext ‖ tag. Anybody
// can seal one to a static public key; only the holder of the static secret opens it; it does not say who sealed it.
// The handshake seals one an attempt and repeats the identical bytes; admission opens those that arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "crypto/hkdf.h"
#include "crypto/keypair.h"

namespace godwit {

inline constexpr std::uint8_t kIntroType = 0x01;
// Type byte, ephemeral key and tag.
inline constexpr std::size_t kIntroOverhead = 1 + kPublicKeySize + 16;

// Writes the datagram of plaintext.size() + kIntroOverhead bytes to the front of `out`, which must be that large and
// must not overlap `plaintext`. `ephemeral` must be fresh for every attempt: the nonce is constant, so sealing two
// plaintexts with one ephemeral secret to one recipient reveals both. False for a recipient's key of low order or when
// the cryptographic library fails; `out` then holds nothing to send.
[[nodiscard]] bool seal_intro(const PublicKey& recipient, const KeyPair& ephemeral, ByteView plaintext,
                              MutableBytes out);
[[nodiscard]] bool seal_intro(const PublicKey& recipient, const SecretKey& ephemeral, ByteView plaintext,
                              MutableBytes out);
// The same with the agreement of the ephemeral secret with the recipient's key, which must not be of low order.
[[nodiscard]] bool seal_intro(const PublicKey& ephemeral, const Secret& shared, ByteView plaintext, MutableBytes out);

// Opens `datagram` into the front of `plaintext_out` (at least datagram.size() - kIntroOverhead bytes, no overlap) and
// returns the plaintext's length. Nothing when the datagram is shorter than kIntroOverhead, has another type byte,
// names an ephemeral key of low order, or fails its tag; `plaintext_out` then holds no plaintext. Costs one X25519
// operation, whose result is left in `shared` where that is given and the intro has been opened.
[[nodiscard]] std::optional<std::size_t> open_intro(const KeyPair& recipient, ByteView datagram,
                                                    MutableBytes plaintext_out, Secret* shared = nullptr);

}  // namespace godwit
