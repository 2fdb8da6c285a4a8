// A peer with its own event loop: one socket, one thread, all its connections. The easy way to use Godwit; for a loop
// of your own see endpoint.h. Only stop(), wake() and post() may be called from other threads.
// A Node does not survive fork(): used in a child it aborts, as its parent goes on with the same keys and nonces. Open
// a Node after the fork, or exec another program.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "godwit/ticket.h"
#include "godwit/types.h"

#pragma GCC visibility push(default)
namespace godwit::v1 {

// How a Node works: its transport, its socket and its loop. Members are only added, as in Options.
struct NodeOptions {
  // Of this structure as the program was compiled; not to be set.
  std::size_t size = sizeof(NodeOptions);
  // "ADDR:PORT"; port 0 lets the system choose. "[::]:31337" takes IPv4 too. A link-local address names its interface:
  // "[fe80::1%eth0]:31337".
  std::string bind = "[::]:0";
  // "auto", "sendto", "connected", "mmsg", "gso", "uring", "posix".
  std::string backend = "auto";
  // Bytes of the socket's receive buffer that are asked for; the system may grant fewer.
  std::size_t receive_buffer_bytes = std::size_t{16} << 20;
  // What the loop does when there is nothing to do: "block" sleeps in the kernel, "spin-block" polls the socket through
  // pauses of up to 50 us first, "spin" never sleeps: one core for the least latency.
  std::string idle = "spin-block";
  // Threads that work for the node, 1 to 64: the one that runs it, and others that seal large batches and pass them to
  // the socket. One connection then sends with several processors. 0 and 1: the loop does everything itself. The
  // threads are the library's; handlers and calls stay on the thread that runs the node.
  std::size_t threads = 1;
  // Of the connections.
  Options transport = {};
};

class NodeGroup;

// One socket, one thread, all connections. Everything but stop(), wake() and post() is called on one thread at a time.
class Node {
 public:
  // Called on the thread that runs the Node, once an event. May call the Node, but not run(), turn() and shut_down().
  using Handler = std::function<void(Node&, const Event&)>;

  // Errors: kInvalidArgument for options that cannot be read, and what the system says of the socket.
  [[nodiscard]] static Result<std::unique_ptr<Node>> open(const NodeOptions& options, const SecretKey& key);
  // Closes the socket at once; peers learn of it from shut_down() before, or by their idle time-outs.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // "192.0.2.7:31337", and the 64 hexadecimal digits of the own public key.
  [[nodiscard]] std::string local_address() const;
  [[nodiscard]] std::string public_key() const;

  // Connects to `address` ("192.0.2.7:31337", "[fe80::1%eth0]:31337"), whose peer is known by its public key (64
  // hexadecimal digits). A wildcard address means loopback. kConnected or kClosed follows. An existing connection to
  // the same address is closed in favour of the new one (CloseReason::kReplaced). A group's Node connects to the peers
  // of its own shard only (node_group.h), by each of these functions, and to no rendezvous where there are several
  // shards. Errors: kInvalidArgument, kWouldBlock when the connection table is full.
  [[nodiscard]] Result<ConnectionId> connect(std::string_view address, std::string_view public_key);
  // The same for a peer with several addresses, as RFC 8305 does: the next one is tried after 250 ms, or as soon as an
  // attempt fails; the first that answers wins. `then` is called once, on the loop's thread: with the winner just
  // before its kConnected event, or with what each address met. Events of the other attempts do not reach the handler.
  // Errors: those of connect() for every address, and kInvalidArgument for no address.
  [[nodiscard]] Result<void> connect(std::span<const std::string> addresses, std::string_view public_key,
                                     std::function<void(Node&, Result<ConnectionId>)> then);

  // The same for the peer of a ticket. Its rendezvous are asked in turn where the peer can be found, for eight seconds
  // each at most; what they know is raced with the addresses of the ticket and, last, the relay's. The hosts of the
  // ticket are not looked up here, since that may take seconds: resolve() them and add what is found to its addresses.
  // With a rendezvous the session is an extended one. Errors: kInvalidArgument for a ticket that cannot be used or
  // without any way to the peer, kUnsupported where it needs extended sessions and Options::extended is "off".
  [[nodiscard]] Result<void> connect(const Ticket& ticket, std::function<void(Node&, Result<ConnectionId>)> then);
  // Keeps this node findable at a rendezvous, until it is closed or the next call, so that a ticket that names the
  // rendezvous leads here: those who ask there are connected to as they connect, through the address translations of
  // both sides. `notice`, which may be empty, is told in one line each when the node is registered, and when the
  // rendezvous is lost; it is connected to again by itself. Whom Options::admit_key refuses is not connected to.
  // Errors: kInvalidArgument for what is no rendezvous, kUnsupported where Options::extended is "off" and in a group of
  // shards.
  [[nodiscard]] Result<void> register_at(const TicketRendezvous& rendezvous,
                                         std::function<void(Node&, std::string_view)> notice = {});

  // The two by a one-time code in place of keys and tickets: "17-tiger-museum-lotus", which one of two people reads to
  // the other and which is good for one try within ten minutes (docs/rendezvous.md section 7). With an empty `code` one
  // is made, and `new_code` is told it, once, on the loop's thread; with the code that the other side has made,
  // `new_code` may be empty. Either side may make it. The first connects to whoever has the other half, and `then` is
  // called as by connect(). The second registers at the rendezvous, in place of a registration before, and tells `then`
  // the public key of whoever has the other half and is about to connect, once: that Options::admit_key lets it in is
  // for the application. A code that comes to nothing is told `then` as kNotFound, with one line for a person. Errors:
  // kInvalidArgument for what is no rendezvous and no code, kUnsupported in a library that was built without libsodium,
  // where Options::extended is "off", and in a group of shards.
  using CodeNotice = std::function<void(Node&, std::string_view code)>;
  [[nodiscard]] Result<void> connect_by_code(const TicketRendezvous& rendezvous, std::string_view code,
                                             CodeNotice new_code,
                                             std::function<void(Node&, Result<ConnectionId>)> then);
  [[nodiscard]] Result<void> listen_by_code(const TicketRendezvous& rendezvous, std::string_view code,
                                            CodeNotice new_code, std::function<void(Node&, Result<std::string>)> then);

  // Has the router pass a public port on to this node's socket, by PCP, NAT-PMP or UPnP ("auto"), or by one of them
  // alone ("pcp", "nat-pmp", "upnp"), until the node is destroyed, which gives it back and takes as long as the router
  // does, four seconds at most. `changed`, which may be empty, is called on the loop's thread with the public address
  // when the router has given one or another one, and with kNotFound or kPermission when there is none (any more). The
  // address belongs into tickets; a rendezvous that the node is registered at is told of it. Errors: kInvalidArgument
  // for another word and for a socket that IPv4 does not reach, kUnsupported in a group of shards.
  [[nodiscard]] Result<void> map_port(std::string_view way = "auto",
                                      std::function<void(Node&, Result<std::string>)> changed = {});

  // Queues a message of up to 165,675,008 bytes, also before the connection is established. The first copies, the
  // second takes over and leaves `bytes` as it was when it fails, the third copies the pieces end to end, the fourth
  // borrows: the bytes stay alive and unchanged until kAcknowledged or kFailed names the message. Errors: kNotFound for
  // a connection that has ended, kTooLarge, kWouldBlock (kWritable follows), kInvalidArgument for options that
  // contradict each other.
  [[nodiscard]] Result<MessageId> send(ConnectionId connection, ByteView bytes, const SendOptions& options = {});
  [[nodiscard]] Result<MessageId> send(ConnectionId connection, std::vector<std::uint8_t>&& bytes,
                                       const SendOptions& options = {});
  [[nodiscard]] Result<MessageId> send_pieces(ConnectionId connection, std::span<const ByteView> pieces,
                                              const SendOptions& options = {});
  [[nodiscard]] Result<MessageId> send_borrowed(ConnectionId connection, ByteView bytes,
                                                const SendOptions& options = {});
  // Bytes from the start of a stream that may be sent from now on (SendOptions::send_limit). False when it has ended.
  bool extend_send_limit(ConnectionId connection, MessageId message, std::uint64_t limit_bytes);
  // Gives a message up; kFailed follows. The peer of an extended session gets kAborted with `code`, a number of the
  // application's, if some of a stream has been sent. False when it has ended.
  bool cancel(ConnectionId connection, MessageId message, std::uint64_t code = 0);
  // The stream id under which a message travels; 0 for one that is no stream or has ended.
  [[nodiscard]] std::uint32_t stream_of(ConnectionId connection, MessageId message) const;
  // An inbound stream whose sender waits for the application does not count as abandoned for another idle period.
  // False when no such stream is open.
  bool keep_alive(ConnectionId connection, std::uint32_t stream);
  // Nothing more of an inbound stream is delivered; in an extended session its sender stops, with kFailed and `code`.
  // False when no such stream is open.
  bool stop_receiving(ConnectionId connection, std::uint32_t stream, std::uint64_t code = 0);
  // A stream of unknown length: append() copies bytes to it, and finish() ends it; kAcknowledged follows when the peer
  // has all of it. In an established extended session; of the options only the deadline counts. The peer gets kChunk
  // events whose total is 0 until the end is known, the last one perhaps without bytes, or one kMessage. Errors:
  // kUnsupported where the peer has no such streams, kClosed before the connection is established, kNotFound;
  // kWouldBlock (kWritable follows) for too many streams, or when a stream holds 4 MiB that are not acknowledged.
  [[nodiscard]] Result<MessageId> open_stream(ConnectionId connection, const SendOptions& options = {});
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
  Result<void> ping(ConnectionId connection);
  // Shakes hands anew beside the session, for a peer that is suspect: kClosed (kReplaced) and kConnected with a new id
  // follow when that succeeds. Errors: kNotFound; kInvalidArgument unless this side has connected.
  [[nodiscard]] Result<void> reconnect(ConnectionId connection);
  // Ends the connection at once and tells the peer; messages that are not acknowledged fail. kClosed (kLocal) follows.
  // `text` is for a person, at most 256 bytes of it arrive; `code`, a number of the application's, reaches the peer of
  // an extended session.
  void close(ConnectionId connection, std::string_view text = {}, std::uint64_t code = 0);
  // The same once every message that is queued now has been acknowledged or has failed, at the latest after `longest`.
  // Errors: kNotFound.
  [[nodiscard]] Result<void> close_when_sent(ConnectionId connection, Duration longest, std::string_view text = {},
                                             std::uint64_t code = 0);
  // "cubic", "newreno", "bbr", "ledbat", "fixed". Errors: kInvalidArgument, kNotFound.
  [[nodiscard]] Result<void> set_congestion(ConnectionId connection, std::string_view name);
  // Application bits per second of one connection, in place of Options::connection_bits_per_second; 0: no limit.
  [[nodiscard]] Result<void> set_rate_limit(ConnectionId connection, std::uint64_t bits_per_second);
  // A number of the application's, which comes with each event of the connection. Errors: kNotFound.
  [[nodiscard]] Result<void> set_user_data(ConnectionId connection, std::uint64_t user_data);

  // Those that have not ended, established or not.
  [[nodiscard]] std::vector<ConnectionId> connections() const;
  // Of a connection that has not ended; else empty.
  [[nodiscard]] std::string remote_address(ConnectionId connection) const;
  // A copy; null of a connection that has ended.
  [[nodiscard]] std::shared_ptr<const Statistics> statistics(ConnectionId connection) const;
  // A copy; never null.
  [[nodiscard]] std::shared_ptr<const EndpointStatistics> statistics() const;
  // Every counter, and the path of up to 256 connections, in the text format that Prometheus reads (version 0.0.4),
  // with the addresses of the peers. For a page that the application serves; docs/observability.md lists the names.
  [[nodiscard]] std::string metrics() const;
  [[nodiscard]] Liveness liveness(ConnectionId connection) const;
  // How the connection reaches its peer, and why not directly. Errors: kNotFound when it has ended.
  [[nodiscard]] Result<Path> path(ConnectionId connection) const;

  // Handles events until stop(). May be called again afterwards: connections stay open meanwhile, as long as their
  // peers wait.
  void run(const Handler& handler);
  // One turn of the loop: waits at most `longest_wait`, handles what happened.
  void turn(const Handler& handler, Duration longest_wait);
  // For loops of others: turn(handler, 0) is due when the descriptor becomes readable and when next_timeout(), which is
  // relative to now and asked anew after each turn, send or close, has passed. No time-out: only on input. The
  // descriptor, -1 when the system has none left, is to be polled only and stays the Node's. wake(), stop() and post()
  // make it readable too.
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] std::optional<Duration> next_timeout() const;
  // Closes all connections and turns until every peer has answered, or `longest` has passed: a socket that closes
  // before leaves peers to their idle time-outs.
  void shut_down(const Handler& handler, Duration longest, std::string_view text = {});

  // The next run() or the present one ends after its turn. From any thread and from signal handlers.
  void stop() noexcept;
  // Ends the present wait.
  void wake() noexcept;
  // Runs `call` on the loop's thread. False when too many wait.
  [[nodiscard]] bool post(std::function<void(Node&)> call);

 private:
  friend class NodeGroup;
  class __attribute__((visibility("hidden"))) Implementation;
  __attribute__((visibility("hidden"))) explicit Node(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

// The addresses of "NAME:PORT" or "ADDR:PORT", for Node::connect(): by the system's resolver, which may take seconds,
// in its order of preference with the families in turn. Errors: kNotFound, kInvalidArgument.
[[nodiscard]] Result<std::vector<std::string>> resolve(std::string_view name_and_port);

}  // namespace godwit::v1
#pragma GCC visibility pop
