// A connection attempt from start() to take_session() (handshake_initiator.h): begin_attempt() every 3 s,
// queue_transmission() in between, receive() for each answer, one of the establish functions at the end.
#include "handshake/handshake_initiator.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "base/path_problem.h"
#include "crypto/intro_box.h"
#include "handshake/ephemeral_keys.h"
#include "handshake/handshake_acceptor.h"
#include "wire/datagram.h"
#include "wire/message_codec.h"
#include "wire/printable.h"

namespace godwit {
namespace {

// Of attempt_interval each; the first ping goes out in the round after them.
constexpr std::uint8_t kRoundsBeforePings = 1;
// The same for an answer that was given before the connection attempt: a second, in which five of them have gone out.
constexpr std::uint8_t kAnswersBeforeIntro = 5;

HandshakeStep nothing(std::optional<trace::DropReason> drop = std::nullopt) {
  return {.drop = drop};
}

}  // namespace

Result<HandshakeInitiator> HandshakeInitiator::start(Instant now, const HandshakeContext& context,
                                                     const SocketAddress& remote, const PublicKey& peer,
                                                     Instant deadline) {
  HandshakeInitiator initiator(context, remote, peer, deadline);
  if (!initiator.begin_attempt(now)) {
    return godwit::failure(ErrorCode::kInvalidArgument,
                           "the peer's public key " + peer.to_hex() + " is of no use for X25519");
  }
  return initiator;
}

HandshakeInitiator::HandshakeInitiator(const HandshakeContext& context, const SocketAddress& remote,
                                       const PublicKey& peer, Instant deadline)
    : context_(&context), remote_(remote), peer_(peer), deadline_(deadline) {}

bool HandshakeInitiator::begin_attempt(Instant now) {
  ConnectAttempt attempt;
  attempt.first = std::make_unique<InboundKey>(make_inbound_key(*context_, true));
  attempt.deadline = now + context_->config->attempt_duration;
  attempt.number = attempt_.number + 1;

  const wire::Intro intro{.version = context_->config->version, .key = attempt.first->key};
  // Fresh for every attempt: the nonce of an intro is constant (wire spec 1.2, conformance item 4).
  auto ephemeral = ephemeral_key(*context_);
  NoiseIk::Agreement agreement{.peer = peer_, .shared = {}};
  if (!ephemeral || !ephemeral->agree(peer_, agreement.shared.bytes)) return false;
  const PublicKey ephemeral_public = ephemeral->public_key();
  std::vector<std::uint8_t> plaintext(wire::kIntroPlaintext);
  wire::encode_intro_plaintext(intro, std::span<std::uint8_t, wire::kIntroPlaintext>(plaintext));
  if (context_->config->extended != ExtendedPolicy::kOff) {
    auto offer = ExtendedOffer::make(now, *context_, remote_, intro, std::move(*ephemeral), agreement);
    if (!offer) return false;
    const std::vector<std::uint8_t> block = offer->take_block();
    plaintext.insert(plaintext.end(), block.begin(), block.end());
    attempt.offer = std::make_unique<ExtendedOffer>(std::move(*offer));
  }
  attempt.intro.resize(plaintext.size() + kIntroOverhead);
  const bool sealed = seal_intro(ephemeral_public, agreement.shared, plaintext, attempt.intro);
  wipe(plaintext);
  if (!sealed) return false;

  if (attempt_.first) former_ = std::move(attempt_);
  attempt_ = std::move(attempt);
  clear_transmissions();
  intro_due_ = true;
  next_send_ = now + context_->config->attempt_interval;
  return true;
}

void HandshakeInitiator::go_on_with(AnsweredOffer answered) {
  intro_seen_ = true;
  RemoteInbound& remote = attempt_.remote.emplace();
  remote.seen = std::move(answered.seen);
  remote.extended = true;
  remote.timestamp = answered.keys.extended->theirs().timestamp;
  remote.answered = std::move(answered.keys);
  remote.ack = std::move(answered.ack);
  remote.answers_alone = kAnswersBeforeIntro;
  clear_transmissions();
  ack_due_ = true;
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
  if (established() || wire::classify(datagram) != wire::DatagramClass::kIntro) return false;
  // Once an intro was seen all others are ignored (wire spec 4.4), unless the requested peer proves to have made them.
  return !attempt_.remote || (context_->config->extended != ExtendedPolicy::kOff && !repeats_intro(datagram));
}

bool HandshakeInitiator::repeats_intro(ByteView datagram) const {
  return attempt_.remote && wire::classify(datagram) == wire::DatagramClass::kIntro &&
         attempt_.remote->seen.fingerprint == IntroFingerprint::of(datagram);
}

HandshakeStep HandshakeInitiator::receive_intro(Instant now, const IntroSeen& intro) {
  if (established() || failure_ != HandshakeFailure::kNone) return nothing(trace::DropReason::kClosed);
  auto request = request_of_peer(intro);
  if (attempt_.remote) {
    // Forged ones, and old ones of the peer, must not stand in the way of its present one.
    const bool takes_its_place =
        request && (!attempt_.remote->extended || request->theirs().timestamp > attempt_.remote->timestamp);
    if (!takes_its_place) return nothing(trace::DropReason::kReplayedIntro);
  }
  // Silently, as the deployed peer does: both attempts time out (wire spec 3.3, 4.5).
  if (!wire::compatible(context_->config->version, intro.intro.version)) {
    return nothing(trace::DropReason::kIncompatibleVersion);
  }
  if (!request && context_->config->extended == ExtendedPolicy::kRequire) {
    return nothing(trace::DropReason::kNotExtended);
  }
  intro_seen_ = true;
  RemoteInbound& remote = attempt_.remote.emplace();
  remote.seen = intro;
  remote.seen.drop_offer();
  if (request) return receive_offer(now, std::move(*request));
  remote.fallback =
      intro.block == wire::ExtensionBlock::kPresent ? FallbackReason::kMalformed : fallback_reason(intro.block);
  remote.sealer = std::make_unique<PacketSealer>(make_sealer(*context_, intro.intro.key));
  // One more intro ahead of the first ack, so that the peer learns K1 before K2, and none after it: an intro that
  // reaches an established peer can reset it (wire spec W3).
  intro_due_ = true;
  if (context_->config->require_authenticated_peer) {
    remote.probe.emplace(*context_->random);
  } else {
    remote.second = std::make_unique<InboundKey>(make_inbound_key(*context_, false));
    remote.ack = SuccessAck::seal(*context_, *remote.sealer, intro.intro, remote.second->key, remote_);
    ack_due_ = true;
  }
  next_send_ = now + context_->config->attempt_interval;
  // The peer's own attempt may have begun just now.
  attempt_.deadline = now + context_->config->attempt_duration;
  return {.kind = HandshakeStep::Kind::kProgress};
}

HandshakeStep HandshakeInitiator::receive_symmetric(Instant now, MutableBytes datagram, MutableBytes scratch) {
  if (const auto step = receive_extended(now, attempt_, datagram, scratch)) return *step;
  if (const auto plaintext = attempt_.first->opener.open_copy(datagram, scratch)) {
    return on_opened(now, attempt_, true, datagram, *plaintext);
  }
  if (attempt_.remote && attempt_.remote->second) {
    if (const auto plaintext = attempt_.remote->second->opener.open_copy(datagram, scratch)) {
      return on_opened(now, attempt_, false, datagram, *plaintext);
    }
  }
  if (!former_) return nothing(trace::DropReason::kAuthenticationFailed);
  if (const auto step = receive_extended(now, *former_, datagram, scratch)) return *step;
  if (const auto plaintext = former_->first->opener.open_copy(datagram, scratch)) {
    if (!former_->remote) return on_opened(now, *former_, true, datagram, *plaintext);
    resume_former_attempt();
    return on_opened(now, attempt_, true, datagram, *plaintext);
  }
  if (former_->remote && former_->remote->second) {
    if (const auto plaintext = former_->remote->second->opener.open_copy(datagram, scratch)) {
      resume_former_attempt();
      return on_opened(now, attempt_, false, datagram, *plaintext);
    }
  }
  return nothing(trace::DropReason::kAuthenticationFailed);
}

void HandshakeInitiator::resume_former_attempt() {
  // The peer is in it: an intro of the newer one would only reset the peer.
  std::swap(attempt_, *former_);
  clear_transmissions();
}

HandshakeStep HandshakeInitiator::on_opened(Instant now, ConnectAttempt& attempt, bool by_first, MutableBytes datagram,
                                            ByteView plaintext) {
  // The requested peer uses the first key: this is somebody else.
  if (!by_first && attempt.remote->peer_proven) return nothing(trace::DropReason::kAuthenticationFailed);
  const auto packet = wire::decode(plaintext);
  const wire::Message* message = packet ? &packet->message : nullptr;
  const auto* ack = message ? std::get_if<wire::AckOk>(message) : nullptr;
  if (const auto* error = message ? std::get_if<wire::AckError>(message) : nullptr) {
    return fail_with_error_ack(error->text);
  }
  if (by_first && ack != nullptr && attempt.offer) {
    if (const auto step = on_answer(now, attempt, *ack, packet->trailing)) return *step;
  }
  if (!attempt.remote || attempt.remote->extended) {
    // Before the peer's intro only a success ack says what key to send with (wire spec 4.4).
    if (ack == nullptr) return nothing(packet ? std::optional<trace::DropReason>() : trace::DropReason::kUndecodable);
    completion_due_ = true;
    establish_with_acked_key(now, attempt, acked_from(*ack, datagram));
    return established_step(true, datagram, plaintext);
  }
  if (by_first) {
    if (const auto step = on_proven_packet(now, attempt, datagram, plaintext, message)) return *step;
  }
  if (ack != nullptr) {
    if (!attempt.remote->settling) {
      attempt.remote->settling = acked_from(*ack, datagram);
      attempt.deadline = now + context_->config->attempt_duration;
      next_send_ = now + context_->config->second_key_settling;
      ack_due_ = false;
    }
    return {.kind = HandshakeStep::Kind::kProgress};
  }
  // Whatever else authenticates completes it, and its content is handed over (wire spec W4).
  establish_with_intro_key(now, attempt, by_first, false, nullptr);
  return established_step(false, datagram, plaintext);
}

std::optional<HandshakeStep> HandshakeInitiator::on_proven_packet(Instant now, ConnectAttempt& attempt,
                                                                  MutableBytes datagram, ByteView plaintext,
                                                                  const wire::Message* message) {
  RemoteInbound& remote = *attempt.remote;
  const bool must_prove = remote.probe.has_value();
  if (const auto* ack = message ? std::get_if<wire::AckOk>(message) : nullptr) {
    KeyProbe::Acked acked = acked_from(*ack, datagram);
    if (ack->key == remote.seen.intro.key) {
      // Under K1 it can only come from the requested peer, and so the intro did too.
      completion_due_ = true;
      establish_with_intro_key(now, attempt, true, true, &acked);
      return established_step(true, datagram, plaintext);
    }
    begin_probe(now, attempt).on_ack(std::move(acked));
    return HandshakeStep{.kind = HandshakeStep::Kind::kProgress};
  }
  if (const auto* pong = message && remote.probe ? std::get_if<wire::Pong>(message) : nullptr) {
    const auto proven = remote.probe->on_pong(pong->sequence);
    if (proven == KeyProbe::Key::kAcked) {
      establish_with_acked_key(now, attempt, remote.probe->take_acked());
      return established_step(false, datagram, plaintext);
    }
    if (proven == KeyProbe::Key::kIntro) {
      const std::optional<KeyProbe::Acked>& acked = remote.probe->acked();
      establish_with_intro_key(now, attempt, true, true, acked ? &*acked : nullptr);
      return established_step(false, datagram, plaintext);
    }
  }
  if (!must_prove) return std::nullopt;
  if (const auto* ping = message ? std::get_if<wire::Ping>(message) : nullptr) {
    begin_probe(now, attempt).on_ping(ping->sequence);
  } else if (context_->config->require_authenticated_peer || remote.probe->confirming()) {
    // Not acknowledged, so that it comes again once there is a session to receive it.
    begin_probe(now, attempt);
  } else if (message == nullptr) {
    return nothing(trace::DropReason::kUndecodable);
  } else if (std::holds_alternative<wire::Pong>(*message) || std::holds_alternative<wire::NoOp>(*message)) {
    return nothing();  // nothing that would be lost
  } else {
    return std::nullopt;
  }
  return HandshakeStep{.kind = HandshakeStep::Kind::kProgress};
}

KeyProbe& HandshakeInitiator::begin_probe(Instant now, ConnectAttempt& attempt) {
  RemoteInbound& remote = *attempt.remote;
  if (!remote.probe) remote.probe.emplace(*context_->random);
  if (!std::exchange(remote.peer_proven, true)) {
    remote.settling.reset();
    remote.probe->ping();
    // The pings take the place of all else: the peer has our intro, and any authentic packet completes its side.
    clear_transmissions();
    next_send_ = now + context_->config->attempt_interval;
    attempt.deadline = std::max(attempt.deadline, now + context_->config->attempt_duration);
  }
  return *remote.probe;
}

void HandshakeInitiator::establish_with_intro_key(Instant now, ConnectAttempt& attempt, bool by_first, bool proven,
                                                  const KeyProbe::Acked* acked) {
  RemoteInbound& remote = *attempt.remote;
  Session::Parts parts = begin_session(now, attempt, by_first);
  // It stays in use whatever key an ack names: it is the one that proves this side to the peer (wire spec W3).
  parts.peer_intro_seen = true;
  parts.founding_intro = remote.seen.fingerprint;
  parts.sending_key = remote.seen.intro.key;
  parts.sending_key_proven = proven;
  parts.sealer = std::move(remote.sealer);
  parts.peer_version = remote.seen.intro.version;
  if (acked != nullptr) {
    parts.observed_self = acked->remote_address;
    parts.establishing_ack = acked->nonce;
    if (acked->key != parts.sending_key) parts.peer_second_key = acked->key;
    if (acked->version) parts.peer_version = acked->version;
  }
  finish_session(std::move(parts));
}

void HandshakeInitiator::establish_with_acked_key(Instant now, ConnectAttempt& attempt, KeyProbe::Acked acked) {
  Session::Parts parts = begin_session(now, attempt, true);
  parts.observed_self = acked.remote_address;
  parts.sending_key = acked.key;
  parts.sending_key_proven = true;
  parts.sealer = std::move(acked.sealer);
  parts.peer_version = acked.version;
  parts.establishing_ack = acked.nonce;
  finish_session(std::move(parts));
}

Session::Parts HandshakeInitiator::parts_of_attempt(Instant now) const {
  Session::Parts parts;
  parts.established_at = now;
  parts.initiator = true;
  parts.remote = remote_;
  parts.requested_key = peer_;
  parts.connect_deadline = deadline_;
  return parts;
}

Session::Parts HandshakeInitiator::begin_session(Instant now, ConnectAttempt& attempt, bool by_first) {
  Session::Parts parts = parts_of_attempt(now);
  if (context_->config->extended == ExtendedPolicy::kOff) {
    parts.fallback = FallbackReason::kDisabled;
  } else {
    parts.fallback =
        attempt.remote && !attempt.remote->extended ? attempt.remote->fallback : FallbackReason::kNotAnswered;
  }
  parts.others_expire = now + context_->config->former_key_lifetime;
  parts.inbound = std::move(by_first ? attempt.first : attempt.remote->second);

  // Keys that a late datagram of ours may yet teach the peer, and with which it then begins a new session (wire
  // spec 5.8): K1 where K2 was used, and K1 of a later attempt.
  const auto keep = [&](std::unique_ptr<InboundKey>& other) {
    other->age = InboundKeyAge::kNewer;
    parts.others.push_back(std::move(*other));
  };
  if (!by_first) keep(attempt.first);
  if (former_) {
    ConnectAttempt& other = &attempt == &attempt_ ? *former_ : attempt_;
    if (other.number > attempt.number && other.transmissions > 0) keep(other.first);
  }
  return parts;
}

void HandshakeInitiator::finish_session(Session::Parts parts) {
  session_.emplace(std::move(parts));
  clear_transmissions();
}

HandshakeStep HandshakeInitiator::established_step(bool by_ack, MutableBytes datagram, ByteView plaintext) {
  HandshakeStep step{.kind = HandshakeStep::Kind::kEstablished};
  step.confirmed_by_ack = by_ack;
  if (!by_ack) {
    step.plaintext = datagram.subspan(kEnvelopePrefix, plaintext.size());
    std::ranges::copy(plaintext, step.plaintext.begin());
  }
  return step;
}

KeyProbe::Acked HandshakeInitiator::acked_from(const wire::AckOk& ack, ByteView datagram) const {
  return {.key = ack.key,
          .nonce = nonce_of(datagram),
          .remote_address = ack.remote_address,
          .version = ack.version,
          .sealer = std::make_unique<PacketSealer>(make_sealer(*context_, ack.key))};
}

HandshakeStep HandshakeInitiator::handle_timeout(Instant now) {
  if (established() || failure_ != HandshakeFailure::kNone) return nothing();
  if (now >= deadline_) {
    if (intro_seen_ && context_->config->require_authenticated_peer) {
      return fail(HandshakeFailure::kUnauthenticated, "the peer did not prove the public key that was asked for");
    }
    return fail(HandshakeFailure::kTimeout, std::string(kNoAnswerText));
  }
  if (now >= attempt_.deadline) {
    if (!begin_attempt(now)) return fail(HandshakeFailure::kLibrary, "an intro could not be sealed");
    return {.kind = HandshakeStep::Kind::kProgress};
  }
  if (now < next_send_) return nothing();
  if (attempt_.remote && attempt_.remote->settling) {
    const KeyProbe::Acked acked = std::move(*attempt_.remote->settling);
    establish_with_intro_key(now, attempt_, false, false, &acked);
    return established_step(true, {}, {});
  }
  queue_transmission();
  // On the grid, so that late timers do not stretch the spacing (conformance item 27), unless a slot was missed
  // altogether.
  next_send_ += context_->config->attempt_interval;
  if (next_send_ <= now) next_send_ = now + context_->config->attempt_interval;
  return {.kind = HandshakeStep::Kind::kProgress};
}

void HandshakeInitiator::queue_transmission() {
  if (!attempt_.remote) {
    intro_due_ = true;
  } else if (attempt_.remote->extended) {
    // An answer to an offer that was a replay is of no use to the peer: it has to learn of this side's own.
    intro_due_ = attempt_.remote->answers_alone == 0;
    ack_due_ = attempt_.remote->answered.extended != nullptr;
    if (!intro_due_) --attempt_.remote->answers_alone;
  } else if (attempt_.remote->second && !attempt_.remote->peer_proven) {
    ack_due_ = true;
  } else {
    // Under require_authenticated_peer a second key would be of no use to anybody: the peer has to learn the first one,
    // and so intros go on. What an ack does besides, completing the peer's side, a ping does too. It waits for
    // further rounds, because the intro may be a forgery and the peer an acceptor, whose handshake a datagram that it
    // cannot open would end: its ack has so much time to come.
    intro_due_ = !attempt_.remote->peer_proven;
    if (!attempt_.remote->peer_proven && attempt_.remote->rounds < kRoundsBeforePings) {
      ++attempt_.remote->rounds;
    } else {
      attempt_.remote->probe->ping();
    }
  }
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
  if (session_) return 0;
  const bool may_send = attempt_.transmissions < context_->config->attempt_transmissions;
  if (std::exchange(intro_due_, false) && may_send && out.size() >= attempt_.intro.size()) {
    ++attempt_.transmissions;
    std::ranges::copy(attempt_.intro, out.begin());
    return attempt_.intro.size();
  }
  if (std::exchange(ack_due_, false) && may_send) {
    ++attempt_.transmissions;
    return attempt_.remote->ack.write(out);
  }
  if (!attempt_.remote || !attempt_.remote->probe) return 0;
  return attempt_.remote->probe->poll_transmit(*attempt_.remote->sealer, attempt_.first->key, remote_, out);
}

void HandshakeInitiator::clear_transmissions() {
  intro_due_ = false;
  ack_due_ = false;
}

Session HandshakeInitiator::take_session() {
  GODWIT_ASSERT(session_.has_value());
  return std::move(*session_);
}

HandshakeStep HandshakeInitiator::fail(HandshakeFailure failure, std::string text) {
  failure_ = failure;
  failure_text_ = std::move(text);
  clear_transmissions();
  return {.kind = HandshakeStep::Kind::kFailed};
}

HandshakeStep HandshakeInitiator::fail_with_error_ack(std::string_view text) {
  if (const std::optional<std::string_view> expected = wire::expected_version_in(text)) {
    return fail(HandshakeFailure::kVersionMismatch, "the peer expects version " + printable(*expected));
  }
  return fail(HandshakeFailure::kRefused, "the peer refused: " + printable(text));
}

}  // namespace godwit
