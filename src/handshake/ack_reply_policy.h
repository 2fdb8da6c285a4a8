// What an AckConnection Ok or V2 on an established connection means (wire spec 5.8, 5.9; conformance items 45, 69, 78):
// nothing new, an acknowledgement for id 0 to an old acceptor, or a new session at the peer. Part of Session; pure
// decisions. It never asks for an ack in reply to a mere repeat: a Ping completes every state a peer can be waiting in,
// and two peers that answered acks with acks would loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"
#include "wire/message.h"

namespace godwit {

// What the session knows when the ack arrives.
struct AckReplyFacts {
  const SymmetricKey& sending_key;
  Instant established_at;
  bool initiator = false;
  bool peer_intro_seen = false;       // a simultaneous open: the peer may have two keys
  bool inbound_proves_peer = false;   // of the inbound key in use
  bool peer_may_use_id_zero = false;  // below 0.2.152, or unknown
};

// Which of a session's inbound keys opened a packet.
enum class InboundKeyAge : std::uint8_t {
  kCurrent,  // of the present session
  kNewer,    // handed out after the one in use: what opens under it was sealed in a later session of the peer
  kFormer,   // of a session that the peer has ended
};

// What the connection knows about the ack.
struct SuccessAckSeen {
  const wire::AckOk& ack;
  Nonce nonce;
  InboundKeyAge opened_by = InboundKeyAge::kCurrent;
  // Since the session began: any authentic packet that is no handshake ack, and one of these with id 0.
  bool ordinary_packet_seen = false;
  bool ordinary_id_zero_seen = false;
};

struct AckReaction {
  bool repeat = false;        // seen before: a retransmission or a replay, and no sign of life (wire spec W8)
  bool new_session = false;   // Session::adopt(), completion ack, Ping, new receive epoch
  bool ping = false;          // make sure that the peer receives something authentic
  bool ack_zero = false;      // queue an acknowledgement for packet id 0
};

class AckReplyPolicy {
 public:
  // `establishing`: the nonce of the ack that established the session, if one did. `peer_second_key`: the other key of
  // a simultaneous opener, if it is known already.
  explicit AckReplyPolicy(const std::optional<Nonce>& establishing,
                          const std::optional<SymmetricKey>& peer_second_key = std::nullopt);

  [[nodiscard]] AckReaction on_success_ack(Instant now, const AckReplyFacts& facts, const SuccessAckSeen& seen);

 private:
  static constexpr std::size_t kRememberedNonces = 8;

  [[nodiscard]] bool announces_session(Instant now, const AckReplyFacts& facts, const SuccessAckSeen& seen);
  [[nodiscard]] bool remembered(const Nonce& nonce) const;
  void remember(const Nonce& nonce);

  // Nonces of acks that have been judged: a repeat or a replay of one of them announces nothing.
  std::array<Nonce, kRememberedNonces> nonces_{};
  std::uint8_t remembered_nonces_ = 0;
  std::uint8_t next_nonce_ = 0;
  std::optional<SymmetricKey> peer_second_key_;  // that a simultaneous opener named in its acks
  std::optional<Instant> last_ping_;
};

}  // namespace godwit
