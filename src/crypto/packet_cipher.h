// AES-128-GCM with one key: 96-bit nonce, 16-byte tag, no associated data (wire spec 1.3). The lowest step of a packet
// on its way out and the first on its way in; PacketSealer and PacketOpener own one each and add envelope and nonces.
// Two implementations stand behind one interface, chosen at run time by what the processor and the build offer.
// An object is used by one thread at a time; different objects share nothing that changes. The key is expanded at the
// first packet and after rest(); apart from that nothing allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/keypair.h"

namespace godwit {

inline constexpr std::size_t kNonceSize = 12;
inline constexpr std::size_t kTagSize = 16;

enum class CipherKind : std::uint8_t {
  kOpenssl,     // everywhere
  kIpsecMb,     // Intel's IPsec-MB library with the widest instructions this processor has
  kIpsecMbSse,  // the same library held to an older processor's instructions, for tests and comparisons
  kIpsecMbAvx2,
  kIpsecMbAvx512,
};
inline constexpr std::array kAllCipherKinds = {CipherKind::kOpenssl, CipherKind::kIpsecMb, CipherKind::kIpsecMbSse,
                                               CipherKind::kIpsecMbAvx2, CipherKind::kIpsecMbAvx512};

struct Nonce {
  std::array<std::uint8_t, kNonceSize> bytes{};
  friend auto operator<=>(const Nonce&, const Nonce&) = default;
};

// What is added (exclusive or) to the nonce field of a datagram before it goes into the cipher: secret and constant per
// key in an extended session, zero on the deployed wire.
class NonceSalt {
 public:
  constexpr NonceSalt() = default;
  explicit NonceSalt(const std::array<std::uint8_t, kNonceSize>& bytes)
      : low_(load_le<std::uint64_t>(bytes.data())), high_(load_le<std::uint32_t>(bytes.data() + 8)) {}

  [[nodiscard]] Nonce applied_to(const std::uint8_t* field) const noexcept {
    Nonce nonce;
    store_le(nonce.bytes.data(), load_le<std::uint64_t>(field) ^ low_);
    store_le(nonce.bytes.data() + 8, load_le<std::uint32_t>(field + 8) ^ high_);
    return nonce;
  }

 private:
  std::uint64_t low_ = 0;
  std::uint32_t high_ = 0;
};

class PacketCipher {
 public:
  virtual ~PacketCipher() = default;
  PacketCipher(const PacketCipher&) = delete;
  PacketCipher& operator=(const PacketCipher&) = delete;

  // Writes plaintext.size() bytes of ciphertext and the tag to `out`, which may equal plaintext.data() and must not
  // overlap it otherwise. The caller never repeats a nonce under one key.
  virtual void seal(const Nonce& nonce, ByteView plaintext, std::uint8_t* out) = 0;

  // seal() of head ‖ body ‖ tail: `body` is read once, from wherever the application keeps it. The pieces must not
  // overlap `out`. Any piece may be empty. A large body is taken for a fragment of a stream that goes on behind it:
  // what follows it in memory is requested into the cache, which is harmless where nothing follows.
  virtual void seal_pieces(const Nonce& nonce, ByteView head, ByteView body, ByteView tail, std::uint8_t* out) = 0;

  // `ciphertext_and_tag` has at least kTagSize bytes. Writes the plaintext to `out`, which may equal
  // ciphertext_and_tag.data() and must not overlap it otherwise. False when the tag is wrong: `out` then holds garbage,
  // and opening in place has destroyed the ciphertext.
  [[nodiscard]] virtual bool open(const Nonce& nonce, ByteView ciphertext_and_tag, std::uint8_t* out) = 0;

  // Frees what the key was expanded into (about 1 KiB); the next packet expands it again. For connections gone idle.
  virtual void rest() = 0;

  // The kind that was asked for (kIpsecMb stays kIpsecMb, whatever it resolves to).
  [[nodiscard]] virtual CipherKind kind() const = 0;

 protected:
  PacketCipher() = default;
};

// Whether this build and this processor have the implementation. kOpenssl always is.
[[nodiscard]] bool cipher_available(CipherKind kind);
// The fastest available one: kIpsecMb where it is, else kOpenssl.
[[nodiscard]] CipherKind preferred_cipher();
// Requires cipher_available(kind).
[[nodiscard]] std::unique_ptr<PacketCipher> make_packet_cipher(CipherKind kind, const SymmetricKey& key);

// The name on the command line and in reports: "openssl", "ipsec-mb", "ipsec-mb-sse", "ipsec-mb-avx2",
// "ipsec-mb-avx512".
[[nodiscard]] std::string_view cipher_name(CipherKind kind);
// The reverse. Nothing for an unknown name; "auto" is the caller's word for preferred_cipher().
[[nodiscard]] std::optional<CipherKind> parse_cipher_name(std::string_view name);
// One line for a report: library, version and the instructions it uses here.
[[nodiscard]] std::string describe_cipher(CipherKind kind);

}  // namespace godwit
