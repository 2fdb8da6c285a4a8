// The handshake Noise_IK_25519_ChaChaPoly_SHA256 (Noise Protocol Framework, revision 34): two messages after which both
// sides know each other's static key and share two secrets that neither static key alone can recover. A state machine
// without I/O and without randomness of its own: the caller passes in the ephemeral key pairs.
//
//   initiator: write_first() -> read_second() -> split()        responder: read_first() -> write_second() -> split()
//
// Out of order calls are errors of the programmer. A message that does not authenticate changes nothing, so that the
// right one may still come. All secrets are wiped with the object.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "crypto/hkdf.h"
#include "crypto/keypair.h"
#include "crypto/static_agreements.h"

namespace godwit {

class NoiseIk {
 public:
  // What a message is longer than its payload.
  static constexpr std::size_t kFirstOverhead = kPublicKeySize + kPublicKeySize + 16 + 16;
  static constexpr std::size_t kSecondOverhead = kPublicKeySize + 16;

  // `self` outlives the object, as does `statics`, where agreements of `self` with static keys are kept; null: nowhere.
  [[nodiscard]] static NoiseIk initiator(ByteView prologue, const KeyPair& self, const PublicKey& responder,
                                         StaticAgreements* statics = nullptr);
  [[nodiscard]] static NoiseIk responder(ByteView prologue, const KeyPair& self, StaticAgreements* statics = nullptr);

  // What the caller has already computed: X25519 of the key pair at hand with `peer`.
  struct Agreement {
    PublicKey peer;
    Secret shared;
  };

  // -> e, es, s, ss. `out` has payload.size() + kFirstOverhead bytes. Costs an X25519 operation each for es and ss;
  // `known` may spare the one (of `ephemeral` with the responder's key), `statics` the other. False when a key is of
  // low order.
  [[nodiscard]] bool write_first(KeyPair ephemeral, ByteView payload, MutableBytes out,
                                 const Agreement* known = nullptr);
  // `payload` has message.size() - kFirstOverhead bytes. Costs the same two operations, the first one alone if the
  // first tag is wrong. `known` is one of the static key, and spares es where its peer is the message's ephemeral key.
  [[nodiscard]] bool read_first(ByteView message, MutableBytes payload, const Agreement* known = nullptr);
  // <- e, ee, se. Costs two. `out` has payload.size() + kSecondOverhead bytes.
  [[nodiscard]] bool write_second(KeyPair ephemeral, ByteView payload, MutableBytes out);
  [[nodiscard]] bool read_second(ByteView message, MutableBytes payload);

  // Of the responder: whoever wrote the first message has used this key's secret, now or in a message that is replayed
  // now; what arrives under the secrets of split() proves that it is now.
  [[nodiscard]] const PublicKey& remote_static() const { return remote_static_; }

  // After the second message: what the initiator sends with, and what the responder sends with. Ends the handshake.
  struct Secrets {
    Secret from_initiator;
    Secret from_responder;
  };
  [[nodiscard]] Secrets split();
  // Binds a channel to this handshake: equal on both sides, and public.
  [[nodiscard]] const std::array<std::uint8_t, kHashSize>& handshake_hash() const { return state_.hash; }

 private:
  // SymmetricState and CipherState of the framework.
  struct State {
    std::array<std::uint8_t, kHashSize> hash{};
    Secret chaining_key;
    Secret key;
    std::uint64_t nonce = 0;

    void mix_hash(ByteView data) { hash = sha256({hash, data}); }
    void mix_key(ByteView input);
    [[nodiscard]] bool encrypt(ByteView plaintext, MutableBytes out);
    [[nodiscard]] bool decrypt(ByteView ciphertext, MutableBytes out);
    // Mixes in X25519(pair, peer), which `known` may be.
    [[nodiscard]] bool mix_agreement(const KeyPair& pair, const PublicKey& peer, const Agreement* known = nullptr);
  };

  NoiseIk(ByteView prologue, const KeyPair& self, const PublicKey& responder, StaticAgreements* statics);
  // The rest of read_first(), from the agreement of the static keys on.
  [[nodiscard]] bool open_with_static(State& state, const PublicKey& peer, ByteView sealed, MutableBytes payload);

  State state_;
  const KeyPair* self_;
  StaticAgreements* statics_;
  std::optional<KeyPair> ephemeral_;
  PublicKey remote_static_;
  PublicKey remote_ephemeral_;
};

}  // namespace godwit
