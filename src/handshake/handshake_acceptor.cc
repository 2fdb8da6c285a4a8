#include "handshake/handshake_acceptor.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "wire/datagram.h"
#include "wire/message_codec.h"

namespace godwit {

std::expected<HandshakeAcceptor, trace::DropReason> HandshakeAcceptor::start(Instant now,
                                                                             const HandshakeContext& context,
                                                                             const SocketAddress& remote,
                                                                             const IntroSeen& intro) {
  if (!wire::compatible(context.config->version, intro.intro.version)) {
    return std::unexpected(trace::DropReason::kIncompatibleVersion);
  }
  const ExtendedPolicy policy = context.config->extended;
  HandshakeAcceptor acceptor(now, context, remote, intro);
  acceptor.fallback_ = policy == ExtendedPolicy::kOff ? FallbackReason::kDisabled : fallback_reason(intro.block);
  if (policy != ExtendedPolicy::kOff && intro.block == wire::ExtensionBlock::kPresent) {
    auto request = ExtendedRequest::read(context, intro);
    auto answer = request ? request->answer(now, context, remote) : std::nullopt;
    if (answer) {
      acceptor.intro_.drop_offer();
      acceptor.answer_extended(std::move(*answer));
      return acceptor;
    }
    acceptor.fallback_ = FallbackReason::kMalformed;
  }
  if (policy == ExtendedPolicy::kRequire) return std::unexpected(trace::DropReason::kNotExtended);
  acceptor.intro_.drop_offer();
  acceptor.answer_legacy();
  return acceptor;
}

HandshakeAcceptor::HandshakeAcceptor(Instant now, const HandshakeContext& context, const SocketAddress& remote,
                                     const IntroSeen& intro)
    : context_(&context),
      remote_(remote),
      intro_(intro),
      deadline_(now + context.config->confirmation_wait),
      next_repeat_(now + context.config->ack_repeat_interval),
      bytes_received_(intro.datagram_bytes) {}

void HandshakeAcceptor::answer_legacy() {
  inbound_ = std::make_unique<InboundKey>(make_inbound_key(*context_, false));
  sealer_ = std::make_unique<PacketSealer>(make_sealer(*context_, intro_.intro.key));
  ack_ = SuccessAck::seal(*context_, *sealer_, intro_.intro, inbound_->key, remote_);
}

void HandshakeAcceptor::answer_extended(ExtendedRequest::Answer answer) {
  FirstKeys first = make_first_keys(*context_, answer.secrets);
  extended_ = std::move(first.extended);
  sealer_ = std::move(first.sealer);
  inbound_ = std::move(first.inbound);
  ack_ = seal_extended_ack(*context_, intro_.intro, remote_, answer.block);
}

HandshakeStep HandshakeAcceptor::receive(Instant now, MutableBytes datagram, MutableBytes scratch) {
  if (established() || failure_ != HandshakeFailure::kNone) return {.drop = trace::DropReason::kClosed};
  const wire::DatagramClass datagram_class = wire::classify(datagram);
  if (datagram_class == wire::DatagramClass::kIntro) {
    return repeats_intro(datagram) ? on_repeated_intro(datagram.size())
                                   : HandshakeStep{.drop = trace::DropReason::kReplayedIntro};
  }
  if (datagram_class != wire::DatagramClass::kSymmetric) return {.drop = drop_reason(datagram_class)};

  const std::optional<MutableBytes> plaintext = open_first(*inbound_, extended_.get(), datagram, scratch);
  // Junk is ignored (W9): one stale or forged datagram must not cost the handshake.
  if (!plaintext) return {.drop = trace::DropReason::kAuthenticationFailed};

  HandshakeStep step{.kind = HandshakeStep::Kind::kEstablished};
  Session::Parts parts;
  parts.established_at = now;
  parts.remote = remote_;
  parts.sending_key = extended_ ? SymmetricKey() : intro_.intro.key;
  parts.sending_key_proven = extended_ != nullptr;
  parts.sealer = std::move(sealer_);
  parts.inbound = std::move(inbound_);
  parts.extended = std::move(extended_);
  parts.fallback = fallback_;
  parts.peer_version = intro_.intro.version;
  parts.founding_intro = intro_.fingerprint;
  parts.peer_intro_seen = true;
  const auto packet = wire::decode(*plaintext);
  const auto* ack = packet && !parts.extended ? std::get_if<wire::AckOk>(&packet->message) : nullptr;
  if (ack != nullptr) {
    step.confirmed_by_ack = true;
    parts.observed_self = ack->remote_address;
    parts.establishing_ack = nonce_of(datagram);
  } else {
    // Also what does not decode confirms (conformance item 36); the connection then drops and counts it.
    step.plaintext = datagram.subspan(kEnvelopePrefix, plaintext->size());
    std::ranges::copy(*plaintext, step.plaintext.begin());
  }
  session_.emplace(std::move(parts));
  ack_due_ = false;
  return step;
}

HandshakeStep HandshakeAcceptor::receive_intro(const IntroSeen& intro) {
  if (established() || failure_ != HandshakeFailure::kNone) return {.drop = trace::DropReason::kClosed};
  if (intro.fingerprint != intro_.fingerprint) return {.drop = trace::DropReason::kReplayedIntro};
  return on_repeated_intro(intro.datagram_bytes);
}

HandshakeStep HandshakeAcceptor::on_repeated_intro(std::size_t datagram_bytes) {
  bytes_received_ += datagram_bytes;
  ack_due_ = true;
  return {.kind = HandshakeStep::Kind::kProgress};
}

bool HandshakeAcceptor::repeats_intro(ByteView datagram) const {
  return wire::classify(datagram) == wire::DatagramClass::kIntro && datagram.size() == intro_.datagram_bytes &&
         IntroFingerprint::of(datagram) == intro_.fingerprint;
}

HandshakeStep HandshakeAcceptor::handle_timeout(Instant now) {
  if (established() || failure_ != HandshakeFailure::kNone) return {};
  if (now >= deadline_) {
    failure_ = HandshakeFailure::kTimeout;
    failure_text_ = "not confirmed by " + remote_.to_string();
    ack_due_ = false;
    return {.kind = HandshakeStep::Kind::kFailed};
  }
  if (now < next_repeat_) return {};
  next_repeat_ = now + context_->config->ack_repeat_interval;
  ack_due_ = may_send_ack();
  return {.kind = HandshakeStep::Kind::kProgress};
}

std::optional<Instant> HandshakeAcceptor::next_timeout() const {
  if (established() || failure_ != HandshakeFailure::kNone) return std::nullopt;
  return std::min(next_repeat_, deadline_);
}

std::size_t HandshakeAcceptor::poll_transmit(MutableBytes out) {
  if (!std::exchange(ack_due_, false) || !may_send_ack()) return 0;
  const std::size_t size = ack_.write(out);
  bytes_sent_ += size;
  return size;
}

std::optional<AnsweredOffer> HandshakeAcceptor::take_answer(const PublicKey& peer) {
  if (!extended_ || extended_->peer() != peer || established()) return std::nullopt;
  return AnsweredOffer{
      .seen = std::move(intro_),
      .ack = std::move(ack_),
      .keys = {.extended = std::move(extended_), .sealer = std::move(sealer_), .inbound = std::move(inbound_)}};
}

bool HandshakeAcceptor::may_send_ack() const {
  return bytes_sent_ + ack_.size() <= context_->config->amplification_limit * bytes_received_;
}

Session HandshakeAcceptor::take_session() {
  GODWIT_ASSERT(session_.has_value());
  return std::move(*session_);
}

}  // namespace godwit
