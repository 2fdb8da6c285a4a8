#include "handshake/ack_reply_policy.h"

#include <algorithm>

#include "wire/limits.h"

namespace godwit {
namespace {

// Until then an ack is a repeat or a late copy of the handshake's own, whatever its nonce: an acceptor does not take a
// second intro of an address within a second (wire spec 4.2), and acknowledgements begin after it (wire spec 5.9).
constexpr Duration kHandshakeAfterglow = 1s;
// A simultaneous opener names its second key for as long as its attempt lasts (wire spec 4.4), and what it sent
// last may be late. Taken for a new session, a late answer would have messages delivered twice; the peer that really
// began anew within that time, and answered an old intro, is found dead instead.
constexpr Duration kSecondKeyMayBeLate = wire::kAttemptDeadline + kHandshakeAfterglow;
// Replayed acks must not turn into a stream of pings.
constexpr Duration kPingSpacing = 100ms;

}  // namespace

AckReplyPolicy::AckReplyPolicy(const std::optional<Nonce>& establishing,
                               const std::optional<SymmetricKey>& peer_second_key)
    : peer_second_key_(peer_second_key) {
  if (establishing) remember(*establishing);
}

AckReaction AckReplyPolicy::on_success_ack(Instant now, const AckReplyFacts& facts, const SuccessAckSeen& seen) {
  AckReaction reaction;
  reaction.repeat = remembered(seen.nonce);
  if (!reaction.repeat) {
    remember(seen.nonce);
    reaction.new_session = announces_session(now, facts, seen);
  }
  if (reaction.new_session) {
    reaction.ping = true;
    last_ping_ = now;
    return reaction;
  }
  reaction.ping = !last_ping_ || now - *last_ping_ >= kPingSpacing;
  if (reaction.ping) last_ping_ = now;
  // An acceptor below 0.2.152 retransmits its ack until acknowledged. The acknowledgement must not confirm its first
  // ordinary packet, which has id 0 too, unless that packet is here or cannot have been sent (wire spec 5.9).
  reaction.ack_zero = facts.initiator && facts.peer_may_use_id_zero &&
                      now - facts.established_at >= kHandshakeAfterglow &&
                      (seen.ordinary_id_zero_seen || !seen.ordinary_packet_seen);
  return reaction;
}

bool AckReplyPolicy::announces_session(Instant now, const AckReplyFacts& facts, const SuccessAckSeen& seen) {
  if (seen.opened_by == InboundKeyAge::kFormer) return false;
  if (seen.opened_by == InboundKeyAge::kNewer) return true;

  // Before anything but acks has come from the peer there is no epoch to end, and a Ping serves both cases; shortly
  // after it the ack may still be one that another datagram has overtaken.
  const bool may_be_late = !seen.ordinary_packet_seen || now - facts.established_at < kHandshakeAfterglow;

  if (seen.ack.key != facts.sending_key) {
    if (!facts.peer_intro_seen || !facts.inbound_proves_peer) return true;
    // A simultaneous opener with two keys names the second one in its acks, and its intro has already named the first,
    // which stays in use (wire spec W3).
    if (peer_second_key_) return seen.ack.key != *peer_second_key_;
    if (seen.ordinary_packet_seen && now - facts.established_at >= kSecondKeyMayBeLate) return true;
    peer_second_key_ = seen.ack.key;
    return false;
  }

  // An acceptor hands out one key per address and day (wire spec W15): only the nonce tells its sessions apart. Legacy
  // acks under the key in use answer something of ours (wire spec 5.8), and a simultaneous opener repeats its ack under
  // fresh nonces.
  const bool from_acceptor = facts.initiator && !facts.peer_intro_seen;
  return from_acceptor && seen.ack.version.has_value() && !may_be_late;
}

bool AckReplyPolicy::remembered(const Nonce& nonce) const {
  const auto end = nonces_.begin() + remembered_nonces_;
  return std::find(nonces_.begin(), end, nonce) != end;
}

void AckReplyPolicy::remember(const Nonce& nonce) {
  nonces_[next_nonce_] = nonce;
  next_nonce_ = static_cast<std::uint8_t>((next_nonce_ + 1) % kRememberedNonces);
  remembered_nonces_ = std::max(remembered_nonces_, next_nonce_ == 0 ? std::uint8_t{kRememberedNonces} : next_nonce_);
}

}  // namespace godwit
