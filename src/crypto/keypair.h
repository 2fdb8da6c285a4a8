// X25519 key pairs and AES-128 keys: who a peer is, and what a session encrypts with.
// Every type that holds a secret wipes it in its destructor, compares in constant time and has neither a formatter nor
// an operator<<, so that no log line can print one. Secrets leave only through bytes().
// The endpoint owns the static KeyPair; a handshake owns one ephemeral KeyPair an attempt; sessions own SymmetricKeys.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

struct evp_pkey_st;      // OpenSSL's EVP_PKEY
struct evp_pkey_ctx_st;  // and EVP_PKEY_CTX

namespace godwit {

inline constexpr std::size_t kPublicKeySize = 32;
inline constexpr std::size_t kSecretKeySize = 32;
inline constexpr std::size_t kSharedSecretSize = 32;
inline constexpr std::size_t kSymmetricKeySize = 16;

// Time depends on the sizes only. Views of different sizes are unequal.
[[nodiscard]] bool constant_time_equal(ByteView left, ByteView right) noexcept;

// An X25519 public key (RFC 7748): 32 bytes that everybody may see.
class PublicKey {
 public:
  constexpr PublicKey() = default;
  explicit constexpr PublicKey(const std::array<std::uint8_t, kPublicKeySize>& bytes) : bytes_(bytes) {}
  explicit PublicKey(std::span<const std::uint8_t, kPublicKeySize> bytes);

  // Exactly 64 hexadecimal digits of either case, as configurations write a key (wire spec 1.2).
  [[nodiscard]] static std::optional<PublicKey> from_hex(std::string_view text);
  // 64 lower-case digits.
  [[nodiscard]] std::string to_hex() const;
  [[nodiscard]] std::span<const std::uint8_t, kPublicKeySize> bytes() const noexcept { return bytes_; }

  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;

 private:
  std::array<std::uint8_t, kPublicKeySize> bytes_{};
};

// An X25519 secret before clamping. Movable, not copyable; moving wipes the source.
class SecretKey {
 public:
  explicit SecretKey(std::span<const std::uint8_t, kSecretKeySize> bytes) noexcept;
  [[nodiscard]] static SecretKey generate(RandomSource& random);
  ~SecretKey();
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;

  [[nodiscard]] std::span<const std::uint8_t, kSecretKeySize> bytes() const noexcept { return bytes_; }
  // Constant time.
  friend bool operator==(const SecretKey& left, const SecretKey& right) noexcept {
    return constant_time_equal(left.bytes_, right.bytes_);
  }

 private:
  std::array<std::uint8_t, kSecretKeySize> bytes_;
};

// A secret and its public key, with what the library needs for agreements, made once. Used by one thread at a time.
// Movable; a moved-from pair may only be destroyed or assigned to.
class KeyPair {
 public:
  [[nodiscard]] static Result<KeyPair> generate(RandomSource& random);
  // `secret` must have 32 bytes (kInvalidArgument otherwise). They are clamped where they are used (RFC 7748 section
  // 5).
  [[nodiscard]] static Result<KeyPair> from_secret(ByteView secret);
  // One X25519 operation. kSystem when the cryptographic library fails.
  [[nodiscard]] static Result<KeyPair> from_secret(SecretKey secret);

  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_key_; }
  [[nodiscard]] const SecretKey& secret() const noexcept { return secret_; }

  // X25519(secret, peer) into `shared`, one operation. False, and `shared` all zero, when the result is all zero, which
  // means that the peer's key is a point of low order (RFC 7748 section 6.1, wire spec W17). The caller wipes `shared`.
  [[nodiscard]] bool agree(const PublicKey& peer, std::span<std::uint8_t, kSharedSecretSize> shared) const;

 private:
  struct FreeKey {
    void operator()(evp_pkey_st* key) const noexcept;
  };
  struct FreeContext {
    void operator()(evp_pkey_ctx_st* context) const noexcept;
  };
  using KeyHandle = std::unique_ptr<evp_pkey_st, FreeKey>;
  using ContextHandle = std::unique_ptr<evp_pkey_ctx_st, FreeContext>;
  KeyPair(SecretKey secret, ContextHandle context, KeyHandle peer);

  SecretKey secret_;
  PublicKey public_key_;
  // Objects of the library cost a tenth of an agreement to make. The first one holds secret_ in the library's form, the
  // second one takes the peer's key of each agreement.
  ContextHandle context_;
  KeyHandle peer_;
};

// KeyPair::agree for a secret whose public key is not needed otherwise. Slower: it derives the public key first.
[[nodiscard]] bool x25519(const SecretKey& secret, const PublicKey& peer,
                          std::span<std::uint8_t, kSharedSecretSize> shared);

// An AES-128 key of one direction of a session.
class SymmetricKey {
 public:
  // All zero: a placeholder to be assigned to.
  SymmetricKey() noexcept : bytes_{} {}
  explicit SymmetricKey(std::span<const std::uint8_t, kSymmetricKeySize> bytes) noexcept;
  [[nodiscard]] static SymmetricKey generate(RandomSource& random);
  ~SymmetricKey();
  SymmetricKey(const SymmetricKey&) = default;
  SymmetricKey& operator=(const SymmetricKey&) = default;

  [[nodiscard]] std::span<const std::uint8_t, kSymmetricKeySize> bytes() const noexcept { return bytes_; }
  // Constant time.
  friend bool operator==(const SymmetricKey& left, const SymmetricKey& right) noexcept {
    return constant_time_equal(left.bytes_, right.bytes_);
  }

 private:
  std::array<std::uint8_t, kSymmetricKeySize> bytes_;
};

}  // namespace godwit
