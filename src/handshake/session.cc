#include "handshake/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "handshake/key_usage.h"
#include "wire/message_codec.h"

namespace godwit {
namespace {

constexpr std::unexpected kNotAuthentic(trace::DropReason::kAuthenticationFailed);
// An intro of the attempt that has just succeeded may have been overtaken by its ack.
constexpr Duration kLateIntro = 1s;

}  // namespace

std::optional<MutableBytes> open_first(InboundKey& inbound, ExtendedKeys* extended, ByteView datagram,
                                       MutableBytes scratch) {
  if (extended == nullptr) return inbound.opener.open_copy(datagram, scratch);
  const auto header = extended->read_header(datagram.data() + 1);
  if (!header || header->key != ExtendedKeys::Header::Key::kCurrent) return std::nullopt;
  const auto plaintext = inbound.opener.open_copy(datagram, scratch);
  if (plaintext) extended->accept(*header, inbound.opener);
  return plaintext;
}

FirstKeys make_first_keys(const HandshakeContext& context, const ExtendedSecrets& secrets) {
  if (context.key_log != nullptr) {
    context.key_log->on_secret(secrets.send.bytes);
    context.key_log->on_secret(secrets.receive.bytes);
  }
  FirstKeys first{.extended = std::make_unique<ExtendedKeys>(context, secrets)};
  first.sealer = first.extended->take_first_sealer();
  first.inbound = std::make_unique<InboundKey>(
      InboundKey{.key = {}, .opener = first.extended->take_first_opener(), .proves_peer = true});
  return first;
}

InboundKey make_inbound_key(const HandshakeContext& context, bool proves_peer) {
  const SymmetricKey key = SymmetricKey::generate(*context.random);
  if (context.key_log != nullptr) context.key_log->on_key(key.bytes());
  return {.key = key, .opener = PacketOpener(context.make_cipher(context.cipher, key)), .proves_peer = proves_peer};
}

PacketSealer make_sealer(const HandshakeContext& context, const SymmetricKey& key) {
  if (context.key_log != nullptr) context.key_log->on_key(key.bytes());
  SealerLimits limits = context.key_limits;
  if (context.key_usage != nullptr) limits.already_sealed = context.key_usage->packets_sealed(key);
  return {context.make_cipher(context.cipher, key), *context.random, limits};
}

SuccessAck seal_extended_ack(const HandshakeContext& context, const wire::Intro& intro, const SocketAddress& remote,
                             ByteView answer) {
  PacketSealer sealer = make_sealer(context, intro.key);
  return SuccessAck::seal(context, sealer, intro, SymmetricKey::generate(*context.random), remote, answer);
}

Session::Session(Parts parts)
    : inbound_(std::move(*parts.inbound)),
      others_(std::move(parts.others)),
      sealer_(std::move(parts.sealer)),
      extended_(std::move(parts.extended)),
      sending_key_(parts.sending_key),
      ack_replies_(parts.establishing_ack, parts.peer_second_key),
      established_at_(parts.established_at),
      others_expire_(parts.others_expire),
      connect_deadline_(parts.connect_deadline),
      remote_(parts.remote),
      observed_self_(parts.observed_self),
      founding_intro_(parts.founding_intro),
      requested_key_(parts.requested_key),
      fallback_(parts.fallback),
      initiator_(parts.initiator),
      peer_intro_seen_(parts.peer_intro_seen),
      sending_key_proven_(parts.sending_key_proven) {
  set_peer_version(parts.peer_version);
}

std::expected<Session::Opened, trace::DropReason> Session::open_with_several(MutableBytes datagram,
                                                                             MutableBytes scratch) {
  const auto adopt_plaintext = [&](MutableBytes plaintext) {
    const MutableBytes inside = datagram.subspan(kEnvelopePrefix, plaintext.size());
    std::ranges::copy(plaintext, inside.begin());
    return inside;
  };
  if (const auto plaintext = inbound_.opener.open_copy(datagram, scratch)) {
    return Opened{.plaintext = adopt_plaintext(*plaintext), .proves_peer = inbound_.proves_peer};
  }
  for (std::size_t i = 0; i < others_.size(); ++i) {
    if (const auto plaintext = others_[i].opener.open_copy(datagram, scratch)) {
      return Opened{.plaintext = adopt_plaintext(*plaintext),
                    .proves_peer = others_[i].proves_peer,
                    .age = others_[i].age,
                    .other = i};
    }
  }
  return kNotAuthentic;
}

std::expected<Session::Opened, trace::DropReason> Session::open_extended(MutableBytes datagram, MutableBytes scratch) {
  const auto header = extended_->read_header(datagram.data() + 1);
  if (!header) return std::unexpected(header.error());
  PacketOpener& opener = extended_->opener(*header, inbound_.opener);
  MutableBytes inside = datagram.subspan(kEnvelopePrefix, datagram.size() - wire::kDatagramOverhead);
  if (scratch.empty()) {
    if (!opener.open_in_place(datagram)) return kNotAuthentic;
  } else {
    const auto plaintext = opener.open_copy(datagram, scratch);
    if (!plaintext) return kNotAuthentic;
    std::ranges::copy(*plaintext, inside.begin());
  }
  const bool newest = extended_->accept(*header, inbound_.opener);
  return Opened{.plaintext = inside, .proves_peer = true, .newest = newest};
}

void Session::release_key_schedule() {
  if (extended_) extended_->release_key_schedule();
  inbound_.opener.release_key_schedule();
  sealer_->release_key_schedule();
}

void Session::expire_others(Instant now) {
  if (!others_.empty() && now >= others_expire_) {
    others_.clear();
    others_.shrink_to_fit();
  }
}

AckReaction Session::on_success_ack(Instant now, const SuccessAckSeen& seen) {
  if (!observed_self_.is_specified()) observed_self_ = seen.ack.remote_address;
  const AckReplyFacts facts{.sending_key = sending_key_,
                            .established_at = established_at_,
                            .initiator = initiator_,
                            .peer_intro_seen = peer_intro_seen_,
                            .inbound_proves_peer = inbound_.proves_peer,
                            .peer_may_use_id_zero = peer_may_use_id_zero_};
  return ack_replies_.on_success_ack(now, facts, seen);
}

void Session::use_inbound_key(Instant now, const HandshakeContext& context, const Opened& opened) {
  GODWIT_ASSERT(opened.other < others_.size());
  std::swap(inbound_, others_[opened.other]);
  inbound_.age = InboundKeyAge::kCurrent;
  others_[opened.other].age = InboundKeyAge::kFormer;
  others_expire_ = now + context.config->former_key_lifetime;
  // A key that proves the peer leaves nothing to one that does not (wire spec W3).
  if (inbound_.proves_peer) std::erase_if(others_, [](const InboundKey& key) { return !key.proves_peer; });
}

// A peer that begins anew says so in an ack and is silent until it is answered under the key that the ack names. The
// key of its intro is not that key, so what is ordinary under our newer key belongs to the session there is: the peer
// had our intro all the time, and only its first packets under that key were lost.
void Session::on_ordinary_under_newer_key(Instant now, const HandshakeContext& context, const Opened& opened) {
  if (!peer_intro_seen_) return;
  use_inbound_key(now, context, opened);
  // The one in use before is of the same session.
  for (InboundKey& other : others_) {
    if (other.age == InboundKeyAge::kFormer) other.age = InboundKeyAge::kCurrent;
  }
}

void Session::adopt(Instant now, const HandshakeContext& context, const wire::AckOk& ack, const Opened& opened) {
  if (opened.age != InboundKeyAge::kCurrent) use_inbound_key(now, context, opened);
  // The same key value goes on under the same sealer: its nonces must not start again, nor its packet count.
  if (ack.key != sending_key_) {
    sending_key_ = ack.key;
    sealer_ = std::make_unique<PacketSealer>(make_sealer(context, ack.key));
  }
  sending_key_proven_ = opened.proves_peer;
  peer_intro_seen_ = false;
  established_at_ = now;
  observed_self_ = ack.remote_address;
  if (ack.version) set_peer_version(ack.version);
}

std::size_t Session::write_completion_ack(MutableBytes out) {
  const wire::AckOk ack{.key = inbound_.key, .remote_address = remote_, .version = std::nullopt};
  std::array<std::uint8_t, kMaxSuccessAck> plaintext;
  const std::size_t size = wire::encode(plaintext, wire::kHandshakePacketId, {}, ack);
  std::size_t written = 0;
  if (size != 0 && out.size() >= size + wire::kDatagramOverhead) {
    written = sealer_->seal_pieces(ByteView(plaintext).first(size), {}, {}, out);
  }
  wipe(plaintext);
  return written;
}

bool Session::knows_intro(const IntroFingerprint& intro) const {
  return founding_intro_ == intro;
}

bool Session::is_stale_intro(Instant now, const IntroSeen& intro) const {
  if (knows_intro(intro.fingerprint) || intro.intro.key == sending_key_) return true;
  return initiator_ && !peer_intro_seen_ && now - established_at_ < kLateIntro;
}

bool Session::on_ping_answered(bool opened_by_proving_key) {
  const bool before = peer_authenticated();
  // Only the holder of the sending key could read the ping's sequence, and only the peer could seal the answer.
  if (opened_by_proving_key) sending_key_proven_ = true;
  return !before && peer_authenticated();
}

void Session::set_peer_version(const std::optional<wire::VersionBytes>& version) {
  peer_version_ = version;
  peer_tracks_noops_ = wire::tracks_noops(version);
  peer_may_use_id_zero_ = wire::may_use_id_zero(version);
}

Nonce nonce_of(ByteView datagram) {
  GODWIT_ASSERT(datagram.size() >= wire::kDatagramOverhead);
  Nonce nonce;
  std::ranges::copy(datagram.subspan(1, kNonceSize), nonce.bytes.begin());
  return nonce;
}

}  // namespace godwit
