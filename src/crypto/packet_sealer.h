// The sending half of the symmetric envelope (wire spec 1.3): 02 ‖ nonce ‖ ciphertext ‖ tag. The last step of a packet
// before the batch goes to the back end. One PacketSealer belongs to one key of one session; it owns the nonces, so
// that no (key, nonce) pair can repeat, and refuses to seal beyond the key's limit.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/random.h"
#include "crypto/packet_cipher.h"
#include "crypto/seal_job.h"

namespace godwit {

inline constexpr std::uint8_t kSymmetricType = 0x02;
// What stands before the ciphertext: type byte and nonce.
inline constexpr std::size_t kEnvelopePrefix = 1 + kNonceSize;
inline constexpr std::size_t kEnvelopeOverhead = kEnvelopePrefix + kTagSize;

// Packets of up to 2^11 bytes that one AES-GCM key may protect (RFC 9001 appendix B.1.1). A larger one counts as so
// many as it has times 2^11 bytes, and one.
inline constexpr std::uint64_t kHardPacketLimit = std::uint64_t{1} << 28;
// Where the owner of the key begins to replace it.
inline constexpr std::uint64_t kSoftPacketLimit = std::uint64_t{1} << 27;

// Nonces of one connection: 4 bytes and a u64 LE counter, all 96 bits of the start random, so that connections cannot
// be linked (wire spec W14) and two sessions under one reused key cannot meet in practice (W15). The counter advances
// by one and wraps modulo 2^64 beneath an unchanged prefix: 2^64 nonces before the first repeats.
class NonceCounter {
 public:
  explicit NonceCounter(RandomSource& random);
  // `salt`: what lies between the nonce field of the datagrams and the cipher's nonces.
  NonceCounter(std::array<std::uint8_t, 4> prefix, std::uint64_t counter, const NonceSalt& salt = {})
      : prefix_(load_le<std::uint32_t>(prefix.data())), salt_(salt), counter_(counter) {}

  // Written as it is read, eight bytes and four: a load that spans two stores waits for both, which costs more than
  // all the rest of this.
  [[nodiscard]] Nonce next() noexcept {
    Nonce nonce;
    store_le(nonce.bytes.data(), std::uint64_t{prefix_} | counter_ << 32);
    store_le(nonce.bytes.data() + 8, static_cast<std::uint32_t>(counter_ >> 32));
    ++counter_;
    return nonce;
  }
  void skip() noexcept { ++counter_; }
  // Of the next nonce.
  [[nodiscard]] std::uint64_t counter() const noexcept { return counter_; }
  [[nodiscard]] const NonceSalt& salt() const noexcept { return salt_; }

 private:
  std::uint32_t prefix_ = 0;  // the first four bytes, little-endian
  NonceSalt salt_;
  std::uint64_t counter_ = 0;
};

struct SealerLimits {
  std::uint64_t soft = kSoftPacketLimit;
  std::uint64_t hard = kHardPacketLimit;
  // Packets that earlier sessions sealed under the same key value (a deployed acceptor reuses its key, wire spec W15).
  std::uint64_t already_sealed = 0;
};

class PacketSealer {
 public:
  // `random` is read here only.
  PacketSealer(std::unique_ptr<PacketCipher> cipher, RandomSource& random, const SealerLimits& limits = {});
  PacketSealer(std::unique_ptr<PacketCipher> cipher, const NonceCounter& nonces, const SealerLimits& limits = {});

  // `datagram` is kEnvelopePrefix bytes of room, the plaintext, kTagSize bytes of room, and becomes the sealed
  // datagram. False, with nothing written, when the hard limit is reached. Requires datagram.size() >=
  // kEnvelopeOverhead.
  [[nodiscard]] bool seal_in_place(MutableBytes datagram);

  // Seals head ‖ body ‖ tail into the front of `out` and returns the datagram's size, kEnvelopeOverhead beyond the sum
  // of the pieces; 0, with nothing written, when the hard limit is reached. `body` is read once, from the application's
  // memory. Requires `out` to be large enough and apart from the pieces.
  [[nodiscard]] std::size_t seal_pieces(ByteView head, ByteView body, ByteView tail, MutableBytes out);

  // Seals a batch (PacketCipher::seal_batch). Before the text of each packet there is room for kEnvelopePrefix bytes,
  // which are written here, as is `nonce`. False, with nothing written, when there are more packets than
  // packets_left().
  [[nodiscard]] bool seal_batch(std::span<PacketToSeal> packets);

  // The same, but the cipher's pass is left to `job`, which is empty. False, with nothing done, also where that is not
  // worth it or cannot be.
  [[nodiscard]] bool put_off(std::span<const PacketToSeal> packets, SealJob& job);

  // No packet gets the next nonce.
  void leave_one_out() {
    nonces_.skip();
    ++sealed_;
  }
  // Of the next packet. Unlike packets_sealed() it goes up by one with each.
  [[nodiscard]] std::uint64_t next_counter() const { return nonces_.counter(); }

  // Gives the expanded key's memory back until the next packet (PacketCipher::release_key_schedule).
  void release_key_schedule() { cipher_->release_key_schedule(); }

  // What a packet of so many bytes counts against the limits.
  [[nodiscard]] static constexpr std::uint64_t weight(std::size_t bytes) { return 1 + (bytes >> 11); }
  // Packets that may still be sealed before the hard limit.
  [[nodiscard]] std::uint64_t packets_left() const { return hard_limit_ - std::min(hard_limit_, sealed_); }
  // Packets under this key value, those of earlier sessions included, each counted by its weight().
  [[nodiscard]] std::uint64_t packets_sealed() const { return sealed_; }
  // The key should be replaced: start nothing new with it.
  [[nodiscard]] bool soft_limit_reached() const { return sealed_ >= soft_limit_; }
  // Every further seal is refused.
  [[nodiscard]] bool hard_limit_reached() const { return sealed_ >= hard_limit_; }
  [[nodiscard]] CipherKind cipher_kind() const { return cipher_->kind(); }

 private:
  [[nodiscard]] Nonce write_prefix(std::uint8_t* out) noexcept;

  std::unique_ptr<PacketCipher> cipher_;
  NonceCounter nonces_;
  std::uint64_t sealed_;
  std::uint64_t soft_limit_;
  std::uint64_t hard_limit_;
};

}  // namespace godwit
