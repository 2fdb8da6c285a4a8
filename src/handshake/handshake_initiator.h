// The initiator's role of a handshake: attempts of 3 s that repeat one intro (wire spec 4.4), the simultaneous open
// that an attempt turns into when the peer's intro arrives (4.5), two inbound keys an attempt (W3). Part of Handshake,
// whose contract it fulfils. The keys of the attempt before are kept, so that an answer which arrives late still
// counts. With an offer of an extended session in the intro (docs/extended_sessions.md, section 3) an answer to the
// offer, or a packet under the answer to the peer's, establishes the extended form, and a success ack without one the
// deployed form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/keypair.h"
#include "handshake/extended_handshake.h"
#include "handshake/extended_keys.h"
#include "handshake/handshake_step.h"
#include "handshake/intro_seen.h"
#include "handshake/key_probe.h"
#include "handshake/session.h"
#include "handshake/success_ack.h"
#include "wire/limits.h"
#include "wire/message.h"

namespace godwit {

struct AnsweredOffer;

// The peer's intro and what answers it: an attempt that has one is in RemoteInbound (wire spec 4.4).
struct RemoteInbound {
  IntroSeen seen;
  std::unique_ptr<PacketSealer> sealer;
  // K2 and the ack that hands it out; absent under require_authenticated_peer.
  std::unique_ptr<InboundKey> second;
  SuccessAck ack;
  bool peer_proven = false;                 // something has come under K1
  std::uint8_t rounds = 0;                  // in which nothing but an intro has gone out; stops at kRoundsBeforePings
  std::optional<KeyProbe> probe;            // the peer's sending key has to be proven too
  std::optional<KeyProbe::Acked> settling;  // a success ack under K2 has come: established at next_send_
  FallbackReason fallback = FallbackReason::kNotOffered;
  // The intro carries an offer that the requested peer has made. Of all else above, `seen` and `ack` are used then.
  bool extended = false;
  std::uint64_t timestamp = 0;     // of the offer
  FirstKeys answered;              // what the answer has settled, where this side has answered it
  std::uint8_t answers_alone = 0;  // rounds that go by without an intro
};

// One intro and what came of it.
struct ConnectAttempt {
  std::vector<std::uint8_t> intro;
  std::unique_ptr<InboundKey> first;     // K1
  std::unique_ptr<ExtendedOffer> offer;  // that the intro carries
  std::optional<RemoteInbound> remote;
  Instant deadline;
  std::size_t transmissions = 0;
  std::uint32_t number = 0;  // counts up
};

// What it sends and what establishes it:
//   attempt without the peer's intro:  intros            success ack under K1 ------------------------> established
//   with it (RemoteInbound):           success acks      ack under K1 with the intro's key -----------> established
//                                                        ack under K1 with another key -> key probe --> established
//                                                        ack under K2 -> 100 ms for one under K1 -----> established
//                                                        anything else under K1 or K2 ----------------> established
//   the same, authentication required: intros and pings  ack under K1 with the intro's key -----------> established
//                                                        anything else under K1 -> key probe ---------> established
class HandshakeInitiator {
 public:
  [[nodiscard]] static Result<HandshakeInitiator> start(Instant now, const HandshakeContext& context,
                                                        const SocketAddress& remote, const PublicKey& peer,
                                                        Instant deadline);

  // This side has answered an offer of the peer before it dialled. The answer goes out in place of an intro, as the
  // peer may be established by it; the intro follows when nobody has confirmed it, since the offer may be a replay.
  void go_on_with(AnsweredOffer answered);
  HandshakeStep receive(Instant now, MutableBytes datagram, MutableBytes scratch);
  HandshakeStep receive_intro(Instant now, const IntroSeen& intro);
  [[nodiscard]] bool repeats_intro(ByteView datagram) const;
  HandshakeStep handle_timeout(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] std::size_t poll_transmit(MutableBytes out);
  [[nodiscard]] Session take_session();
  [[nodiscard]] bool established() const { return session_.has_value(); }
  // A whole attempt, of 3 s, has had no answer.
  [[nodiscard]] bool has_waited() const { return attempt_.number > 1; }
  [[nodiscard]] HandshakeFailure failure() const { return failure_; }
  [[nodiscard]] const std::string& failure_text() const { return failure_text_; }

 private:
  // Whether receive() of this datagram would run X25519.
  [[nodiscard]] bool would_decrypt(ByteView datagram) const;
  HandshakeInitiator(const HandshakeContext& context, const SocketAddress& remote, const PublicKey& peer,
                     Instant deadline);
  // False when the intro cannot be sealed to the peer's key.
  [[nodiscard]] bool begin_attempt(Instant now);
  HandshakeStep receive_symmetric(Instant now, MutableBytes datagram, MutableBytes scratch);
  // --- The extended form (handshake_initiator_extended.cc) ---
  // The offer of the intro, if the requested peer has made it.
  [[nodiscard]] std::optional<ExtendedRequest> request_of_peer(const IntroSeen& intro) const;
  HandshakeStep receive_offer(Instant now, ExtendedRequest request);
  // A packet under the keys of an answer of `attempt`; nothing when it is none.
  [[nodiscard]] std::optional<HandshakeStep> receive_extended(Instant now, ConnectAttempt& attempt,
                                                              MutableBytes datagram, MutableBytes scratch);
  // A success ack under K1 of an attempt that carries an offer. Nothing when the peer has the deployed form alone.
  [[nodiscard]] std::optional<HandshakeStep> on_answer(Instant now, ConnectAttempt& attempt, const wire::AckOk& ack,
                                                       ByteView trailing);
  [[nodiscard]] Session::Parts begin_extended_session(Instant now, const ConnectAttempt& attempt,
                                                      FirstKeys first) const;
  void resume_former_attempt();
  // A round of the attempt's transmissions is due.
  void queue_transmission();
  void clear_transmissions();
  // K1 (`by_first`) or K2 of `attempt` has opened the datagram; `plaintext` lies in the caller's scratch memory.
  HandshakeStep on_opened(Instant now, ConnectAttempt& attempt, bool by_first, MutableBytes datagram,
                          ByteView plaintext);
  // The peer has proved itself in a simultaneous open. Nothing when its packet establishes the session at once.
  [[nodiscard]] std::optional<HandshakeStep> on_proven_packet(Instant now, ConnectAttempt& attempt,
                                                              MutableBytes datagram, ByteView plaintext,
                                                              const wire::Message* message);
  KeyProbe& begin_probe(Instant now, ConnectAttempt& attempt);

  // The key of the peer's intro, or of its ack, becomes the sending key.
  void establish_with_intro_key(Instant now, ConnectAttempt& attempt, bool by_first, bool proven,
                                const KeyProbe::Acked* acked);
  void establish_with_acked_key(Instant now, ConnectAttempt& attempt, KeyProbe::Acked acked);
  [[nodiscard]] Session::Parts begin_session(Instant now, ConnectAttempt& attempt, bool by_first);
  // What a session of either form says of the attempt that began it.
  [[nodiscard]] Session::Parts parts_of_attempt(Instant now) const;
  void finish_session(Session::Parts parts);
  // An ack's content is used up; everything else is handed over inside the datagram.
  [[nodiscard]] static HandshakeStep established_step(bool by_ack, MutableBytes datagram, ByteView plaintext);
  [[nodiscard]] KeyProbe::Acked acked_from(const wire::AckOk& ack, ByteView datagram) const;
  HandshakeStep fail(HandshakeFailure failure, std::string text);
  HandshakeStep fail_with_error_ack(std::string_view text);

  const HandshakeContext* context_;
  SocketAddress remote_;
  PublicKey peer_;
  Instant deadline_;
  ConnectAttempt attempt_;
  std::optional<ConnectAttempt> former_;
  Instant next_send_;
  bool intro_due_ = false;
  bool ack_due_ = false;
  bool completion_due_ = false;
  bool intro_seen_ = false;  // in any attempt
  std::optional<Session> session_;
  HandshakeFailure failure_ = HandshakeFailure::kNone;
  std::string failure_text_;
};

}  // namespace godwit
