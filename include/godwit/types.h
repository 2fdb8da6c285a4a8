// The vocabulary of Godwit's public API: bytes, errors, keys, addresses, options, events. Standard library only;
// nothing of the implementation shows. Everything stands in godwit::v1: a change that breaks callers gets a v2 beside
// it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::v1 {

using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using Duration = std::chrono::nanoseconds;

enum class ErrorCode : std::uint8_t {
  kInvalidArgument,
  kWouldBlock,  // a bounded queue is full; Event::Kind::kWritable follows
  kClosed,
  kNotFound,
  kTooLarge,
  kPermission,
  kSystem,
  kUnsupported,
  kProtocol,
  kTimeout,
  kUnauthenticated,
};

// What failed, in one line for a person.
struct Error {
  ErrorCode code = ErrorCode::kSystem;
  std::string message;
};
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

// Slot and generation; never 0, never reused.
using ConnectionId = std::uint64_t;
using MessageId = std::uint64_t;

struct Options {
  bool accept_incoming = true;
  // Connections that others begin, 1 to 2^24; a sixteenth as many places more are kept for those that this side begins.
  // When all are taken, a newcomer takes the place of the longest idle one of the address prefix that holds most.
  std::size_t max_connections = 16'384;
  // "cubic", "newreno", "bbr", "ledbat", "fixed".
  std::string congestion = "bbr";
  // "auto", "ipsec-mb", "openssl".
  std::string cipher = "auto";
  // Application bits per second, 8 to 10^15; 0: no limit.
  std::uint64_t connection_bits_per_second = 0;
  std::uint64_t endpoint_bits_per_second = 0;
  // Extended sessions between two Godwits (docs/extended_sessions.md): both sides prove their keys, and a recording
  // cannot be read later. "auto": where the peer has them; "require": no other peers; "off".
  std::string extended = "off";
  // A dialled peer must prove the public key it was dialled by, or is not connected to. When false, whoever can answer
  // from the dialled address may receive what was sent before Event::authenticated told otherwise.
  bool require_authenticated_peer = true;
  // Messages above 1106 bytes arrive as kChunk events as they come in, instead of one kMessage when complete.
  bool stream_in_chunks = false;
  // Both at least 10 ms and at most a year. Pings go out three times within the idle time-out, or more often.
  Duration connect_timeout = std::chrono::seconds{15};
  Duration idle_timeout = std::chrono::seconds{120};
};

// What happened. Fields that a kind does not name are empty. `bytes` is valid while the event is being handled (Node),
// or until poll_event() has returned false (Endpoint), whatever is called or arrives in between.
struct Event {
  enum class Kind : std::uint8_t {
    kConnected,  // remote, authenticated, initiator, peer_key, extended; text: why not extended
    kClosed,     // text: why. The last event of a connection
    kMessage,    // bytes: a whole message
    kChunk,      // bytes, stream, offset, total: the next bytes of a stream, in order
    kAborted,    // stream, offset (bytes received), total: an inbound stream ended half received
    kConfirmed,  // message: every packet of it was receipted; its borrowed bytes are free
    kFailed,     // message, text, may_have_arrived
    kWritable,   // a refused send can be tried again
    kRoundTrip,  // round_trip: a ping was answered
    kSuspect,    // the peer is silent; the connection stays open
    kKeyAging,   // dial again when the streams have ended
    kMoved,      // remote: the peer of an extended session has another address now
  };
  Kind kind = Kind::kWritable;
  ConnectionId connection = 0;
  ByteView bytes;
  std::uint32_t stream = 0;
  std::uint64_t offset = 0;
  std::uint64_t total = 0;
  MessageId message = 0;
  bool may_have_arrived = false;
  bool authenticated = false;
  bool initiator = false;
  bool extended = false;
  std::string peer_key;  // 64 hexadecimal digits: what the peer has proved; empty if it has proved none
  Duration round_trip{};
  std::string remote;  // "192.0.2.7:31337", "[2001:db8::1]:31337"
  std::string text;
};

// A copy of one connection's counters.
struct Statistics {
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t packets_retransmitted = 0;
  std::uint64_t packets_lost = 0;
  std::uint64_t datagrams_dropped = 0;
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t window_bytes = 0;
  std::uint64_t pacing_bits_per_second = 0;
  Duration smoothed_round_trip{};
  Duration minimum_round_trip{};
  std::string congestion;
  std::string congestion_state;
  std::string cipher;
  std::string form;               // "legacy" or "extended"
  std::string fallback;           // why not extended
  std::uint64_t key_updates = 0;  // of an extended session's sending key
};

// "0.1.0".
[[nodiscard]] std::string_view version();

}  // namespace godwit::v1
