// What an initiator does about extended sessions: docs/extended_sessions.md, section 3.

#include <algorithm>
#include <utility>

#include "handshake/cookie_jar.h"
#include "handshake/handshake_initiator.h"

namespace godwit {

std::optional<ExtendedRequest> HandshakeInitiator::request_of_peer(const IntroSeen& intro) const {
  if (context_->config->extended == ExtendedPolicy::kOff) return std::nullopt;
  auto request = ExtendedRequest::read(*context_, intro);
  // Whoever else sends offers from this address is not who was asked for.
  if (request && request->peer() != peer_) request.reset();
  return request;
}

// Both sides have made an offer. The one with the smaller public key answers; the other one waits for the answer, and
// repeats its own intro until it comes, as the peer may not have seen it.
HandshakeStep HandshakeInitiator::receive_offer(Instant now, ExtendedRequest request) {
  RemoteInbound& remote = *attempt_.remote;
  remote.extended = true;
  remote.timestamp = request.theirs().timestamp;
  clear_transmissions();
  if (context_->self->public_key() < peer_) {
    auto answer = request.answer(now, *context_, remote_);
    if (!answer) return {.kind = HandshakeStep::Kind::kNothing, .drop = trace::DropReason::kAuthenticationFailed};
    remote.answered = make_first_keys(*context_, answer->secrets);
    remote.ack = seal_extended_ack(*context_, remote.seen.intro, remote_, answer->block);
    ack_due_ = true;
  } else {
    intro_due_ = true;
  }
  next_send_ = now + context_->config->attempt_interval;
  attempt_.deadline = now + context_->config->attempt_duration;
  return {.kind = HandshakeStep::Kind::kProgress};
}

Session::Parts HandshakeInitiator::begin_extended_session(Instant now, const ConnectAttempt& attempt,
                                                          FirstKeys first) const {
  Session::Parts parts = parts_of_attempt(now);
  parts.extended = std::move(first.extended);
  parts.sealer = std::move(first.sealer);
  parts.inbound = std::move(first.inbound);
  parts.sending_key_proven = true;
  if (attempt.remote) {
    // Repeats of the peer's intro are late ones.
    parts.founding_intro = attempt.remote->seen.fingerprint;
    parts.peer_intro_seen = true;
    parts.peer_version = attempt.remote->seen.intro.version;
  }
  return parts;
}

std::optional<HandshakeStep> HandshakeInitiator::receive_extended(Instant now, ConnectAttempt& attempt,
                                                                  MutableBytes datagram, MutableBytes scratch) {
  if (!attempt.remote || !attempt.remote->answered.extended) return std::nullopt;
  FirstKeys& first = attempt.remote->answered;
  const auto plaintext = open_first(*first.inbound, first.extended.get(), datagram, scratch);
  if (!plaintext) return std::nullopt;
  finish_session(begin_extended_session(now, attempt, std::move(first)));
  return established_step(false, datagram, *plaintext);
}

std::optional<HandshakeStep> HandshakeInitiator::on_answer(Instant now, ConnectAttempt& attempt, const wire::AckOk& ack,
                                                           ByteView trailing) {
  ExtendedOffer::Answer answer = attempt.offer->read(trailing);
  if (answer.block == wire::ExtensionBlock::kAbsent) {
    // The key of the ack's packet was in the same sealed intro as the offer: the peer has seen the offer, and has no
    // answer to it.
    if (context_->config->extended != ExtendedPolicy::kRequire) return std::nullopt;
    return fail(HandshakeFailure::kNotExtended, "the peer has no extended sessions, which are required");
  }
  if (!answer.secrets) {
    return HandshakeStep{.kind = HandshakeStep::Kind::kNothing, .drop = trace::DropReason::kUndecodable};
  }
  if (context_->cookie_jar != nullptr && answer.secrets->theirs.cookie) {
    context_->cookie_jar->keep(peer_, *answer.secrets->theirs.cookie);
  }
  Session::Parts parts = begin_extended_session(now, attempt, make_first_keys(*context_, *answer.secrets));
  parts.observed_self = ack.remote_address;
  if (ack.version) parts.peer_version = ack.version;
  finish_session(std::move(parts));
  return established_step(true, {}, {});
}

}  // namespace godwit
