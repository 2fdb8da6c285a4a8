// The answering role of a handshake (wire spec 4.3): one success ack, repeated byte for byte on repeated intros and on
// a timer within the amplification limit (W9, conformance item 35), until any datagram authenticates under the key it
// handed out. Junk is ignored. An intro that offers an extended session gets message 2 behind the ack and is confirmed
// under the extended keys alone (docs/extended_sessions.md, section 3). Part of Handshake, whose contract it fulfils.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"
#include "handshake/extended_keys.h"
#include "handshake/handshake_step.h"
#include "handshake/intro_seen.h"
#include "handshake/session.h"
#include "handshake/success_ack.h"
#include "wire/limits.h"

namespace godwit {

// What is left of an acceptor whose peer this side begins to connect to as well: the peer may be established by the
// answer already, so that the connection attempt has to go on with it.
struct AnsweredOffer {
  IntroSeen seen;
  SuccessAck ack;
  FirstKeys keys;
};

class HandshakeAcceptor {
 public:
  [[nodiscard]] static std::expected<HandshakeAcceptor, trace::DropReason> start(Instant now,
                                                                                 const HandshakeContext& context,
                                                                                 const SocketAddress& remote,
                                                                                 const IntroSeen& intro);

  HandshakeStep receive(Instant now, MutableBytes datagram, MutableBytes scratch);
  HandshakeStep receive_intro(const IntroSeen& intro);
  [[nodiscard]] bool repeats_intro(ByteView datagram) const;
  HandshakeStep handle_timeout(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] std::size_t poll_transmit(MutableBytes out);
  [[nodiscard]] Session take_session();
  // The answer to an offer that was made with the key `peer`; nothing where there is none. Of no further use
  // afterwards.
  [[nodiscard]] std::optional<AnsweredOffer> take_answer(const PublicKey& peer);
  [[nodiscard]] bool established() const { return session_.has_value(); }
  [[nodiscard]] HandshakeFailure failure() const { return failure_; }
  [[nodiscard]] const std::string& failure_text() const { return failure_text_; }

 private:
  HandshakeAcceptor(Instant now, const HandshakeContext& context, const SocketAddress& remote, const IntroSeen& intro);
  void answer_legacy();
  void answer_extended(ExtendedRequest::Answer answer);
  [[nodiscard]] bool may_send_ack() const;
  HandshakeStep on_repeated_intro(std::size_t datagram_bytes);

  const HandshakeContext* context_;
  SocketAddress remote_;
  IntroSeen intro_;
  std::unique_ptr<InboundKey> inbound_;
  std::unique_ptr<PacketSealer> sealer_;
  std::unique_ptr<ExtendedKeys> extended_;
  FallbackReason fallback_ = FallbackReason::kNone;
  SuccessAck ack_;
  Instant deadline_;
  Instant next_repeat_;
  std::size_t bytes_received_ = 0;  // of the intro and its repeats
  std::size_t bytes_sent_ = 0;
  bool ack_due_ = true;
  std::optional<Session> session_;
  HandshakeFailure failure_ = HandshakeFailure::kNone;
  std::string failure_text_;
};

}  // namespace godwit
