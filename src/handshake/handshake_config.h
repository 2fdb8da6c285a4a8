// Settings of handshakes, each with its default, stated once; transport/config.h embeds them. What the deployed peer
// does stands in wire/limits.h, and the defaults follow it where both ends must agree.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "handshake/session_form.h"
#include "wire/extension.h"
#include "wire/flow_windows.h"
#include "wire/limits.h"
#include "wire/version.h"

namespace godwit {

struct HandshakeConfig {
  // Announced in intros and success acks (wire spec 3.4: at least 0.2.142, minimum at most 0.2.122).
  wire::VersionBytes version = wire::kAnnouncedVersion;

  // The peer of connect() must prove the public key that was asked for, or there is no connection (wire spec W3): a
  // simultaneous open then hands out no second key. Initiators that connect to this side never prove an identity,
  // whatever this says. Without it an attacker on the path receives what was queued before the connection was there.
  bool require_authenticated_peer = true;

  // --- Extended sessions (docs/extended_sessions.md) ---
  ExtendedPolicy extended = ExtendedPolicy::kOff;
  // What this side offers; a bit that the peer does not offer too is not used.
  std::uint64_t capabilities = wire::kOwnCapabilities;
  // Bytes of inbound streams that the peer may send ahead of the application, where both sides have flow control. Twice
  // the window of a path of 1 Gbit/s and 130 ms; below what may wait out of order (ReassemblyLimits).
  FlowWindows flow{.stream = std::uint64_t{32} << 20, .connection = std::uint64_t{48} << 20};
  // Bytes of the largest datagram of an extended session, 1200 to wire::kMaxLargeDatagram: what this side takes, and
  // sends where the peer takes it and the path carries it. 1200: larger ones are neither offered nor looked for.
  std::uint16_t largest_datagram = wire::kMaxLargeDatagram;
  // Added to `now` for the timestamp of an offer: the time of day, so that timestamps do not fall when a machine starts
  // anew.
  Duration clock_offset = Duration::zero();
  // Peers whose agreement with this side's static key is kept, which spares one X25519 operation of five when they
  // come back or are connected to again; 0: none. About 72 bytes each once there is one.
  std::size_t kept_agreements = 256;
  // Peers whose latest cookie is kept, to be shown when they are connected to again; 56 bytes each.
  std::size_t kept_cookies = 128;

  // --- Both forms ---
  // Ephemeral key pairs that wait at most, made when Endpoint::prepare_handshakes() is called. About 1 KiB each.
  std::size_t prepared_keys = 64;

  // --- Initiator (wire spec 4.4) ---
  // Gives up after this long. An acceptor whose ack was lost ignores intros for 5 s after the one it took, so that this
  // must reach well beyond 5 s.
  Duration connect_timeout = 15s;
  // One attempt repeats one intro for this long; the next one has a fresh ephemeral key and follows at once.
  Duration attempt_duration = wire::kAttemptDeadline;
  Duration attempt_interval = wire::kAttemptInterval;
  std::size_t attempt_transmissions = wire::kAttemptTransmissions;
  // How long a success ack under the second key waits for one under the first. Where the ack that taught the peer K2
  // has overtaken the intro, a deployed peer is reset by the late intro and answers once more, under K1; any other
  // packet of ours would end that handshake (wire spec 4.3, appendix C, O6).
  Duration second_key_settling = 100ms;

  // --- Acceptor (wire spec 4.3) ---
  // A handshake that is not confirmed by then is forgotten. A deployed initiator whose one completion ack was lost
  // pings 5 s after it was established: there must be time for that ping to arrive.
  Duration confirmation_wait = wire::kConfirmationWait + 1s;
  // The ack is repeated on this timer and on repeated intros.
  Duration ack_repeat_interval = 500ms;
  // Bytes sent to an unconfirmed address are at most this many times the bytes of its intros.
  std::size_t amplification_limit = 3;

  // --- Session ---
  // Other inbound keys of a session that were handed out stay valid for this long (wire spec 5.8).
  Duration former_key_lifetime = 10s;
};

}  // namespace godwit
