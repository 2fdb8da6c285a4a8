#include "crypto/noise_ik.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "crypto/chacha20_poly1305.h"

namespace godwit {
namespace {

constexpr std::string_view kProtocolName = "Noise_IK_25519_ChaChaPoly_SHA256";
static_assert(kProtocolName.size() == kHashSize);  // so that it is its own first hash

PublicKey key_at(ByteView message) {
  return PublicKey(message.first<kPublicKeySize>());
}

std::array<std::uint8_t, kChachaNonceSize> nonce_of(std::uint64_t counter) {
  std::array<std::uint8_t, kChachaNonceSize> nonce{};
  store_le(nonce.data() + 4, counter);
  return nonce;
}

}  // namespace

void NoiseIk::State::mix_key(ByteView input) {
  SecretPair mixed = hkdf_two(chaining_key, input);
  chaining_key = mixed.first;
  key = mixed.second;
  nonce = 0;
}

bool NoiseIk::State::encrypt(ByteView plaintext, MutableBytes out) {
  if (!chacha20_poly1305_seal(key.bytes, nonce_of(nonce++), hash, plaintext, out.data())) return false;
  mix_hash(out.first(plaintext.size() + kChachaTagSize));
  return true;
}

bool NoiseIk::State::decrypt(ByteView ciphertext, MutableBytes out) {
  if (!chacha20_poly1305_open(key.bytes, nonce_of(nonce++), hash, ciphertext, out.data())) return false;
  mix_hash(ciphertext);
  return true;
}

bool NoiseIk::State::mix_agreement(const KeyPair& pair, const PublicKey& peer, const Agreement* known) {
  if (known != nullptr && known->peer == peer) {
    mix_key(known->shared.bytes);
    return true;
  }
  Secret shared;
  if (!pair.agree(peer, shared.bytes)) return false;
  mix_key(shared.bytes);
  return true;
}

NoiseIk NoiseIk::initiator(ByteView prologue, const KeyPair& self, const PublicKey& responder,
                           StaticAgreements* statics) {
  NoiseIk handshake(prologue, self, responder, statics);
  handshake.remote_static_ = responder;
  return handshake;
}

NoiseIk NoiseIk::responder(ByteView prologue, const KeyPair& self, StaticAgreements* statics) {
  return {prologue, self, self.public_key(), statics};
}

NoiseIk::NoiseIk(ByteView prologue, const KeyPair& self, const PublicKey& responder, StaticAgreements* statics)
    : self_(&self), statics_(statics) {
  std::ranges::copy(as_bytes(kProtocolName), state_.hash.begin());
  state_.chaining_key = Secret(state_.hash);
  state_.mix_hash(prologue);
  state_.mix_hash(responder.bytes());
}

bool NoiseIk::write_first(KeyPair ephemeral, ByteView payload, MutableBytes out, const Agreement* known) {
  GODWIT_ASSERT(out.size() == payload.size() + kFirstOverhead && !ephemeral_);
  ephemeral_.emplace(std::move(ephemeral));
  std::ranges::copy(ephemeral_->public_key().bytes(), out.begin());
  state_.mix_hash(ephemeral_->public_key().bytes());
  if (!state_.mix_agreement(*ephemeral_, remote_static_, known)) return false;
  MutableBytes rest = out.subspan(kPublicKeySize);
  if (!state_.encrypt(self_->public_key().bytes(), rest)) return false;
  rest = rest.subspan(kPublicKeySize + kChachaTagSize);
  Secret shared;
  if (statics_ == nullptr || !statics_->find(remote_static_, shared)) {
    if (!self_->agree(remote_static_, shared.bytes)) return false;
    if (statics_ != nullptr) statics_->keep(remote_static_, shared);
  }
  state_.mix_key(shared.bytes);
  return state_.encrypt(payload, rest);
}

bool NoiseIk::open_with_static(State& state, const PublicKey& peer, ByteView sealed, MutableBytes payload) {
  Secret shared;
  const bool kept = statics_ != nullptr && statics_->find(peer, shared);
  if (!kept && !self_->agree(peer, shared.bytes)) return false;
  state.mix_key(shared.bytes);
  if (!state.decrypt(sealed, payload)) {
    // Whoever puts another's key into a message must not learn from the time that its refusal takes whether this other
    // one has been here.
    if (kept) static_cast<void>(self_->agree(peer, shared.bytes));
    return false;
  }
  if (statics_ != nullptr && !kept) statics_->keep(peer, shared);
  return true;
}

bool NoiseIk::read_first(ByteView message, MutableBytes payload, const Agreement* known) {
  if (message.size() < kFirstOverhead) return false;
  GODWIT_ASSERT(payload.size() == message.size() - kFirstOverhead);
  State state = state_;
  const PublicKey remote_ephemeral = key_at(message);
  state.mix_hash(remote_ephemeral.bytes());
  if (!state.mix_agreement(*self_, remote_ephemeral, known)) return false;
  std::array<std::uint8_t, kPublicKeySize> remote_static{};
  ByteView rest = message.subspan(kPublicKeySize);
  if (!state.decrypt(rest.first(kPublicKeySize + kChachaTagSize), remote_static)) return false;
  rest = rest.subspan(kPublicKeySize + kChachaTagSize);
  if (!open_with_static(state, PublicKey(remote_static), rest, payload)) return false;
  state_ = state;
  remote_ephemeral_ = remote_ephemeral;
  remote_static_ = PublicKey(remote_static);
  return true;
}

bool NoiseIk::write_second(KeyPair ephemeral, ByteView payload, MutableBytes out) {
  GODWIT_ASSERT(out.size() == payload.size() + kSecondOverhead && !ephemeral_);
  ephemeral_.emplace(std::move(ephemeral));
  std::ranges::copy(ephemeral_->public_key().bytes(), out.begin());
  state_.mix_hash(ephemeral_->public_key().bytes());
  return state_.mix_agreement(*ephemeral_, remote_ephemeral_) && state_.mix_agreement(*ephemeral_, remote_static_) &&
         state_.encrypt(payload, out.subspan(kPublicKeySize));
}

bool NoiseIk::read_second(ByteView message, MutableBytes payload) {
  GODWIT_ASSERT(ephemeral_.has_value());
  if (message.size() < kSecondOverhead) return false;
  GODWIT_ASSERT(payload.size() == message.size() - kSecondOverhead);
  State state = state_;
  const PublicKey remote_ephemeral = key_at(message);
  state.mix_hash(remote_ephemeral.bytes());
  if (!state.mix_agreement(*ephemeral_, remote_ephemeral) || !state.mix_agreement(*self_, remote_ephemeral) ||
      !state.decrypt(message.subspan(kPublicKeySize), payload)) {
    return false;
  }
  state_ = state;
  remote_ephemeral_ = remote_ephemeral;
  return true;
}

NoiseIk::Secrets NoiseIk::split() {
  SecretPair pair = hkdf_two(state_.chaining_key, {});
  state_.chaining_key = {};
  state_.key = {};
  ephemeral_.reset();
  return {.from_initiator = pair.first, .from_responder = pair.second};
}

}  // namespace godwit
