#include "crypto/keypair.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

namespace godwit {
namespace {

struct FreeContext {
  void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
};
struct FreePublicKey {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};

}  // namespace

bool constant_time_equal(ByteView left, ByteView right) noexcept {
  if (left.size() != right.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    difference = static_cast<std::uint8_t>(difference | (left[i] ^ right[i]));
  return difference == 0;
}

PublicKey::PublicKey(std::span<const std::uint8_t, kPublicKeySize> bytes) {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

std::optional<PublicKey> PublicKey::from_hex(std::string_view text) {
  if (text.size() != 2 * kPublicKeySize) return std::nullopt;
  const auto bytes = godwit::from_hex(text);
  if (!bytes) return std::nullopt;
  return PublicKey(std::span<const std::uint8_t, kPublicKeySize>(*bytes));
}

std::string PublicKey::to_hex() const {
  return godwit::to_hex(bytes_);
}

SecretKey::SecretKey(std::span<const std::uint8_t, kSecretKeySize> bytes) noexcept {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

SecretKey SecretKey::generate(RandomSource& random) {
  std::array<std::uint8_t, kSecretKeySize> bytes{};
  random.fill(bytes);
  SecretKey secret(bytes);
  wipe(bytes);
  return secret;
}

SecretKey::~SecretKey() {
  wipe(bytes_);
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_) {
  wipe(other.bytes_);
}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    wipe(other.bytes_);
  }
  return *this;
}

void KeyPair::FreeKey::operator()(evp_pkey_st* key) const noexcept {
  EVP_PKEY_free(key);
}

KeyPair::KeyPair(SecretKey secret, const PublicKey& public_key, KeyHandle handle)
    : secret_(std::move(secret)), public_key_(public_key), handle_(std::move(handle)) {}

Result<KeyPair> KeyPair::generate(RandomSource& random) {
  return from_secret(SecretKey::generate(random));
}

Result<KeyPair> KeyPair::from_secret(ByteView secret) {
  if (secret.size() != kSecretKeySize) {
    return failure(ErrorCode::kInvalidArgument, "an X25519 secret has 32 bytes, not " + std::to_string(secret.size()));
  }
  return from_secret(SecretKey(secret.first<kSecretKeySize>()));
}

Result<KeyPair> KeyPair::from_secret(SecretKey secret) {
  KeyHandle handle(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.bytes().data(), kSecretKeySize));
  std::array<std::uint8_t, kPublicKeySize> public_bytes{};
  std::size_t size = public_bytes.size();
  if (!handle || EVP_PKEY_get_raw_public_key(handle.get(), public_bytes.data(), &size) != 1 || size != kPublicKeySize) {
    return failure(ErrorCode::kSystem, "OpenSSL could not make an X25519 key pair");
  }
  return KeyPair(std::move(secret), PublicKey(public_bytes), std::move(handle));
}

bool KeyPair::agree(const PublicKey& peer, std::span<std::uint8_t, kSharedSecretSize> shared) const {
  const std::unique_ptr<EVP_PKEY, FreePublicKey> peer_key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.bytes().data(), kPublicKeySize));
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(EVP_PKEY_CTX_new(handle_.get(), nullptr));
  std::size_t size = shared.size();
  const bool derived = peer_key && context && EVP_PKEY_derive_init(context.get()) == 1 &&
                       EVP_PKEY_derive_set_peer_ex(context.get(), peer_key.get(), 0) == 1 &&
                       EVP_PKEY_derive(context.get(), shared.data(), &size) == 1 && size == kSharedSecretSize;
  // OpenSSL refuses the all-zero result as well; whether it does is not left to its version.
  std::uint8_t any_bit = 0;
  for (const std::uint8_t byte : shared) any_bit = static_cast<std::uint8_t>(any_bit | byte);
  if (derived && any_bit != 0) return true;
  wipe(shared);
  return false;
}

bool x25519(const SecretKey& secret, const PublicKey& peer, std::span<std::uint8_t, kSharedSecretSize> shared) {
  const auto pair = KeyPair::from_secret(SecretKey(secret.bytes()));
  if (pair) return pair->agree(peer, shared);
  wipe(shared);
  return false;
}

SymmetricKey::SymmetricKey(std::span<const std::uint8_t, kSymmetricKeySize> bytes) noexcept {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

SymmetricKey SymmetricKey::generate(RandomSource& random) {
  SymmetricKey key;
  random.fill(key.bytes_);
  return key;
}

SymmetricKey::~SymmetricKey() {
  wipe(bytes_);
}

}  // namespace godwit
