#include "crypto/intro_box.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "crypto/chacha20_poly1305.h"

namespace godwit {
namespace {

// The key is fresh with every ephemeral secret, which is why the nonce may be constant (wire spec 1.2).
constexpr std::array<std::uint8_t, kChachaNonceSize> kZeroNonce{};
constexpr std::size_t kCiphertextOffset = 1 + kPublicKeySize;

}  // namespace

bool seal_intro(const PublicKey& ephemeral, const Secret& shared, ByteView plaintext, MutableBytes out) {
  GODWIT_ASSERT(out.size() >= plaintext.size() + kIntroOverhead);
  out[0] = kIntroType;
  std::ranges::copy(ephemeral.bytes(), out.begin() + 1);
  return chacha20_poly1305_seal(shared.bytes, kZeroNonce, {}, plaintext, out.data() + kCiphertextOffset);
}

bool seal_intro(const PublicKey& recipient, const KeyPair& ephemeral, ByteView plaintext, MutableBytes out) {
  Secret shared;
  return ephemeral.agree(recipient, shared.bytes) && seal_intro(ephemeral.public_key(), shared, plaintext, out);
}

bool seal_intro(const PublicKey& recipient, const SecretKey& ephemeral, ByteView plaintext, MutableBytes out) {
  const auto pair = KeyPair::from_secret(SecretKey(ephemeral.bytes()));
  return pair && seal_intro(recipient, *pair, plaintext, out);
}

std::optional<std::size_t> open_intro(const KeyPair& recipient, ByteView datagram, MutableBytes plaintext_out,
                                      Secret* shared_out) {
  if (datagram.size() < kIntroOverhead || datagram[0] != kIntroType) return std::nullopt;
  const std::size_t plaintext_size = datagram.size() - kIntroOverhead;
  GODWIT_ASSERT(plaintext_out.size() >= plaintext_size);
  Secret shared;
  const PublicKey ephemeral(datagram.subspan<1, kPublicKeySize>());
  if (!recipient.agree(ephemeral, shared.bytes)) return std::nullopt;
  if (!chacha20_poly1305_open(shared.bytes, kZeroNonce, {}, datagram.subspan(kCiphertextOffset),
                              plaintext_out.data())) {
    return std::nullopt;
  }
  if (shared_out != nullptr) *shared_out = shared;
  return plaintext_size;
}

}  // namespace godwit
