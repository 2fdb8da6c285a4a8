// What a finished handshake leaves behind, and all that an established connection knows about its keys: the sealer, the
// inbound keys, who the peer is and what its version demands. Connection is built from one and owns it; Endpoint asks
// it whether an intro is news. Where only one inbound key is live (always, after the first seconds) opening is in
// place.
//
// Two inbound keys (wire spec W3): K1 travels in intros, sealed to the peer's static key, K2 in the success acks of a
// simultaneous open, sealed to whoever sent an intro. Only K1 proves the peer. An ack of ours never names a
// key that its reader has not already used: K1 under an unproven key would hand the proof to an impostor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "handshake/ack_reply_policy.h"
#include "handshake/extended_keys.h"
#include "handshake/handshake_step.h"
#include "handshake/intro_seen.h"
#include "handshake/reset_tokens.h"
#include "handshake/success_ack.h"
#include "trace/events.h"
#include "wire/message.h"
#include "wire/version.h"

namespace godwit {

struct InboundKey {
  SymmetricKey key;
  PacketOpener opener;
  bool proves_peer = false;  // K1: only the holder of the peer's static secret can have learnt it
  InboundKeyAge age = InboundKeyAge::kCurrent;
};

// Opens what may be the first packet of a session, leaving the datagram intact. `extended`: null for the deployed form.
[[nodiscard]] std::optional<MutableBytes> open_first(InboundKey& inbound, ExtendedKeys* extended, ByteView datagram,
                                                     MutableBytes scratch);
// What a session of the extended form begins with, from the secrets that its handshake has settled.
struct FirstKeys {
  std::unique_ptr<ExtendedKeys> extended;
  std::unique_ptr<PacketSealer> sealer;
  std::unique_ptr<InboundKey> inbound;
};
[[nodiscard]] FirstKeys make_first_keys(const HandshakeContext& context, const ExtendedSecrets& secrets);
// A fresh random key (wire spec W15) and its opener.
[[nodiscard]] InboundKey make_inbound_key(const HandshakeContext& context, bool proves_peer);
// The success ack with the answer to an offer behind it (docs/extended_sessions.md, section 3). The key that it names
// is never used: an initiator that has made a valid offer speaks the extended form, and nobody else knows the key. The
// intro's key has served its purpose with this one packet.
[[nodiscard]] SuccessAck seal_extended_ack(const HandshakeContext& context, const wire::Intro& intro,
                                           const SocketAddress& remote, ByteView answer);
// A sealer that counts on from earlier sessions under the same key value (decisions 3).
[[nodiscard]] PacketSealer make_sealer(const HandshakeContext& context, const SymmetricKey& key);

class Session {
 public:
  struct Parts {
    Instant established_at;
    bool initiator = false;
    bool peer_intro_seen = false;  // its intro named the sending key; otherwise a success ack of an acceptor did
    SocketAddress remote;
    SocketAddress observed_self;  // unspecified until an ack has told
    SymmetricKey sending_key;
    bool sending_key_proven = false;  // named by an ack under a key that proves the peer
    std::unique_ptr<PacketSealer> sealer;
    std::unique_ptr<InboundKey> inbound;
    std::vector<InboundKey> others;  // handed out beside it, accepted until others_expire
    Instant others_expire;
    std::optional<wire::VersionBytes> peer_version;
    std::optional<Nonce> establishing_ack;           // nonce of the success ack that established it
    std::optional<SymmetricKey> peer_second_key;     // that a simultaneous opener's ack has named beside sending_key
    std::optional<IntroFingerprint> founding_intro;  // of the peer
    std::optional<PublicKey> requested_key;          // of an initiator: the key it asked for
    Instant connect_deadline = Instant::min();       // of an initiator: connect_timeout after its beginning
    std::unique_ptr<ExtendedKeys> extended;          // of the extended form; sealer and inbound key are its first
    FallbackReason fallback = FallbackReason::kNone;
  };
  explicit Session(Parts parts);

  // --- Inbound ---
  struct Opened {
    MutableBytes plaintext;  // inside the datagram
    bool proves_peer = false;
    InboundKeyAge age = InboundKeyAge::kCurrent;
    std::size_t other = 0;  // index of a key that is not the current one, for adopt()
    bool newest = false;    // of the extended form: no packet with a higher number has been opened
  };
  // `datagram` is symmetric by wire::classify(). On failure its bytes are destroyed unless several_keys(); `scratch`
  // (at least wire::kMaxReceivedPlaintext bytes) is used only then.
  [[nodiscard]] std::expected<Opened, trace::DropReason> open(MutableBytes datagram, MutableBytes scratch) {
    if (extended_) return open_extended(datagram, {});
    if (others_.empty()) [[likely]] {
      const std::optional<MutableBytes> plaintext = inbound_.opener.open_in_place(datagram);
      if (!plaintext) return std::unexpected(trace::DropReason::kAuthenticationFailed);
      return Opened{.plaintext = *plaintext, .proves_peer = inbound_.proves_peer};
    }
    return open_with_several(datagram, scratch);
  }
  // Opens the first packets of a batch together, and returns how many: as many as are to be opened with the current
  // inbound key. 0: the first one is for open(). Requires !several_keys(); processing the packets does not change that.
  // PacketOpener::to_open() makes the packets.
  [[nodiscard]] std::size_t open_batch(std::span<PacketToOpen> packets) {
    if (extended_) packets = packets.first(extended_->leading_current(packets));
    inbound_.opener.open_batch(packets);
    return packets.size();
  }
  // An authentic one of them, in their order. kDuplicate: a copy of it stood before it in the same batch.
  [[nodiscard]] std::expected<Opened, trace::DropReason> opened(const PacketToOpen& packet) {
    Opened opened{.plaintext = MutableBytes(packet.out, packet.size), .proves_peer = inbound_.proves_peer};
    if (extended_) {
      const auto header = extended_->read_header(packet.nonce);
      if (!header) return std::unexpected(header.error());
      opened.newest = extended_->accept(*header, inbound_.opener);
    }
    return opened;
  }
  // The same of the first of `packets`, all of which are authentic, that came in order: how many. Each of them is the
  // newest when it comes. 0: each is for opened().
  [[nodiscard]] std::size_t opened_run(std::span<const PacketToOpen> packets) {
    return extended_ ? extended_->accept_run(packets) : packets.size();
  }
  // The same, leaving the datagram intact on failure: while a pending handshake may own the datagram.
  [[nodiscard]] std::expected<Opened, trace::DropReason> open_keeping(MutableBytes datagram, MutableBytes scratch) {
    return extended_ ? open_extended(datagram, scratch) : open_with_several(datagram, scratch);
  }
  // Whether each datagram is opened by itself, under one of several keys that it may have.
  [[nodiscard]] bool several_keys() const { return !others_.empty(); }
  // Forgets the other inbound keys once their time has passed. Cheap; call it on a timer of the connection.
  void expire_others(Instant now);

  // --- The extended form (docs/extended_sessions.md) ---
  // Null in a session of the deployed form.
  [[nodiscard]] const ExtendedKeys* extended() const { return extended_.get(); }
  [[nodiscard]] SessionForm form() const { return extended_ ? SessionForm::kExtended : SessionForm::kLegacy; }
  [[nodiscard]] FallbackReason fallback() const { return fallback_; }
  // Both require the extended form: the packet number of a datagram that was opened, and of the next one to be sealed.
  [[nodiscard]] std::uint64_t number_of(ByteView datagram) const { return extended_->number_of(datagram.data() + 1); }
  [[nodiscard]] std::uint64_t next_number() const { return extended_->next_number(*sealer_); }
  // Goes over to the next sending key when it is time. Call it before a batch is written.
  void update_keys() {
    if (!extended_) return;
    if (auto sealer = extended_->update(*sealer_)) sealer_ = std::move(sealer);
  }
  // Both sides have it; never in the deployed form.
  [[nodiscard]] bool has(std::uint64_t capability) const { return extended_ && extended_->has(capability); }
  // Says that the peer, restarted, does not know the session any more.
  [[nodiscard]] bool is_ended_by(ByteView datagram) const {
    return has(wire::capability::kReset) && is_reset(datagram, extended_->theirs().reset_token);
  }
  // No new stream should be sent under the sending key, and no later one will come.
  [[nodiscard]] bool key_is_aging() const {
    return sealer_->soft_limit_reached() && !has(wire::capability::kKeyUpdate);
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const {
    return extended_ ? extended_->next_timeout() : std::nullopt;
  }
  // After inputs: `grace` is how long delayed packets under the former key are awaited.
  void on_time(Instant now, Duration grace) {
    if (extended_) extended_->on_time(now, grace);
  }

  // A packet that is no handshake ack has been opened by an inbound key of age kNewer.
  void on_ordinary_under_newer_key(Instant now, const HandshakeContext& context, const Opened& opened);

  // Frees the expanded keys of an idle session; the next packet of either direction expands them again.
  void release_key_schedule();

  // --- Outbound ---
  [[nodiscard]] PacketSealer& sealer() { return *sealer_; }
  [[nodiscard]] const PacketSealer& sealer() const { return *sealer_; }
  [[nodiscard]] const SymmetricKey& sending_key() const { return sending_key_; }

  // --- Success acks on the established session (wire spec 5.8, 5.9) ---
  [[nodiscard]] AckReaction on_success_ack(Instant now, const SuccessAckSeen& seen);
  // Follows the peer into the session that `ack` announces (AckReaction::new_session): its key from now on, the inbound
  // key it was opened with, proof to be given anew. The connection then starts a new receive epoch, fails its open
  // streams, keeps counting its packet ids, sends write_completion_ack() and pings.
  void adopt(Instant now, const HandshakeContext& context, const wire::AckOk& ack, const Opened& opened);
  // The legacy ack in answer to a success ack, id 0 (wire spec 4.3), sealed with the sending key. Returns its size, 0
  // when `out` is too small or the key is used up.
  [[nodiscard]] std::size_t write_completion_ack(MutableBytes out);

  // An intro that says nothing new: the founding intro again, one that names the key in use, or a late one of the
  // attempt that has just succeeded. The endpoint drops it (conformance item 39).
  [[nodiscard]] bool knows_intro(const IntroFingerprint& intro) const;
  [[nodiscard]] bool is_stale_intro(Instant now, const IntroSeen& intro) const;

  // --- Identity ---
  // The peer opened what we sealed to its static key, and the key we send with is its own, not an eavesdropper's (W3).
  [[nodiscard]] bool peer_authenticated() const { return inbound_.proves_peer && sending_key_proven_; }
  // A Pong has matched: the packet that carried it was `opened` so. Returns true when this authenticates the peer.
  bool on_ping_answered(bool opened_by_proving_key);
  [[nodiscard]] bool initiator() const { return initiator_; }
  // The public key that the peer has proved; nothing while it has proved none.
  [[nodiscard]] std::optional<PublicKey> peer_key() const {
    if (extended_) return extended_->peer();
    return peer_authenticated() ? requested_key_ : std::nullopt;
  }
  // The public key this side asked for; nothing on the accepting side.
  [[nodiscard]] const std::optional<PublicKey>& requested_key() const { return requested_key_; }
  // Until then an initiator whose peer turns out not to be established starts over (wire spec W9).
  [[nodiscard]] Instant connect_deadline() const { return connect_deadline_; }
  [[nodiscard]] const SocketAddress& remote() const { return remote_; }
  [[nodiscard]] const SocketAddress& observed_self() const { return observed_self_; }
  [[nodiscard]] Instant established_at() const { return established_at_; }
  [[nodiscard]] const std::optional<wire::VersionBytes>& peer_version() const { return peer_version_; }
  // wire spec 3.6: the two flags of the reliability layer.
  [[nodiscard]] bool peer_tracks_noops() const { return peer_tracks_noops_; }
  [[nodiscard]] bool peer_may_use_id_zero() const { return peer_may_use_id_zero_; }

 private:
  [[nodiscard]] std::expected<Opened, trace::DropReason> open_with_several(MutableBytes datagram, MutableBytes scratch);
  // In place when there is no scratch memory.
  [[nodiscard]] std::expected<Opened, trace::DropReason> open_extended(MutableBytes datagram, MutableBytes scratch);
  void use_inbound_key(Instant now, const HandshakeContext& context, const Opened& opened);
  void set_peer_version(const std::optional<wire::VersionBytes>& version);

  InboundKey inbound_;
  std::vector<InboundKey> others_;
  std::unique_ptr<PacketSealer> sealer_;
  std::unique_ptr<ExtendedKeys> extended_;
  SymmetricKey sending_key_;
  AckReplyPolicy ack_replies_;
  Instant established_at_;
  Instant others_expire_;
  Instant connect_deadline_;
  SocketAddress remote_;
  SocketAddress observed_self_;
  // Bytes together, without padding between them: an idle connection is to be small.
  std::optional<wire::VersionBytes> peer_version_;
  std::optional<IntroFingerprint> founding_intro_;
  std::optional<PublicKey> requested_key_;
  FallbackReason fallback_ = FallbackReason::kNone;
  bool initiator_ = false;
  bool peer_intro_seen_ = false;
  bool sending_key_proven_ = false;
  bool peer_tracks_noops_ = true;
  bool peer_may_use_id_zero_ = true;
};

// The nonce of a symmetric datagram of at least wire::kDatagramOverhead bytes; opening it in place leaves it intact.
[[nodiscard]] Nonce nonce_of(ByteView datagram);

}  // namespace godwit
