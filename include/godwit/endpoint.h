// The transport without I/O, for a loop of your own: bytes and time go in, bytes and events come out. Times are
// nanoseconds on a clock of yours that never goes back (CLOCK_BOOTTIME is a good one). An Endpoint does not survive
// fork(): in a child, poll_transmit() aborts, as the parent goes on with the same keys and nonces.
//
//   on input:        receive(now, …), or handle_timeout(now) when next_timeout() has come
//   after any input: while (event = poll_event()) …;  while (batch = poll_transmit(now)) send it
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "godwit/types.h"

#pragma GCC visibility push(default)
namespace godwit::v1 {

// One peer's datagrams end to end: each of `segment_size` bytes, the last one perhaps shorter. What UDP_SEGMENT takes.
// The library makes it, and adds members at the end alone.
struct Transmit {
  // The peer.
  Address remote;
  // The address to send from: the one at which the peer's datagrams arrive, where receive() was told; else nothing.
  std::optional<Address> local;
  // The datagrams, and the size of each in bytes.
  ByteView bytes;
  std::size_t segment_size = 0;
};

// All connections of one key, without a socket, a clock or a thread. Called by one thread at a time.
class Endpoint {
 public:
  // Randomness comes from the system. kInvalidArgument for options that cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<Endpoint>> make(const Options& options, const SecretKey& key);
  // Nothing is sent any more: close_all() and poll_transmit() before it tell the peers.
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // A wildcard address means loopback; a link-local one needs its scope_id. kConnected or kClosed follows. An existing
  // connection to the same address is closed in favour of the new one (CloseReason::kReplaced). Errors:
  // kInvalidArgument for an address that no peer can have or what is no public key, kWouldBlock when the connection
  // table is full.
  [[nodiscard]] Result<ConnectionId> connect(Duration now, const Address& remote, std::string_view public_key);
  // `bytes` may hold several datagrams of one peer end to end (UDP_GRO), each of `segment_size`. They are decrypted in
  // place, and events point into them: they must stay until poll_event() has returned null. The same holds for each of
  // several calls without polling in between. `local` is the address at which they arrived (IP_PKTINFO), for hosts with
  // several; answers leave from there (Transmit::local).
  void receive(Duration now, const Address& remote, MutableBytes bytes, std::size_t segment_size,
               const std::optional<Address>& local = std::nullopt);
  // Does what is due at `now`; earlier calls do no harm.
  void handle_timeout(Duration now);

  // Queues a message of up to 165,675,008 bytes, also before the connection is established. The first takes the bytes
  // over, and leaves `bytes` as it was when it fails; the second copies the pieces end to end; the third borrows: the
  // bytes stay alive and unchanged until kAcknowledged or kFailed names the message. Errors: kNotFound for a connection
  // that has ended, kTooLarge, kWouldBlock (kWritable follows), kInvalidArgument for options that contradict each
  // other.
  [[nodiscard]] Result<MessageId> send(Duration now, ConnectionId connection, std::vector<std::uint8_t>&& bytes,
                                       const SendOptions& options = {});
  [[nodiscard]] Result<MessageId> send_pieces(Duration now, ConnectionId connection, std::span<const ByteView> pieces,
                                              const SendOptions& options = {});
  [[nodiscard]] Result<MessageId> send_borrowed(Duration now, ConnectionId connection, ByteView bytes,
                                                const SendOptions& options = {});
  // Bytes from the start of a stream that may be sent from now on (SendOptions::send_limit). False when it has ended.
  bool extend_send_limit(Duration now, ConnectionId connection, MessageId message, std::uint64_t limit_bytes);
  // Gives a message up; kFailed follows. False when it has ended.
  bool cancel(Duration now, ConnectionId connection, MessageId message, std::uint64_t code = 0);
  // The stream id under which a message travels; 0 for one that is no stream or has ended.
  [[nodiscard]] std::uint32_t stream_of(ConnectionId connection, MessageId message) const;
  // An inbound stream whose sender waits for the application does not count as abandoned for another idle period.
  // False when no such stream is open.
  bool keep_alive(Duration now, ConnectionId connection, std::uint32_t stream);
  // Nothing more of an inbound stream is delivered. False when no such stream is open.
  bool stop_receiving(ConnectionId connection, std::uint32_t stream, std::uint64_t code = 0);
  // A stream of unknown length: append() copies bytes to it, and finish() ends it; kAcknowledged follows when the peer
  // has all of it. In an established extended session; of the options only the deadline counts. The peer gets kChunk
  // events whose total is 0 until the end is known, the last one perhaps without bytes, or one kMessage. Errors:
  // kUnsupported where the peer has no such streams, kClosed before the connection is established, kNotFound;
  // kWouldBlock (kWritable follows) for too many streams, or when a stream holds 4 MiB that are not acknowledged.
  [[nodiscard]] Result<MessageId> open_stream(Duration now, ConnectionId connection, const SendOptions& options = {});
  [[nodiscard]] Result<void> append(ConnectionId connection, MessageId stream, ByteView bytes);
  // False when it has ended or been finished.
  bool finish(ConnectionId connection, MessageId stream);
  // So many bytes of a stream's chunks have been read, also of one that has arrived whole; with
  // Options::consume_by_hand, in an extended session; else without effect.
  void consume(ConnectionId connection, std::uint32_t stream, std::uint64_t bytes);
  // A paused stream's sender stops when a window of it has arrived; what had been granted before comes still. False
  // when no such stream is open, or the peer has no flow control (the deployed wire has none).
  bool pause(ConnectionId connection, std::uint32_t stream);
  bool resume(ConnectionId connection, std::uint32_t stream);
  // kRoundTrip follows when the peer answers. Errors: kNotFound.
  [[nodiscard]] Result<void> ping(Duration now, ConnectionId connection);
  // Shakes hands anew beside the session, for a peer that is suspect: kClosed (kReplaced) and kConnected with a new id
  // follow when that succeeds. Errors: kNotFound; kInvalidArgument unless this side has connected.
  [[nodiscard]] Result<void> reconnect(Duration now, ConnectionId connection);
  // Ends the connection at once and tells the peer; messages that are not acknowledged fail. kClosed (kLocal) follows.
  // `text` is for a person, at most 256 bytes of it arrive; `code`, a number of the application's, reaches the peer of
  // an extended session.
  void close(Duration now, ConnectionId connection, std::string_view text = {}, std::uint64_t code = 0);
  // The same for every connection.
  void close_all(Duration now, std::string_view text = {});
  // "cubic", "newreno", "bbr", "ledbat", "fixed". Errors: kInvalidArgument, kNotFound.
  [[nodiscard]] Result<void> set_congestion(Duration now, ConnectionId connection, std::string_view name);
  // Application bits per second of one connection, in place of Options::connection_bits_per_second; 0: no limit.
  [[nodiscard]] Result<void> set_rate_limit(Duration now, ConnectionId connection, std::uint64_t bits_per_second);
  // A number of the application's, which comes with each event of the connection. Errors: kNotFound.
  [[nodiscard]] Result<void> set_user_data(ConnectionId connection, std::uint64_t user_data);

  // The next batch to send, valid until the next call with its bytes. Null when there is nothing to send now.
  [[nodiscard]] const Transmit* poll_transmit(Duration now);
  // What happened next, valid until the next call; its bytes until this has returned null. Null when nothing has.
  [[nodiscard]] const Event* poll_event();
  // When handle_timeout() wants to be called; nothing: only after input.
  [[nodiscard]] std::optional<Duration> next_timeout() const;
  // For a loop with nothing to do: prepares a handshake to come, which takes some 40 us and saves as much when it
  // comes. False, without having done anything, when enough is prepared: as many as there have been handshakes, 64 at
  // most. A loop need not call it. Aborts in a child of fork().
  bool prepare_handshakes();

  // The 64 hexadecimal digits of the own public key; the connections that have not ended.
  [[nodiscard]] std::string public_key() const;
  [[nodiscard]] std::vector<ConnectionId> connections() const;
  // Of a connection that has not ended.
  [[nodiscard]] std::optional<Address> remote_address(ConnectionId connection) const;
  // A copy; null of a connection that has ended.
  [[nodiscard]] std::shared_ptr<const Statistics> statistics(ConnectionId connection) const;
  // A copy; never null.
  [[nodiscard]] std::shared_ptr<const EndpointStatistics> statistics() const;
  // Every counter, and the path of up to 256 connections, in the text format that Prometheus reads (version 0.0.4),
  // with the addresses of the peers. For a page that the application serves; docs/observability.md lists the names.
  [[nodiscard]] std::string metrics() const;
  [[nodiscard]] Liveness liveness(ConnectionId connection) const;
  // Connections that have ended and whose peer has not answered the close packet yet: worth a second of
  // handle_timeout() and poll_transmit() before the socket closes.
  [[nodiscard]] std::size_t closing_count() const;

 private:
  class __attribute__((visibility("hidden"))) Implementation;
  __attribute__((visibility("hidden"))) explicit Endpoint(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace godwit::v1
#pragma GCC visibility pop
