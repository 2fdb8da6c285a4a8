// The vocabulary of Godwit's public API: bytes, errors, keys, addresses, options, events. Standard library only;
// nothing of the implementation shows. Everything stands in godwit::v1: a change that breaks callers gets a v2 beside
// it. Which changes keep a program running that is linked already is stated in docs/api.md; programs that need a
// stable binary interface use godwit_c.h.
#pragma once

#if !defined(__cplusplus) || __cplusplus < 202100L
#error "Godwit's C++ interface needs C++23 (-std=c++23). From other languages use godwit/godwit_c.h."
#endif

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "godwit/version.h"

#if !defined(__cpp_lib_expected)
#error "This standard library has no std::expected: use GCC 12's or a later one, or libc++ 16 or later, in C++23 mode."
#endif

#pragma GCC visibility push(default)
namespace godwit::v1 {

// Bytes of somebody else, alive for as long as the function or event says that takes or gives them.
using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
// A span of time, or a point in time on the caller's clock.
using Duration = std::chrono::nanoseconds;

// Which kind of failure.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  // the call could never work as it was made
  kWouldBlock,       // a bounded queue is full; Event::Kind::kWritable follows
  kClosed,           // the connection or the peer has gone
  kNotFound,         // what the call names does not exist, or has ended
  kTooLarge,         // beyond a limit of the protocol or of the options
  kPermission,       // the system does not allow it
  kSystem,           // the system says why in Error::message
  kUnsupported,      // not by this system, or not by this build
  kProtocol,         // the peer broke the protocol
  kTimeout,          // nobody answered in time
  kUnauthenticated,  // the peer did not prove its key
};

// What failed, in one line for a person. It stays as it is.
struct Error {
  // For the program.
  ErrorCode code = ErrorCode::kSystem;
  // For a person: one line without its end.
  std::string message;
};
// The value, or why there is none.
template <typename T>
using Result = std::expected<T, Error>;

// An X25519 key pair's secret half, 32 bytes. Wiped when it goes; never printed.
class SecretKey {
 public:
  // From the system's generator.
  [[nodiscard]] static Result<SecretKey> generate();
  // kInvalidArgument unless there are 32 bytes.
  [[nodiscard]] static Result<SecretKey> from_bytes(ByteView bytes);
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  ~SecretKey();

  // 64 lower-case hexadecimal digits: what peers are told.
  [[nodiscard]] const std::string& public_key() const { return public_key_; }
  // For storage. The caller keeps it secret.
  [[nodiscard]] ByteView bytes() const { return bytes_; }

 private:
  SecretKey() = default;
  std::array<std::uint8_t, 32> bytes_{};
  std::string public_key_;
};

// A UDP address without text: IPv4 in the first four octets. `scope_id` is the number of the interface of a link-local
// IPv6 address (sin6_scope_id); 0 for all others. It stays as it is.
struct Address {
  // In network order; the port and the scope in the machine's.
  std::array<std::uint8_t, 16> octets{};
  std::uint16_t port = 0;
  bool ipv6 = false;
  std::uint32_t scope_id = 0;

  // Reads "192.0.2.7:31337", "[2001:db8::1]:31337" and "[fe80::1%3]:31337". No name of a host or of an interface is
  // looked up. Nothing if the text is no address.
  [[nodiscard]] static std::optional<Address> parse(std::string_view text);
  // As parse() reads it.
  [[nodiscard]] std::string to_string() const;
};

// Slot and generation; never 0, never reused.
using ConnectionId = std::uint64_t;
using MessageId = std::uint64_t;

// How an endpoint works. Every member has a default that suits most programs. Members are only added, at the end, and
// the library reads as many as `size` says: a program goes on with a later library as it was compiled. That is why the
// structures that hold one have it as their last member.
struct Options {
  // Of this structure as the program was compiled; not to be set.
  std::size_t size = sizeof(Options);
  // Whether connections that others begin are accepted.
  bool accept_incoming = true;
  // Connections that others begin, 1 to 2^24; a sixteenth as many places more are kept for those that this side begins.
  // When all are taken, a newcomer takes the place of the longest idle one of the address prefix that holds most.
  std::size_t max_connections = 16'384;
  // How many extended sessions strangers may begin each second, 1 to 100,000, and four times as many sessions of the
  // deployed form. More wait and try again; fewer get through from one address. At the default a flood takes a tenth of
  // a core. A server for which handshakes are the work raises it to what it can do: a core does some 6,000 a second.
  std::uint32_t stranger_handshakes_per_second = 500;
  // "cubic", "newreno", "bbr", "ledbat", "fixed".
  std::string congestion = "bbr";
  // "auto", "batch-avx512", "batch-avx2", "ipsec-mb", "openssl", and the other names that `godwit doctor` lists.
  std::string cipher = "auto";
  // Application bits per second, 8 to 10^15; 0: no limit.
  std::uint64_t connection_bits_per_second = 0;
  std::uint64_t endpoint_bits_per_second = 0;
  // Extended sessions between two Godwits (docs/extended_sessions.md): both sides prove their keys, and a recording
  // cannot be read later. "auto": where the peer has them, which a deployed peer does not notice; "require": no other
  // peers; "off": the deployed form alone.
  std::string extended = "auto";
  // Bytes of the largest datagram of an extended session, 1200 to 8900: what this side takes, and sends where the peer
  // takes it and the path has carried a probe of that size. 1200: no larger one, and no probes.
  std::size_t max_datagram_bytes = 8900;
  // The peer of connect() must prove the public key that was asked for, or there is no connection. When false, whoever
  // can answer from the address of the peer may receive what was sent before Event::authenticated told otherwise.
  bool require_authenticated_peer = true;
  // Messages above 1106 bytes arrive as kChunk events as they come in, instead of one kMessage when complete.
  bool stream_in_chunks = false;
  // Flow control, in extended sessions whose peer has it too: how many bytes of one stream, and of all streams of a
  // connection, may arrive ahead of the application; 64 KiB to 1 GiB each. Bytes count as read when the handler
  // returns, or with consume_by_hand (only with stream_in_chunks) when consume() says so.
  std::uint64_t stream_window_bytes = std::uint64_t{32} << 20;
  std::uint64_t connection_window_bytes = std::uint64_t{48} << 20;
  bool consume_by_hand = false;
  // Both at least 10 ms and at most a year. Pings go out three times within the idle time-out, or more often.
  Duration connect_timeout = std::chrono::seconds{15};
  Duration idle_timeout = std::chrono::seconds{120};
  // Bytes that the unfinished inbound streams of all connections (of a NodeGroup: of all shards) may hold together, at
  // least 1 MiB. Near the bound the
  // connections that hold most for each byte they have sent are closed (CloseReason::kMemory).
  std::uint64_t max_inbound_bytes = std::uint64_t{512} << 20;
  // Called with each record of a trace in qlog format (a JSON text sequence, RFC 7464;
  // draft-ietf-quic-qlog-main-schema) on the thread that drives the endpoint; the view is valid during the call. Must
  // not call the endpoint, and must not throw. Empty: no trace is made, and none costs time. A NodeGroup refuses it:
  // NodeGroupOptions::trace says which shard a record is of.
  std::function<void(std::string_view record)> trace = {};
  // Called with each line of a key log, its end included: every symmetric key, in the format that the Wireshark
  // dissector reads (contrib/wireshark). Whoever has the lines can read the sessions. Under the rules of `trace`; the
  // threads of a NodeGroup call it at once. Empty: no key leaves the library.
  std::function<void(std::string_view line)> key_log = {};
  // Who may connect; both may be empty, which admits everybody who knows this side's key. Under the rules of `trace`;
  // the threads of a NodeGroup call them at once. Connections that this side begins are not asked about.
  // Asked about the source of a datagram that belongs to no connection, before anything else is done with it; false: it
  // is dropped, and nothing is ever sent there. Anybody can write any address on a datagram, and cause as many calls.
  std::function<bool(const Address& remote)> admit_address = {};
  // Asked once about each peer that has connected, before the program hears of it: by the public key that it has proved
  // (64 hexadecimal digits), or with an empty text where it has proved none, which is so of every deployed peer. False:
  // the connection is closed, and nothing of it is reported; EndpointStatistics counts it.
  std::function<bool(std::string_view public_key)> admit_key = {};
};

// How one message is sent. Members are only added, as in Options.
struct SendOptions {
  // Of this structure as the program was compiled; not to be set.
  std::size_t size = sizeof(SendOptions);
  // The message is given up (kFailed) unless it is wholly acknowledged within this time. Absent: it is tried for as
  // long as the connection lives.
  std::optional<Duration> deadline = {};
  // Bytes of a stream that may be sent before the first extend_send_limit(): back-pressure by an agreement of the
  // applications. Absent: all of them. Messages that fit one packet ignore it.
  std::optional<std::uint64_t> send_limit = {};
  // Sent once and never again: lost on the way it fails (kFailed, may_have_arrived), and delays nothing behind it. At
  // most 1106 bytes, more in extended sessions whose path carries larger datagrams (Statistics); not with
  // `stream` or `operations`. With a deadline it is not sent at all once that has passed.
  bool unreliable = false;
  // Of a stream: 0, the most urgent, to 7. While a more urgent stream of the connection can send, a less urgent one
  // does not; those of one urgency share by bytes. A deployed receiver gives up a stream that has begun and brings
  // nothing new for 30 s (wire specification 6.4), however much goes before it. Messages of one packet go before all
  // streams.
  std::uint8_t urgency = 3;
  // As a stream whatever its size; otherwise messages up to 1106 bytes travel as single packets.
  bool stream = false;
  // As an operations stream, the kind that carries metadata (docs/wire_spec.md section 6.5).
  bool operations = false;
  // At most 1120 bytes; of an operations stream only. The peer gets it as kMetadata.
  std::optional<std::vector<std::uint8_t>> metadata = {};
};

// Why a connection ended. The values are part of the interface.
enum class CloseReason : std::uint8_t {
  kLocal = 0,              // close() was called here
  kRemote = 1,             // the peer closed; Event::text has its words, if it gave any
  kIdleTimeout = 2,        // nothing authentic was heard for the idle time-out
  kReplaced = 3,           // the peer restarted or connected anew: another connection to it takes over
  kHandshakeFailed = 4,    // it was never established
  kKeyExhausted = 5,       // a key has protected as many packets as it may
  kUnauthenticated = 6,    // the peer could not prove the expected key
  kMemory = 7,             // the endpoint needed the memory of the peer's unfinished streams
  kProtocolViolation = 8,  // the peer acknowledged what was never sent
  kEvicted = 9,            // the table was full, and others with fewer connections wanted a place
  kReset = 10,             // the peer has restarted and does not know the connection any more; connect again
};
// In lower-case words, as docs/errors.md has them: "idle time-out". "unknown" for what is no reason.
[[nodiscard]] std::string_view close_reason_name(CloseReason reason);

// What happened. Fields that a kind does not name are empty. `bytes` is valid while the event is being handled (Node),
// or until poll_event() has returned null (Endpoint), whatever is called or arrives in between. The library makes
// events and adds members at the end alone: a program that was compiled before reads, and copies, those that it knows.
struct Event {
  // What happened, and which members tell more. The values are part of the interface; skip those you do not know.
  enum class Kind : std::uint8_t {
    kConnected = 0,       // remote, observed, authenticated, initiator, peer_key, extended; text: why not extended
    kClosed = 1,          // reason, text: why; code: of close(). The last event of a connection
    kMessage = 2,         // bytes: a whole message
    kChunk = 3,           // bytes, stream, offset, total: the next bytes of a stream, in order
    kAborted = 4,         // stream, offset (bytes received), total, code: an inbound stream ended half received
    kAcknowledged = 5,    // message: the peer has acknowledged every packet of it; its borrowed bytes are free
    kFailed = 6,          // message, text, may_have_arrived, code; its borrowed bytes are free
    kWritable = 7,        // a refused send can be tried again
    kRoundTrip = 8,       // round_trip: a ping was answered
    kSuspect = 9,         // silent_for: the peer is silent; the connection stays open
    kKeyAging = 10,       // connect again when the streams have ended
    kMetadata = 11,       // bytes, stream: the metadata of an operations stream
    kAuthenticated = 12,  // a peer that was connected without proof has proved its key since
    kMoved = 13           // remote: the peer of an extended session has another address now
  };
  // The kind, and the connection that it happened to.
  Kind kind = Kind::kWritable;
  ConnectionId connection = 0;
  // What set_user_data() attached to the connection; 0 before.
  std::uint64_t user_data = 0;
  // As the kinds describe them: offsets and totals count bytes, times are nanoseconds.
  ByteView bytes;
  std::uint32_t stream = 0;
  std::uint64_t offset = 0;
  std::uint64_t total = 0;
  MessageId message = 0;
  CloseReason reason = CloseReason::kLocal;
  // The number that the other side gave to close(), cancel() or stop_receiving(), in an extended session; of kClosed
  // also this side's own. 0 where none is known.
  std::uint64_t code = 0;
  bool may_have_arrived = false;
  bool authenticated = false;
  bool initiator = false;
  bool extended = false;
  std::string peer_key;  // 64 hexadecimal digits: what the peer has proved; empty if it has proved none
  Duration round_trip{};
  Duration silent_for{};
  std::string remote;    // "192.0.2.7:31337", "[2001:db8::1]:31337"
  std::string observed;  // this side's address as the peer sees it
  std::string text;
};

// A copy of one connection's counters. The library makes it, and adds members at the end alone.
struct Statistics {
  std::uint64_t packets_sent = 0;            // datagrams of every kind
  std::uint64_t bytes_sent = 0;              // of these datagrams
  std::uint64_t payload_bytes_sent = 0;      // application bytes, first transmissions only
  std::uint64_t packets_received = 0;        // authentic datagrams
  std::uint64_t bytes_received = 0;          // of these datagrams
  std::uint64_t payload_bytes_received = 0;  // application bytes delivered
  std::uint64_t packets_retransmitted = 0;   // sent again after a loss, each time
  std::uint64_t packets_lost = 0;            // declared lost, by acknowledgements or by time
  std::uint64_t losses_spurious = 0;         // sent again as lost, although they had arrived
  std::uint64_t packets_abandoned = 0;       // no longer wanted before they were acknowledged
  std::uint64_t timeouts = 0;                // retransmission time-outs
  std::uint64_t datagrams_dropped = 0;       // arrived and were not used
  // Of the path now: bytes that are sent and not acknowledged, the congestion window, what the pacer allows (0: no
  // limit).
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t window_bytes = 0;
  std::uint64_t datagram_bytes = 0;        // of the largest datagram for data
  std::uint64_t max_unreliable_bytes = 0;  // of an unreliable message now; it rises and falls with path and window
  std::uint64_t pacing_bits_per_second = 0;
  // Round trips as RFC 9002 has them; zero before the first.
  Duration latest_round_trip{};
  Duration smoothed_round_trip{};
  Duration minimum_round_trip{};
  Duration round_trip_variance{};
  // Names: of the controller, of what it is doing, of the packet cipher.
  std::string congestion;
  std::string congestion_state;
  std::string cipher;
  std::string form;               // "legacy" or "extended"
  std::string fallback;           // why not extended
  std::uint64_t key_updates = 0;  // of an extended session's sending key
};

// A copy of an endpoint's counters. The library makes it, and adds members at the end alone.
struct EndpointStatistics {
  std::uint64_t connections = 0;           // open now
  std::uint64_t connections_opened = 0;    // became established
  std::uint64_t connections_closed = 0;    // ended after that
  std::uint64_t handshakes_started = 0;    // both roles
  std::uint64_t handshakes_failed = 0;     // ended without a session
  std::uint64_t connections_evicted = 0;   // closed so that others find a place
  std::uint64_t evicted_for_memory = 0;    // closed for the memory their inbound streams held
  std::uint64_t inbound_bytes = 0;         // memory that inbound streams hold now
  std::uint64_t datagrams_received = 0;    // of every kind
  std::uint64_t datagrams_dropped = 0;     // that belong to no connection
  std::uint64_t unadmitted_datagrams = 0;  // of these, from addresses that Options::admit_address refused
  std::uint64_t unadmitted_peers = 0;      // closed because Options::admit_key refused their key
};

// Whether a peer is heard of. It stays as it is.
struct Liveness {
  bool suspect = false;  // kSuspect was reported, and the peer has been silent since
  std::string problem;   // what the kernel or ICMP last said about datagrams to it, "port unreachable"; else empty
};

// Why a connection does not go directly to its peer, or that it does. The list is closed: later versions may add to its
// end. A connection whose peer was never looked for at a rendezvous counts as direct.
enum class PathWhy : std::uint8_t {
  kDirect = 0,
  kSearching = 1,        // over a relay, while direct addresses are being asked
  kNoOtherAddress = 2,   // over a relay: nobody has told a direct address
  kNoCapability = 3,     // the version of one side does not move connections
  kOwnPortChanges = 4,   // the address translation of this side has another port for each destination
  kPeerPortChanges = 5,  // that of the peer has
  kBothPortsChange = 6,  // both have
  kUnaskedAnswered = 7,  // a router answers datagrams that nobody has asked for
  kNoAnswer = 8,         // from any direct address, and nothing says why
  kUdpBlocked = 9,       // no connection in three seconds: nothing comes in from anybody, or the system forbids to send
  kRelayFull = 10  // no connection in three seconds, and the relay of the rendezvous has no place for another pair
};

// How a connection reaches its peer: Node::path().
class Path {
 public:
  Path() = default;
  // Of a connection with this reason.
  explicit Path(PathWhy reason) : why_(reason) {}
  // Why the connection does not go directly to its peer, or kDirect.
  [[nodiscard]] PathWhy why() const { return why_; }
  // One line for a person.
  [[nodiscard]] std::string text() const;

  bool relayed = false;          // over the relay of a rendezvous now
  std::uint32_t addresses = 0;   // direct ones that a rendezvous has told
  std::uint32_t challenges = 0;  // datagrams that asked them, of this side
  bool heard_directly = false;   // one of the peer's has come in
  std::uint32_t moves = 0;       // from the relay to a direct address
  std::uint32_t returns = 0;     // and back, because the direct way had fallen silent

 private:
  PathWhy why_ = PathWhy::kDirect;
};

// "0.1.0".
[[nodiscard]] std::string_view version();

}  // namespace godwit::v1
#pragma GCC visibility pop
