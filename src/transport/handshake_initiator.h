// The dialling role of a handshake: attempts of 3 s that repeat one intro (wire spec 4.4), the simultaneous open that an
// attempt turns into when the peer's intro arrives (4.5), two inbound keys an attempt (W3). Part of Handshake, whose
// contract it fulfils. The keys of the attempt before are kept, so that an answer which arrives late still counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/keypair.h"
#include "transport/handshake_step.h"
#include "transport/intro_seen.h"
#include "transport/session.h"
#include "transport/success_ack.h"
#include "wire/limits.h"
#include "wire/message.h"

namespace godwit {

class HandshakeInitiator {
 public:
  [[nodiscard]] static Result<HandshakeInitiator> start(Instant now, const HandshakeContext& context, const SocketAddress& remote,
                                                        const PublicKey& peer, Instant deadline);

  HandshakeStep receive(Instant now, MutableBytes datagram, MutableBytes scratch);
  HandshakeStep receive_intro(Instant now, const IntroSeen& intro);
  [[nodiscard]] bool would_decrypt(ByteView datagram) const;
  [[nodiscard]] bool repeats_intro(ByteView datagram) const;
  HandshakeStep handle_timeout(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] std::size_t poll_transmit(MutableBytes out);
  [[nodiscard]] Session take_session();
  [[nodiscard]] bool established() const { return session_.has_value(); }
  [[nodiscard]] HandshakeFailure failure() const { return failure_; }
  [[nodiscard]] const std::string& failure_text() const { return failure_text_; }

 private:
  // The peer's intro and what answers it: an attempt that has one is in RemoteInbound (wire spec 4.4).
  struct RemoteInbound {
    IntroSeen seen;
    std::unique_ptr<PacketSealer> sealer;
    std::unique_ptr<InboundKey> second;  // K2
    SuccessAck ack;
  };
  struct Attempt {
    std::array<std::uint8_t, wire::kIntroDatagram> intro{};
    std::unique_ptr<InboundKey> first;  // K1
    std::optional<RemoteInbound> remote;
    Instant deadline;
    std::size_t transmissions = 0;
  };

  HandshakeInitiator(const HandshakeContext& context, const SocketAddress& remote, const PublicKey& peer, Instant deadline);
  // False when the intro cannot be sealed to the peer's key.
  [[nodiscard]] bool begin_attempt(Instant now);
  HandshakeStep receive_symmetric(Instant now, MutableBytes datagram, MutableBytes scratch);
  // `key` of `attempt` has opened the datagram into `plaintext`, which lies in the caller's scratch memory.
  HandshakeStep on_opened(Instant now, Attempt& attempt, std::unique_ptr<InboundKey>& key, MutableBytes datagram,
                          ByteView plaintext);
  void establish(Instant now, Attempt& attempt, std::unique_ptr<InboundKey>& key, ByteView datagram, const wire::AckOk* ack);
  HandshakeStep fail(HandshakeFailure failure, std::string text);
  HandshakeStep fail_with_error_ack(std::string_view text);

  const HandshakeContext* context_;
  SocketAddress remote_;
  PublicKey peer_;
  Instant deadline_;
  Attempt attempt_;
  std::optional<Attempt> former_;
  Instant next_send_;
  bool intro_due_ = false;
  bool ack_due_ = false;
  bool completion_due_ = false;
  bool second_key_refused_ = false;  // under require_authenticated_peer
  std::optional<Session> session_;
  HandshakeFailure failure_ = HandshakeFailure::kNone;
  std::string failure_text_;
};

}  // namespace godwit
