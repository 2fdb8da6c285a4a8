#include "transport/handshake_initiator.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "crypto/intro_box.h"
#include "transport/printable.h"
#include "wire/datagram.h"
#include "wire/message_codec.h"

namespace godwit {
namespace {

HandshakeStep nothing(std::optional<trace::DropReason> drop = std::nullopt) { return {.drop = drop}; }

}  // namespace

Result<HandshakeInitiator> HandshakeInitiator::start(Instant now, const HandshakeContext& context, const SocketAddress& remote,
                                                     const PublicKey& peer, Instant deadline) {
  HandshakeInitiator initiator(context, remote, peer, deadline);
  if (!initiator.begin_attempt(now)) {
    return godwit::failure(ErrorCode::kInvalidArgument, "the peer's public key " + peer.to_hex() + " is of no use for X25519");
  }
  return initiator;
}

HandshakeInitiator::HandshakeInitiator(const HandshakeContext& context, const SocketAddress& remote, const PublicKey& peer,
                                       Instant deadline)
    : context_(&context), remote_(remote), peer_(peer), deadline_(deadline) {}

bool HandshakeInitiator::begin_attempt(Instant now) {
  Attempt attempt;
  attempt.first = std::make_unique<InboundKey>(make_inbound_key(*context_, true));
  attempt.deadline = now + context_->config->attempt_duration;

  std::array<std::uint8_t, wire::kIntroPlaintext> plaintext;
  wire::encode_intro_plaintext({.version = context_->config->version, .key = attempt.first->key}, plaintext);
  // Fresh for every attempt: the nonce of an intro is constant (wire spec 1.2, conformance item 4).
  const SecretKey ephemeral = SecretKey::generate(*context_->random);
  const bool sealed = seal_intro(peer_, ephemeral, plaintext, attempt.intro);
  wipe(plaintext);
  if (!sealed) return false;

  if (attempt_.first) former_ = std::move(attempt_);
  attempt_ = std::move(attempt);
  intro_due_ = true;
  ack_due_ = false;
  next_send_ = now + context_->config->attempt_interval;
  return true;
}

HandshakeStep HandshakeInitiator::receive(Instant now, MutableBytes datagram, MutableBytes scratch) {
  if (established() || failure_ != HandshakeFailure::kNone) return nothing(trace::DropReason::kClosed);
  switch (wire::classify(datagram)) {
    case wire::DatagramClass::kSymmetric: return receive_symmetric(now, datagram, scratch);
    case wire::DatagramClass::kIntro: {
      if (!would_decrypt(datagram)) return nothing(trace::DropReason::kReplayedIntro);
      const std::optional<IntroSeen> intro = open_intro_datagram(*context_->self, datagram);
      return intro ? receive_intro(now, *intro) : nothing(trace::DropReason::kAuthenticationFailed);
    }
    default: return nothing(drop_reason(wire::classify(datagram)));
  }
}

bool HandshakeInitiator::would_decrypt(ByteView datagram) const {
  // Once an intro was seen all others are ignored (wire spec 4.4).
  return !established() && !attempt_.remote && wire::classify(datagram) == wire::DatagramClass::kIntro;
}

bool HandshakeInitiator::repeats_intro(ByteView datagram) const {
  return attempt_.remote && wire::classify(datagram) == wire::DatagramClass::kIntro &&
         attempt_.remote->seen.fingerprint == IntroFingerprint::of(datagram);
}

HandshakeStep HandshakeInitiator::receive_intro(Instant now, const IntroSeen& intro) {
  if (established() || failure_ != HandshakeFailure::kNone) return nothing(trace::DropReason::kClosed);
  if (attempt_.remote) return nothing(trace::DropReason::kReplayedIntro);
  // Silently, as the deployed peer does: both attempts time out (wire spec 3.3, 4.5).
  if (!wire::compatible(context_->config->version, intro.intro.version)) {
    return nothing(trace::DropReason::kIncompatibleVersion);
  }
  RemoteInbound& remote = attempt_.remote.emplace();
  remote.seen = intro;
  remote.sealer = std::make_unique<PacketSealer>(make_sealer(*context_, intro.intro.key));
  remote.second = std::make_unique<InboundKey>(make_inbound_key(*context_, false));
  remote.ack = SuccessAck::seal(*context_, *remote.sealer, intro.intro, remote.second->key, remote_);
  // One more intro ahead of the first ack, so that the peer learns K1 before K2, and none after it: an intro that
  // reaches an established peer can reset it (wire spec W3).
  intro_due_ = true;
  ack_due_ = true;
  next_send_ = now + context_->config->attempt_interval;
  // The peer's own attempt may have begun just now.
  attempt_.deadline = now + context_->config->attempt_duration;
  return {.kind = HandshakeStep::Kind::kProgress};
}

HandshakeStep HandshakeInitiator::receive_symmetric(Instant now, MutableBytes datagram, MutableBytes scratch) {
  const auto try_attempt = [&](Attempt& attempt) -> std::optional<HandshakeStep> {
    if (const auto plaintext = attempt.first->opener.open_copy(datagram, scratch)) {
      return on_opened(now, attempt, attempt.first, datagram, *plaintext);
    }
    if (!attempt.remote) return std::nullopt;
    if (const auto plaintext = attempt.remote->second->opener.open_copy(datagram, scratch)) {
      return on_opened(now, attempt, attempt.remote->second, datagram, *plaintext);
    }
    return std::nullopt;
  };
  if (const auto step = try_attempt(attempt_)) return *step;
  if (former_) {
    if (const auto step = try_attempt(*former_)) return *step;
  }
  return nothing(trace::DropReason::kAuthenticationFailed);
}

HandshakeStep HandshakeInitiator::on_opened(Instant now, Attempt& attempt, std::unique_ptr<InboundKey>& key,
                                            MutableBytes datagram, ByteView plaintext) {
  if (!key->proves_peer && context_->config->require_authenticated_peer) {
    // The peer, or whoever sent its intro, has learnt the second key only. The next attempt's intro teaches it a first one.
    second_key_refused_ = true;
    attempt_.deadline = std::min(attempt_.deadline, now + context_->config->second_key_patience);
    return nothing(trace::DropReason::kAuthenticationFailed);
  }
  const auto packet = wire::decode(plaintext);
  const auto* ack = packet ? std::get_if<wire::AckOk>(&packet->message) : nullptr;
  if (const auto* error = packet ? std::get_if<wire::AckError>(&packet->message) : nullptr) {
    return fail_with_error_ack(error->text);
  }
  // Before the peer's intro only a success ack says what key to send with (wire spec 4.4).
  if (!attempt.remote && ack == nullptr) {
    return nothing(packet ? std::optional<trace::DropReason>() : trace::DropReason::kUndecodable);
  }
  establish(now, attempt, key, datagram, ack);
  HandshakeStep step{.kind = HandshakeStep::Kind::kEstablished};
  if (ack != nullptr) {
    step.confirmed_by_ack = true;
  } else {
    step.plaintext = datagram.subspan(kEnvelopePrefix, plaintext.size());
    std::ranges::copy(plaintext, step.plaintext.begin());
  }
  return step;
}

void HandshakeInitiator::establish(Instant now, Attempt& attempt, std::unique_ptr<InboundKey>& key, ByteView datagram,
                                   const wire::AckOk* ack) {
  const bool proves_peer = key->proves_peer;
  Session::Parts parts;
  parts.established_at = now;
  parts.initiator = true;
  parts.remote = remote_;
  parts.dialled_key = peer_;
  parts.others_expire = now + context_->config->former_key_lifetime;
  if (ack != nullptr) {
    parts.observed_self = ack->remote_address;
    parts.establishing_ack = nonce_of(datagram);
    parts.peer_version = ack->version;
  }
  if (attempt.remote) {
    // The intro's key stays in use whatever key the ack names: it is the one that proves this side to the peer (wire
    // spec W3). That it is the peer's own is proven only where the peer repeats it under K1, or answers a ping.
    parts.peer_intro_seen = true;
    parts.founding_intro = attempt.remote->seen.fingerprint;
    parts.sending_key = attempt.remote->seen.intro.key;
    parts.sending_key_proven = proves_peer && ack != nullptr && ack->key == parts.sending_key;
    parts.sealer = std::move(attempt.remote->sealer);
    if (!parts.peer_version) parts.peer_version = attempt.remote->seen.intro.version;
    completion_due_ = parts.sending_key_proven;
  } else {
    parts.sending_key = ack->key;
    parts.sending_key_proven = proves_peer;
    parts.sealer = std::make_unique<PacketSealer>(make_sealer(*context_, ack->key));
    completion_due_ = true;
  }
  parts.inbound = std::move(key);

  // Keys that a late datagram of ours may yet teach the peer, and with which it then begins a new session (wire spec 5.8):
  // K1 where K2 was used, and K1 of a later attempt.
  const auto keep = [&](std::unique_ptr<InboundKey>& other) {
    if (!other) return;
    other->age = InboundKeyAge::kNewer;
    parts.others.push_back(std::move(*other));
  };
  if (!proves_peer) keep(attempt.first);
  if (&attempt != &attempt_ && attempt_.transmissions > 0) keep(attempt_.first);
  session_.emplace(std::move(parts));
  intro_due_ = false;
  ack_due_ = false;
  former_.reset();
}

HandshakeStep HandshakeInitiator::handle_timeout(Instant now) {
  if (established() || failure_ != HandshakeFailure::kNone) return nothing();
  if (now >= deadline_) {
    if (second_key_refused_) {
      return fail(HandshakeFailure::kUnauthenticated, "the peer did not prove the public key it was dialled by");
    }
    return fail(HandshakeFailure::kTimeout, "no answer from " + remote_.to_string());
  }
  if (now >= attempt_.deadline) {
    if (!begin_attempt(now)) return fail(HandshakeFailure::kLibrary, "an intro could not be sealed");
    return {.kind = HandshakeStep::Kind::kProgress};
  }
  if (now < next_send_) return nothing();
  (attempt_.remote ? ack_due_ : intro_due_) = true;
  // On the grid, so that late timers do not stretch the spacing (conformance item 27), unless a slot was missed altogether.
  next_send_ += context_->config->attempt_interval;
  if (next_send_ <= now) next_send_ = now + context_->config->attempt_interval;
  return {.kind = HandshakeStep::Kind::kProgress};
}

std::optional<Instant> HandshakeInitiator::next_timeout() const {
  if (established() || failure_ != HandshakeFailure::kNone) return std::nullopt;
  return std::min({next_send_, attempt_.deadline, deadline_});
}

std::size_t HandshakeInitiator::poll_transmit(MutableBytes out) {
  if (completion_due_ && session_) {
    completion_due_ = false;
    return session_->write_completion_ack(out);
  }
  const bool may_send = attempt_.transmissions < context_->config->attempt_transmissions;
  if (intro_due_) {
    intro_due_ = false;
    if (may_send && out.size() >= attempt_.intro.size()) {
      ++attempt_.transmissions;
      std::ranges::copy(attempt_.intro, out.begin());
      return attempt_.intro.size();
    }
  }
  if (ack_due_) {
    ack_due_ = false;
    if (may_send && attempt_.remote) {
      ++attempt_.transmissions;
      return attempt_.remote->ack.write(out);
    }
  }
  return 0;
}

Session HandshakeInitiator::take_session() {
  GODWIT_ASSERT(session_.has_value());
  return std::move(*session_);
}

HandshakeStep HandshakeInitiator::fail(HandshakeFailure failure, std::string text) {
  failure_ = failure;
  failure_text_ = std::move(text);
  intro_due_ = false;
  ack_due_ = false;
  return {.kind = HandshakeStep::Kind::kFailed};
}

HandshakeStep HandshakeInitiator::fail_with_error_ack(std::string_view text) {
  if (const std::optional<std::string_view> expected = wire::expected_version_in(text)) {
    return fail(HandshakeFailure::kVersionMismatch, "the peer expects version " + printable(*expected));
  }
  return fail(HandshakeFailure::kRefused, "the peer refused: " + printable(text));
}

}  // namespace godwit
