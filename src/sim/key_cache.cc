#include "sim/key_cache.h"

#include <memory>
#include <unordered_map>

#include "base/assert.h"
#include "base/random.h"
#include "crypto/intro_box.h"
#include "wire/intro.h"

namespace godwit::sim {
namespace {

SecretKey secret_of(std::uint64_t index) {
  DeterministicRandom random(0x6b657973 + index);
  return SecretKey::generate(random);
}

}  // namespace

KeyPair cached_key_pair(std::uint32_t index) {
  return *KeyPair::from_secret(secret_of(index % kCachedKeys));
}

const SealedIntro& cached_intro(std::uint32_t key, std::uint32_t index) {
  thread_local std::unordered_map<std::uint32_t, std::unique_ptr<SealedIntro>> intros;
  key %= kCachedKeys;
  index %= kCachedIntros;
  std::unique_ptr<SealedIntro>& intro = intros[key * kCachedIntros + index];
  if (intro) return *intro;
  intro = std::make_unique<SealedIntro>();
  DeterministicRandom random(0x696e74726f + (std::uint64_t{key} << 32 | index));
  intro->key = SymmetricKey::generate(random);
  std::array<std::uint8_t, wire::kIntroPlaintext> plaintext;
  wire::encode_intro_plaintext({.version = wire::kAnnouncedVersion, .key = intro->key}, plaintext);
  intro->datagram.resize(wire::kIntroDatagram);
  const PublicKey recipient = cached_key_pair(key).public_key();
  GODWIT_ASSERT(seal_intro(recipient, SecretKey::generate(random), plaintext, intro->datagram));
  return *intro;
}

}  // namespace godwit::sim
