// ChaCha20-Poly1305 (RFC 8439) in one call, through OpenSSL. Below intro_box and noise_ik, its only users but tests; at
// the rate of handshakes, so that it may allocate.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace godwit {

inline constexpr std::size_t kChachaKeySize = 32;
inline constexpr std::size_t kChachaNonceSize = 12;
inline constexpr std::size_t kChachaTagSize = 16;

using ChachaKey = std::span<const std::uint8_t, kChachaKeySize>;
using ChachaNonce = std::span<const std::uint8_t, kChachaNonceSize>;

// Writes plaintext.size() bytes of ciphertext and the tag to `out`. False when the library fails.
[[nodiscard]] bool chacha20_poly1305_seal(ChachaKey key, ChachaNonce nonce, ByteView associated_data,
                                          ByteView plaintext, std::uint8_t* out);

// Writes ciphertext_and_tag.size() - kChachaTagSize bytes of plaintext to `out`. False when the input is shorter than a
// tag or the tag is wrong; `out` is then zero.
[[nodiscard]] bool chacha20_poly1305_open(ChachaKey key, ChachaNonce nonce, ByteView associated_data,
                                          ByteView ciphertext_and_tag, std::uint8_t* out);

}  // namespace godwit
