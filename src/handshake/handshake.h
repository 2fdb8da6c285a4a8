// One handshake with one address, in either role, until it is a Session, has failed, or is dropped (wire spec 4.3
// to 4.6 and remedies W3, W4, W9, W15, W17). Stands between Endpoint, which has routed the datagram and asked Admission
// before any asymmetric decryption, and Connection, which is built from take_session(). Owned by a Connection, or by a
// route as a pending handshake beside an established session. An initiator retries with fresh keys until
// connect_timeout. Drive: after every input drain poll_transmit() (one datagram a call, 0 = nothing); call
// handle_timeout() when next_timeout() has come; a datagram that could not be sent counts as lost.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/keypair.h"
#include "handshake/handshake_acceptor.h"
#include "handshake/handshake_initiator.h"
#include "handshake/handshake_step.h"
#include "handshake/intro_seen.h"
#include "handshake/session.h"
#include "trace/events.h"

namespace godwit {

class Handshake {
 public:
  // Connects to `remote`, whose static key is `peer`. `deadline`: absent means now + connect_timeout. kInvalidArgument
  // for a peer's key of low order (wire spec W17).
  [[nodiscard]] static Result<Handshake> initiate(Instant now, const HandshakeContext& context,
                                                  const SocketAddress& remote, const PublicKey& peer,
                                                  std::optional<Instant> deadline = std::nullopt);

  // Answers an intro. kIncompatibleVersion: the caller may send write_error_ack().
  [[nodiscard]] static std::expected<Handshake, trace::DropReason> accept(Instant now, const HandshakeContext& context,
                                                                          const SocketAddress& remote,
                                                                          const IntroSeen& intro);

  // Of an acceptor: HandshakeAcceptor::take_answer(). Of an initiator that has just begun: go_on_with().
  [[nodiscard]] std::optional<AnsweredOffer> take_answer(const PublicKey& peer);
  void go_on_with(AnsweredOffer answered);

  // Any bytes at all. `scratch` has at least wire::kMaxReceivedDatagram bytes; the datagram is left intact for other
  // keys unless the step is kEstablished.
  HandshakeStep receive(Instant now, MutableBytes datagram, MutableBytes scratch);
  // The same for an intro that the caller has opened already.
  HandshakeStep receive_intro(Instant now, const IntroSeen& intro);
  // Whether the datagram repeats the intro that this handshake answers (never costs a decryption).
  [[nodiscard]] bool repeats_intro(ByteView datagram) const;

  // May fail the handshake, and may establish it (confirmed_by_ack, without a plaintext).
  HandshakeStep handle_timeout(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // Writes one datagram of at most wire::kMaxDatagram bytes to `out` and returns its size; 0 when there is none. A
  // datagram that is due before the session is taken has to be polled before take_session().
  [[nodiscard]] std::size_t poll_transmit(Instant now, MutableBytes out);

  // Requires established(); the handshake may only be destroyed afterwards.
  [[nodiscard]] Session take_session();
  [[nodiscard]] bool established() const;
  [[nodiscard]] bool has_waited() const {
    const auto* const role = std::get_if<HandshakeInitiator>(&role_);
    return role != nullptr && role->has_waited();
  }
  [[nodiscard]] bool initiator() const { return std::holds_alternative<HandshakeInitiator>(role_); }
  [[nodiscard]] HandshakeFailure failure() const;
  // One line for a person. For kRefused and kVersionMismatch it ends with the peer's words, made printable.
  [[nodiscard]] const std::string& failure_text() const;

 private:
  explicit Handshake(HandshakeInitiator role) : role_(std::move(role)) {}
  explicit Handshake(HandshakeAcceptor role) : role_(std::move(role)) {}

  std::variant<HandshakeInitiator, HandshakeAcceptor> role_;
};

// The one error ack that an intro may get that leads to no connection (wire spec 3.5), sealed with the intro's key. 0
// when `out` is too small.
[[nodiscard]] std::size_t write_error_ack(const HandshakeContext& context, const wire::Intro& intro,
                                          std::string_view text, MutableBytes out);
// What an incompatible intro is told; 127 bytes in an error ack for a 0.2.1xx version.
[[nodiscard]] std::string version_mismatch_text(const HandshakeContext& context);

}  // namespace godwit
