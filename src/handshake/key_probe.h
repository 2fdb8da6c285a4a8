// Finds out, in a simultaneous open, which sending key is the authenticated peer's own (wire spec W3). The peer's intro
// named one key, but anybody can send an intro; a success ack under K1 may name another one: the second key of a peer
// that has two, or the only key of an acceptor whose caller was sent a forged intro. A Ping under each, with a sequence
// nobody can guess: the Pong that comes back under K1 tells which one the peer could read. A peer that reads a packet
// under its first key drops its second, so an answer to the second counts only when a further ping, sent after the last
// packet under the first, is answered too. Part of HandshakeInitiator. All its packets have id 0: the ordinary ids are
// the connection's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "base/random.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"
#include "crypto/packet_sealer.h"
#include "wire/message.h"
#include "wire/version.h"

namespace godwit {

class KeyProbe {
 public:
  enum class Key : std::uint8_t { kIntro, kAcked };

  // What a success ack under K1 told.
  struct Acked {
    SymmetricKey key;
    Nonce nonce;
    SocketAddress remote_address;
    std::optional<wire::VersionBytes> version;
    std::unique_ptr<PacketSealer> sealer;
  };

  explicit KeyProbe(RandomSource& random)
      : sequences_{random.next_u64(), random.next_u64()}, confirmation_(random.next_u64()) {}

  // At most one ack is believed: a further one is ignored.
  void on_ack(Acked acked);
  [[nodiscard]] const std::optional<Acked>& acked() const { return acked_; }
  [[nodiscard]] Acked take_acked() { return std::move(*acked_); }

  // Asks for a round of pings.
  void ping();
  // The peer pings, and may wait for the answer as this side does.
  void on_ping(std::uint64_t sequence);
  // The key that this answer proves to be the one to send with.
  [[nodiscard]] std::optional<Key> on_pong(std::uint64_t sequence);
  // The acked key was answered once: what comes now was sent by its holder.
  [[nodiscard]] bool confirming() const { return confirmations_left_ > 0; }

  // One datagram, 0 when there is none. `intro_sealer` seals with the intro's key; `first_key` is K1, for the
  // completion ack, which goes under the acked key alone; `remote` is the peer's address.
  [[nodiscard]] std::size_t poll_transmit(PacketSealer& intro_sealer, const SymmetricKey& first_key,
                                          const SocketAddress& remote, MutableBytes out);

 private:
  // Pings of a confirmation, one a round. Without an answer the peer has gone over to the intro's key.
  static constexpr int kConfirmations = 3;

  using KeySet = std::uint8_t;  // one bit a key
  [[nodiscard]] static KeySet bit(Key key) { return static_cast<KeySet>(1u << static_cast<unsigned>(key)); }
  // Those that packets go under at this stage.
  [[nodiscard]] KeySet keys_in_use() const;
  [[nodiscard]] std::size_t seal(PacketSealer& intro_sealer, Key key, const wire::Message& message, MutableBytes out);

  std::array<std::uint64_t, 2> sequences_;  // by key
  std::uint64_t confirmation_;              // sequence of the present confirmation's pings
  int confirmations_left_ = 0;
  std::optional<Acked> acked_;
  bool completion_due_ = false;
  KeySet ping_due_ = 0;
  KeySet pong_due_ = 0;
  std::uint64_t pong_sequence_ = 0;  // of the latest ping
};

}  // namespace godwit
