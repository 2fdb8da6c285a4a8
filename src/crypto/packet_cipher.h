// AES-128-GCM with one key: 96-bit nonce, 16-byte tag, no associated data (wire spec 1.3). The lowest step of a packet
// on its way out and the first on its way in; PacketSealer and PacketOpener own one each and add envelope and nonces.
// Several implementations stand behind one interface, chosen at run time by what the processor and the build offer:
// OpenSSL and IPsec-MB seal and open packet by packet; the kBatch kinds seal and open a batch of packets at once
// (gcm_batch.h), and leave single packets to IPsec-MB, or to OpenSSL where it is not.
// An object is used by one thread at a time; different objects share nothing that changes. The key is expanded at the
// first packet and after release_key_schedule(), separately for single packets and for batches; apart from that nothing
// allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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
  kBatchAvx512,  // this project's code for batches, with VAES on vectors of 64 bytes
  kBatchAvx2,    // with VAES on vectors of 32 bytes
  kBatchAesni,   // with AES-NI on vectors of 16 bytes: for tests and comparisons
};
inline constexpr std::array kAllCipherKinds = {
    CipherKind::kOpenssl,       CipherKind::kIpsecMb,     CipherKind::kIpsecMbSse, CipherKind::kIpsecMbAvx2,
    CipherKind::kIpsecMbAvx512, CipherKind::kBatchAvx512, CipherKind::kBatchAvx2,  CipherKind::kBatchAesni};

struct Nonce {
  std::array<std::uint8_t, kNonceSize> bytes{};
  friend auto operator<=>(const Nonce&, const Nonce&) = default;
};

// What is added (exclusive or) to the nonce field of a datagram before it goes into the cipher: secret and constant per
// key in an extended session, zero on the deployed wire.
class NonceSalt {
 public:
  constexpr NonceSalt() = default;
  explicit NonceSalt(const std::array<std::uint8_t, kNonceSize>& bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_zero() const noexcept { return (low() | high()) == 0; }
  [[nodiscard]] Nonce applied_to(const std::uint8_t* field) const noexcept {
    Nonce nonce;
    store_le(nonce.bytes.data(), load_le<std::uint64_t>(field) ^ low());
    store_le(nonce.bytes.data() + 8, load_le<std::uint32_t>(field + 8) ^ high());
    return nonce;
  }

 private:
  [[nodiscard]] std::uint64_t low() const noexcept { return load_le<std::uint64_t>(bytes_.data()); }
  [[nodiscard]] std::uint32_t high() const noexcept { return load_le<std::uint32_t>(bytes_.data() + 8); }

  std::array<std::uint8_t, kNonceSize> bytes_{};  // twelve bytes without padding: an idle connection holds two
};

// One packet of a batch to seal: text = head ‖ body ‖ tail, and room for the tag. Head and tail stand in the text
// already; the body is read from elsewhere, or has no bytes where it stands in the text as well.
struct PacketToSeal {
  const std::uint8_t* nonce;  // kNonceSize bytes, apart from the text; never repeated under one key
  std::uint8_t* text;         // `size` + kTagSize bytes
  const std::uint8_t* body;   // `body_size` bytes that belong at text + head_size; do not overlap the text
  std::size_t size;           // of the text; head_size + body_size at least
  std::size_t head_size;
  std::size_t body_size;
};

// One packet of a batch to open.
struct PacketToOpen {
  const std::uint8_t* nonce;   // kNonceSize bytes, apart from `out`
  const std::uint8_t* sealed;  // `size` bytes of ciphertext, then the tag
  std::uint8_t* out;           // `size` bytes; equals `sealed` or does not overlap it
  std::size_t size;
  bool authentic;  // set by open_batch()
};

class BatchKey;

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
  // ciphertext_and_tag.data() and must not overlap it otherwise. False when the tag is wrong: `out` then holds zeros,
  // and opening in place has destroyed the ciphertext.
  [[nodiscard]] virtual bool open(const Nonce& nonce, ByteView ciphertext_and_tag, std::uint8_t* out) = 0;

  // The same for a batch: each text becomes ciphertext and tag. Any number of packets, of any sizes; most is gained
  // when all have the same size but a shorter last one.
  virtual void seal_batch(std::span<const PacketToSeal> packets) = 0;

  // Sets `authentic` of each packet. The output of a packet that is not authentic holds zeros; the others are not
  // affected by it.
  virtual void open_batch(std::span<PacketToOpen> packets) = 0;

  // The key for another thread (batch_key.h), to seal a batch of so many packets, none with a longer text,
  // whatever becomes of this object meanwhile. Empty where there is no such thing: the batch is for this object.
  [[nodiscard]] virtual BatchKey share_batch_key(std::size_t packets, std::size_t longest_text);

  // Frees what the key was expanded into (about 1 KiB for single packets, 5 KiB for batches); the next packet expands
  // it again. For connections gone idle.
  virtual void release_key_schedule() = 0;

  // The kind that was asked for (kIpsecMb stays kIpsecMb, whatever it resolves to).
  [[nodiscard]] virtual CipherKind kind() const = 0;

 protected:
  PacketCipher() = default;
};

// Whether this build and this processor have the implementation. kOpenssl always is.
[[nodiscard]] bool cipher_available(CipherKind kind);
// The fastest available one for connections that carry batches: kBatchAvx512, kBatchAvx2, kIpsecMb, kOpenssl, in this
// order.
[[nodiscard]] CipherKind preferred_cipher();
// The fastest one that a packaged library offers: kIpsecMb, else kOpenssl. What own code is measured against.
[[nodiscard]] CipherKind packaged_cipher();
// Requires cipher_available(kind).
[[nodiscard]] std::unique_ptr<PacketCipher> make_packet_cipher(CipherKind kind, const SymmetricKey& key);
// make_packet_cipher(), or a function that returns one that seals and opens the same packets another way. Never null.
using PacketCipherFactory = std::unique_ptr<PacketCipher> (*)(CipherKind kind, const SymmetricKey& key);

// The name on the command line and in reports: "openssl", "ipsec-mb", "ipsec-mb-sse", "ipsec-mb-avx2",
// "ipsec-mb-avx512", "batch-avx512", "batch-avx2", "batch-aesni".
[[nodiscard]] std::string_view cipher_name(CipherKind kind);
// The reverse. Nothing for an unknown name; "auto" is the caller's word for preferred_cipher().
[[nodiscard]] std::optional<CipherKind> parse_cipher_name(std::string_view name);
// One line for a report: library, version and the instructions it uses here.
[[nodiscard]] std::string describe_cipher(CipherKind kind);

}  // namespace godwit
