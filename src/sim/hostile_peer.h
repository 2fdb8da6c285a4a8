// One connection of an authenticated stranger: it speaks the handshake correctly, answers pings so that it is kept, and
// then sends whatever it is told to. Shares crypto/ and wire/ with the code under test, and nothing of transport/.
// Owned by Attacker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "sim/key_cache.h"
#include "wire/message_codec.h"

namespace godwit::sim {

class HostilePeer {
 public:
  // `intro` outlives the peer.
  HostilePeer(const SocketAddress& own, const SocketAddress& victim, const SealedIntro& intro)
      : own_(own), victim_(victim), intro_(&intro) {}

  [[nodiscard]] const SocketAddress& address() const { return own_; }
  [[nodiscard]] const std::vector<std::uint8_t>& intro() const { return intro_->datagram; }
  [[nodiscard]] bool established() const { return sealer_ != nullptr; }
  // A datagram of the victim. The answer to send, if any: the completion ack, or a Pong.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> receive(ByteView datagram, RandomSource& random);
  // Under the next packet id. Requires established().
  [[nodiscard]] std::vector<std::uint8_t> seal(const wire::Message& message, wire::Acks acks = {});
  [[nodiscard]] std::vector<std::uint8_t> seal_plaintext(ByteView plaintext);
  [[nodiscard]] std::uint32_t next_id() { return next_id_++; }

 private:
  SocketAddress own_;
  SocketAddress victim_;
  const SealedIntro* intro_;
  std::unique_ptr<PacketOpener> opener_;
  std::unique_ptr<PacketSealer> sealer_;
  std::uint32_t next_id_ = 1;
};

}  // namespace godwit::sim
