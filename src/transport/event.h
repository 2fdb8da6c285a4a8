// What an endpoint tells its application: values polled after every input. Byte views point into the datagrams given to
// receive(), or into memory of the streams, and stay valid until all events have been polled (poll_event() has returned
// null), even where further input arrives or a connection ends in between. A driver that passes in several batches
// before it polls keeps all of them until then. What must live longer is owned.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/path_problem.h"
#include "base/time.h"
#include "crypto/keypair.h"
#include "handshake/session_form.h"
#include "stream/send_queue.h"
#include "wire/version.h"

namespace godwit {

// Slot in the low, generation in the high half; never 0, never reused while the process lives.
using ConnectionId = std::uint64_t;

enum class CloseReason : std::uint8_t {
  kLocal,              // close() was called
  kRemote,             // the peer sent an error acknowledgement (wire spec 5.8)
  kIdleTimeout,        // nothing authentic for the idle time-out (wire spec 7)
  kReplaced,           // the peer restarted or reconnected: a new session took the route (wire spec 4.6)
  kHandshakeFailed,    // never established
  kKeyExhausted,       // the packet limit of a key is reached (decisions 3)
  kUnauthenticated,    // the peer could not prove the expected key and the policy demands it
  kMemory,             // the endpoint needed the memory that the peer's unfinished streams held
  kProtocolViolation,  // the peer acknowledged a packet that was never sent (wire spec W20)
  kEvicted,            // the connection table is full, and others with fewer connections wanted a place
  kReset,              // the peer has lost the session: its process has restarted (docs/extended_sessions.md, 8.1)
  kCount
};
[[nodiscard]] std::string_view close_reason_name(CloseReason reason);

// What a handshake has told of the peer. Apart from the event, which is rare and would make all others as large.
struct PeerDetails {
  std::optional<wire::VersionBytes> version;  // absent where only a legacy acknowledgement was seen
  SocketAddress observed_self;                // this side's address as the peer sees it
  // The public key that the peer has proved, on either side of an extended session; else that of an authenticated peer
  // that this side has connected to.
  std::optional<PublicKey> key;
};

// The handshake has finished; messages flow.
struct Connected {
  SocketAddress remote;
  bool initiator = false;
  bool peer_authenticated = false;  // the peer proved the public key that was asked for (W3)
  SessionForm form = SessionForm::kLegacy;
  FallbackReason fallback = FallbackReason::kNone;  // why the form is not the extended one
  std::shared_ptr<const PeerDetails> peer;          // never null in an event of an endpoint
};

// The last event of a connection, established or not.
struct Closed {
  CloseReason reason = CloseReason::kLocal;
  std::string text;        // one line for a person; the peer's own words where it gave some
  std::uint64_t code = 0;  // the application's of the side that closed, in an extended session; 0 where it gave none
  // Of a connection that got no answer: what the kernel or ICMP last said about its datagrams. `text` names it too.
  PathProblem problem = PathProblem::kNone;
};

// A short message, whole (at most 1147 bytes).
struct MessageReceived {
  ByteView payload;
};

// The next bytes of an inbound stream, in order (delivery mode kChunks). None at the end of a stream of unknown length
// whose last bytes have been delivered.
struct StreamChunk {
  std::uint32_t stream_id = 0;
  std::uint64_t offset = 0;  // of `bytes` in the stream
  std::uint64_t total = 0;   // length of the whole stream; 0 while it is not known
  ByteView bytes;
  [[nodiscard]] bool finished() const { return offset + bytes.size() == total; }
};

// Several chunks of a stream that came together, where RecvStreamsConfig::runs asks for it: pieces of equal size, which
// lie in their datagrams at equal distances.
struct StreamChunks {
  std::uint32_t stream_id = 0;
  std::uint32_t count = 0;
  std::uint64_t offset = 0;  // of the first
  std::uint64_t total = 0;   // as in a chunk
  ByteView first;
  std::size_t stride = 0;  // bytes from one piece to the next
  // Requires index < count.
  [[nodiscard]] StreamChunk chunk(std::size_t index) const {
    return {.stream_id = stream_id,
            .offset = offset + index * first.size(),
            .total = total,
            .bytes = {first.data() + index * stride, first.size()}};
  }
};

// A whole inbound stream (delivery mode kWhole).
struct StreamMessage {
  std::uint32_t stream_id = 0;
  bool operations = false;  // bit 31 of the id: belongs to the operations layer (wire spec 6.2)
  std::vector<std::uint8_t> payload;
};

// Metadata embedded in fragment 1 of an operations stream, surfaced once (wire spec 6.5).
struct MetadataReceived {
  std::uint32_t stream_id = 0;
  std::vector<std::uint8_t> metadata;
};

// An inbound stream ended half received: evicted, refused after it had begun, or cut off by the end of the session.
struct StreamAborted {
  std::uint32_t stream_id = 0;
  std::uint64_t received = 0;
  std::uint64_t total = 0;
  std::uint64_t code = 0;  // the sender's, where it has given the stream up in an extended session
};

// Every packet of an outgoing message was acknowledged; its borrowed bytes are no longer read.
struct MessageConfirmed {
  MessageId message = 0;
};

// An outgoing message was given up; its borrowed bytes are no longer read.
struct MessageFailed {
  MessageId message = 0;
  bool may_have_arrived = false;  // at least one packet of it was sent
  std::string why;
  std::uint64_t code = 0;  // the receiver's, where it wants no more of a stream
};

// A send that would have blocked can be tried again.
struct Writable {};

// A peer of connect() that was connected unauthenticated has proved its key since (W3).
struct PeerAuthenticated {};

// The sending key has protected its soft limit of packets (decisions 3): no new stream starts on it. An initiator
// connects again when its streams have ended; from a fresh local port if the peer is a deployed one, which reuses its
// keys.
struct KeyAging {
  std::uint64_t packets_sealed = 0;
};

// A Pong arrived, to Endpoint::ping() or to a keep-alive: a round trip free of acknowledgement delay.
struct PingAnswered {
  std::uint64_t sequence = 0;
  Duration round_trip{};
};

// A ping and all packets have been unanswered for longer than the suspicion time (W26), or for a few round trips while
// packets wait for their acknowledgement; the connection stays open. Endpoint::liveness() says when that is over.
struct Suspect {
  Duration silent_for{};
};

// The peer of an extended session has another address, and has answered from it.
struct PeerMoved {
  SocketAddress remote;
};

using Event = std::variant<Connected, Closed, MessageReceived, StreamChunk, StreamMessage, MetadataReceived,
                           StreamAborted, MessageConfirmed, MessageFailed, Writable, PeerAuthenticated, KeyAging,
                           PingAnswered, Suspect, PeerMoved, StreamChunks>;

struct EndpointEvent {
  // Built in place: a chunk of a stream is an event a packet.
  template <typename T>
  EndpointEvent(ConnectionId owner, T&& happened) : connection(owner), event(std::forward<T>(happened)) {}

  ConnectionId connection = 0;
  Event event;
};

}  // namespace godwit
