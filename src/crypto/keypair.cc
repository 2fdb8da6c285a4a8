#include "crypto/keypair.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <utility>

namespace godwit {
namespace {

struct FreeLibraryKey {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
struct FreeLibraryContext {
  void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
};
using LibraryKey = std::unique_ptr<EVP_PKEY, FreeLibraryKey>;
using LibraryContext = std::unique_ptr<EVP_PKEY_CTX, FreeLibraryContext>;

// The point whose multiples are the public keys (RFC 7748 section 4.1).
constexpr std::array<std::uint8_t, kPublicKeySize> kBasePoint{9};

// Copied where an object for a peer's key is needed, which is cheaper than making one from bytes. It never changes.
EVP_PKEY* any_public_key() {
  static const LibraryKey key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, kBasePoint.data(), kBasePoint.size()));
  return key.get();
}

// EVP_PKEY_new_raw_private_key() would derive the public key, by code that is slower than an agreement with the base
// point and whose result an agreement does not need. So the library is given one, of zeros, that nobody asks it for.
LibraryKey private_key(const SecretKey& secret) {
  std::array<std::uint8_t, kPublicKeySize> no_key{};
  std::array<std::uint8_t, kSecretKeySize> bytes;
  std::ranges::copy(secret.bytes(), bytes.begin());
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, no_key.data(), no_key.size()),
                             OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, bytes.data(), bytes.size()),
                             OSSL_PARAM_construct_end()};
  const LibraryContext context(EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters) != 1) {
    key = nullptr;
  }
  wipe(bytes);
  return LibraryKey(key);
}

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

void KeyPair::FreeContext::operator()(evp_pkey_ctx_st* context) const noexcept {
  EVP_PKEY_CTX_free(context);
}

KeyPair::KeyPair(SecretKey secret, ContextHandle context, KeyHandle peer)
    : secret_(std::move(secret)), context_(std::move(context)), peer_(std::move(peer)) {}

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
  const LibraryKey key = private_key(secret);
  ContextHandle context(key ? EVP_PKEY_CTX_new(key.get(), nullptr) : nullptr);
  KeyHandle peer(any_public_key() != nullptr ? EVP_PKEY_dup(any_public_key()) : nullptr);
  if (context && peer && EVP_PKEY_derive_init(context.get()) == 1) {
    KeyPair pair(std::move(secret), std::move(context), std::move(peer));
    std::array<std::uint8_t, kPublicKeySize> public_bytes{};
    if (pair.agree(PublicKey(kBasePoint), public_bytes)) {
      pair.public_key_ = PublicKey(public_bytes);
      return pair;
    }
  }
  return failure(ErrorCode::kSystem, "OpenSSL could not make an X25519 key pair");
}

bool KeyPair::agree(const PublicKey& peer, std::span<std::uint8_t, kSharedSecretSize> shared) const {
  std::size_t size = shared.size();
  const bool derived = EVP_PKEY_set1_encoded_public_key(peer_.get(), peer.bytes().data(), kPublicKeySize) == 1 &&
                       EVP_PKEY_derive_set_peer_ex(context_.get(), peer_.get(), 0) == 1 &&
                       EVP_PKEY_derive(context_.get(), shared.data(), &size) == 1 && size == kSharedSecretSize;
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
