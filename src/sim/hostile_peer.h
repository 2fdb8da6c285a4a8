// One connection of an authenticated stranger: it speaks the handshake correctly, in the deployed form or in the
// extended one, answers pings so that it is kept, and then sends whatever it is told to. Shares crypto/, wire/ and the
// handshake of the extended form with the code under test, and nothing of transport/. Owned by Attacker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "handshake/handshake.h"
#include "sim/key_cache.h"
#include "wire/message_codec.h"

namespace godwit::sim {

class HostilePeer {
 public:
  using Bytes = std::vector<std::uint8_t>;

  // Of the deployed form.
  HostilePeer(const SocketAddress& own, const SocketAddress& victim, const SealedIntro& intro);
  // Of the extended form, with `capabilities`, under key pair `key` of the cache. `random` outlives the peer.
  HostilePeer(Instant now, const SocketAddress& own, const SocketAddress& victim, const PublicKey& victims_key,
              std::uint64_t capabilities, std::uint32_t key, RandomSource& random);
  ~HostilePeer();
  HostilePeer(const HostilePeer&) = delete;
  HostilePeer& operator=(const HostilePeer&) = delete;

  [[nodiscard]] const SocketAddress& address() const { return own_; }
  [[nodiscard]] const Bytes& intro() const { return intro_; }
  [[nodiscard]] bool established() const { return sealer_ != nullptr || session_.has_value(); }
  [[nodiscard]] bool extended() const { return extended_ != nullptr; }
  // A datagram of the victim. The answer to send, if any: the completion ack, a Ping, or a Pong.
  [[nodiscard]] std::optional<Bytes> receive(Instant now, ByteView datagram, RandomSource& random);
  // Under the next packet id. Requires established().
  [[nodiscard]] Bytes seal(const wire::Message& message, wire::Acks acks = {});
  [[nodiscard]] Bytes seal_plaintext(ByteView plaintext);
  [[nodiscard]] std::uint32_t next_id() { return next_id_++; }

 private:
  struct Extended;
  [[nodiscard]] std::optional<Bytes> receive_extended(Instant now, ByteView datagram);

  SocketAddress own_;
  SocketAddress victim_;
  SymmetricKey key_;  // that the intro of the deployed form announces
  Bytes intro_;
  std::unique_ptr<PacketOpener> opener_;
  std::unique_ptr<PacketSealer> sealer_;
  std::unique_ptr<Extended> extended_;
  std::optional<Session> session_;
  std::uint32_t next_id_ = 1;
};

}  // namespace godwit::sim
