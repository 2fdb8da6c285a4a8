// All connections of one socket: routes datagrams by address, admits handshakes, shares the transmit path and the
// timers fairly. The whole core behind one object without I/O, clock or thread: a driver (runtime/Node, sim/Host, a
// user's own poll loop) passes in what arrived and the time, and takes out what is to be sent and what happened.
//
//   receive / handle_timeout / connect / send / close  ->  then drain poll_event() and, before sleeping,
//   poll_transmit()
//
// One driver at a time. Views in events stay valid until poll_event() has returned null: those into the datagrams given
// to receive() as long as the driver keeps these, those into memory of the endpoint whatever arrives in between.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/datagram_batch.h"
#include "base/random.h"
#include "base/result.h"
#include "congestion/fair_share.h"
#include "crypto/keypair.h"
#include "crypto/static_agreements.h"
#include "handshake/cookie_jar.h"
#include "handshake/cookies.h"
#include "handshake/ephemeral_keys.h"
#include "handshake/handshake.h"
#include "handshake/key_usage.h"
#include "handshake/reset_tokens.h"
#include "recovery/fifo_ring.h"
#include "stream/body.h"
#include "stream/id_map.h"
#include "trace/cost.h"
#include "trace/events.h"
#include "transport/address_table.h"
#include "transport/admission.h"
#include "transport/closing_sessions.h"
#include "transport/config.h"
#include "transport/event.h"
#include "transport/event_queue.h"
#include "transport/path_search.h"
#include "transport/path_validation.h"
#include "transport/prefix_shares.h"
#include "transport/recent_set.h"
#include "transport/reset_budget.h"
#include "transport/statistics.h"
#include "transport/timer_queue.h"
#include "transport/transmit_buffer.h"
#include "wire/datagram.h"

namespace godwit {

class Connection;
class Route;
struct ConnectionContext;
struct RouteContext;

class Endpoint {
 public:
  // `random`, `sink` and `cost` outlive the endpoint.
  Endpoint(const Config& config, KeyPair keys, RandomSource& random, trace::Sink* sink = nullptr,
           trace::CostSink* cost = nullptr);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Who may connect; null: whoever knows this side's key. Asked by the endpoint about those who begin a connection;
  // what is connected to because a stranger wants it is for the caller to ask about.
  [[nodiscard]] PeerFilter* filter() const { return config_.filter.get(); }

  // --- Inputs ---
  // Connects to a peer known by its public key; both sides may connect to each other (wire spec 4.5). An established
  // connection to the address is closed in favour of the new one. A wildcard address means loopback
  // (base/connect_target.h). Errors: kWouldBlock when own connections fill the whole table, kInvalidArgument for an
  // address that no peer can have.
  [[nodiscard]] Result<ConnectionId> connect(Instant now, const SocketAddress& remote, const PublicKey& peer);
  // When the accounts of what has arrived are made: acknowledgements, congestion control.
  enum class Accounts : std::uint8_t { kAtOnce, kAfterReply };
  // kAfterReply, for a batch of one datagram: a short message with which the application answers it comes out of
  // poll_reply(), and the accounts wait until settle(). Whatever needs them sooner makes them itself.
  void receive(Instant now, const DatagramBatch& batch, Accounts accounts = Accounts::kAtOnce);
  void settle();
  void handle_timeout(Instant now);
  // A rendezvous has told where the peer can be reached (docs/rendezvous.md): a session with it that runs over the
  // relay moves to the first of the other addresses that answers, and back when that falls silent. Where `paths.pause`
  // is not zero, each of them gets an opener at once, which opens this side's translation and dies before the peer's.
  // Holds for sessions with the peer that are there, and for the one that is established within a minute.
  void know_paths(Instant now, const PublicKey& peer, const PeerPaths& paths);
  // What know_paths() was told last of a peer that has no session yet; null: nothing, or a minute ago.
  [[nodiscard]] const PeerPaths* known_paths(Instant now, const PublicKey& peer) const;
  // The rendezvous has compared where it sees the two sides of a relayed session with where its relay does: whether
  // their ports depend on the destination. The peer is told.
  void note_ports(ConnectionId connection, const PortHabit& own, const PortHabit& peers);
  // A session searches a way through a translation whose ports depend on the destination, with PortSearch::kPorts
  // further sockets on ports that the system chooses; with Config::further_ports alone. The driver opens them, or not,
  // and gives their local addresses, once. From then on it passes in what comes to them with that local address, sends
  // through the one that a batch names by the port of `local`, and closes those that ports_in_use() does not name.
  [[nodiscard]] bool wants_ports() const { return port_searches_.waiting; }
  void give_ports(Instant now, std::span<const SocketAddress> locals);
  // Local ports that connections use, in ascending order, perhaps repeated; 0 and the socket's own among them.
  [[nodiscard]] std::vector<std::uint16_t> ports_in_use() const;
  // What the kernel or ICMP said about a datagram to `report.remote` (base/path_problem.h). Nothing ends by it.
  void on_path_report(Instant now, const PathReport& report);

  // Queues a message; `body` is moved from only when that succeeds. It may be queued before the connection is
  // established. Errors: kNotFound for a connection that has ended, and those of SendQueue::send: kWouldBlock is
  // followed by a Writable event.
  [[nodiscard]] Result<MessageId> send(Instant now, ConnectionId connection, Body&& body, SendOptions options = {});
  // Bytes from the start of a stream that may be sent (credit of the layer above, decisions 1). False when it has
  // ended.
  bool extend_send_limit(Instant now, ConnectionId connection, MessageId message, std::uint64_t limit_bytes);
  // Gives a message up; MessageFailed follows. False when it has ended.
  bool cancel(Instant now, ConnectionId connection, MessageId message, std::uint64_t code = 0);
  // Streams of unknown length, in an extended session whose peer has them: SendQueue's. Writable follows a refused
  // append() as it follows a refused send().
  [[nodiscard]] Result<MessageId> open_stream(Instant now, ConnectionId connection, const SendOptions& options = {});
  [[nodiscard]] Status append(ConnectionId connection, MessageId stream, ByteView bytes);
  bool finish(ConnectionId connection, MessageId stream);
  // The stream id a message travels under; 0 for a short message or one that has ended.
  [[nodiscard]] std::uint32_t stream_id(ConnectionId connection, MessageId message) const;
  // An inbound stream whose sender waits for credit does not idle; a refused one is ignored from now on. False when no
  // such stream is open.
  bool keep_stream_alive(Instant now, ConnectionId connection, std::uint32_t stream_id);
  bool stop_receiving(ConnectionId connection, std::uint32_t stream_id, std::uint64_t code = 0);
  // Flow control (docs/extended_sessions.md, section 9); no effect where the peer has none. The application has read so
  // many bytes of the stream, where it says so by hand; also of one that has ended.
  void consume(ConnectionId connection, std::uint32_t stream_id, std::uint64_t bytes);
  // What this side grants the streams of a connection; absent where the peer has no flow control, and before the
  // connection is established.
  [[nodiscard]] std::optional<FlowWindows> flow_windows(ConnectionId connection) const;
  // What connections grant in place of Config::handshake.flow, for an owner that knows it only when its socket is open.
  // Requires that no connection has begun.
  void set_flow_windows(const FlowWindows& windows);
  // While a stream is paused what arrives of it counts as unread, so that its sender stops after a window. False when
  // no such stream is open, or there is no flow control.
  bool set_paused(ConnectionId connection, std::uint32_t stream_id, bool paused);
  // Pings at once; PingAnswered follows.
  [[nodiscard]] Status ping(Instant now, ConnectionId connection);
  // Asks the peer for a sign of life, as a connection does by itself while packets wait for acknowledgements: Suspect
  // follows when there is none for `patience` (at least KeepAliveConfig::prompt_suspect_after).
  void expect_answer(Instant now, ConnectionId connection, Duration patience);
  // Shakes hands with the peer anew beside the session, which stays in use until the handshake has succeeded, and goes
  // on if the peer is heard of before: for a peer that is Suspect, because it has restarted or the path has changed. On
  // success Closed{kReplaced} follows and then Connected, under a new name. To be called again while the peer stays
  // suspect: without effect while a handshake runs. Errors: kNotFound; kInvalidArgument unless this side has connected.
  [[nodiscard]] Status reconnect(Instant now, ConnectionId connection);
  // Tells the peer (one error acknowledgement with `text`, and in an extended session `code`, the application's) and
  // ends the connection; Closed{kLocal} follows.
  void close(Instant now, ConnectionId connection, std::string_view text = {}, std::uint64_t code = 0);
  void close_all(Instant now, std::string_view text = {});
  void set_congestion(Instant now, ConnectionId connection, CongestionKind kind);
  // Application bits per second of one connection, in place of Config::connection_rate_limit; absent: no limit.
  void set_rate_limit(Instant now, ConnectionId connection, std::optional<Bandwidth> limit);

  // --- While there is nothing else to do ---
  // Makes an ephemeral key pair for a handshake to come: one X25519 operation (some 35 us) that this will not wait for.
  // False, without having done anything, when enough wait (HandshakeConfig::prepared_keys, and no more than handshakes
  // have used so far). An endpoint whose owner never calls it makes each pair when it is needed. Not to be called in a
  // child by fork(), as nothing else is.
  bool prepare_handshakes() { return ephemeral_keys_.make_one(); }

  // --- Outputs ---
  // The next batch, carved from `buffer`; nothing when there is nothing to send now or the buffer is full. Connections
  // take turns, one batch each.
  [[nodiscard]] std::optional<DatagramBatch> poll_transmit(Instant now, TransmitBuffer& buffer);
  // The short message that has been queued for the connection whose accounts wait, if it may go as things stand without
  // them; nothing otherwise, and then it comes out of poll_transmit().
  [[nodiscard]] std::optional<DatagramBatch> poll_reply(Instant now, TransmitBuffer& buffer);
  // Null when nothing has happened. The event stays valid until the next call of poll_event(): the members above may
  // be called while it is read.
  [[nodiscard]] EndpointEvent* poll_event() { return events_.poll(); }
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // Whether a timer that has been set is due. What a lone datagram of an established session has changed since the last
  // call of next_timeout() does not count, which makes this the cheaper question.
  [[nodiscard]] bool timer_is_due(Instant now);

  // --- Numbers ---
  [[nodiscard]] const PublicKey& public_key() const { return keys_.public_key(); }
  [[nodiscard]] ExtendedPolicy extended_policy() const { return config_.handshake.extended; }
  [[nodiscard]] std::size_t connection_count() const { return open_; }
  // Connections that have ended and whose peer has not answered their close packet yet: worth a second before the
  // socket closes.
  [[nodiscard]] std::size_t closing_count() const { return closing_.size(); }
  [[nodiscard]] std::vector<ConnectionId> connections() const;
  [[nodiscard]] std::optional<ConnectionStatistics> statistics(ConnectionId connection) const;
  [[nodiscard]] std::optional<SocketAddress> remote_address(ConnectionId connection) const;
  // Nothing of a connection that has ended, is of the deployed form, or has not waited for three seconds for an answer.
  [[nodiscard]] std::optional<PathState> path_state(ConnectionId connection) const;
  struct Liveness {
    bool suspect = false;                      // Suspect was reported, and the peer has been silent since
    PathProblem problem = PathProblem::kNone;  // the latest since the peer was last heard of
  };
  [[nodiscard]] Liveness liveness(ConnectionId connection) const;
  [[nodiscard]] EndpointStatistics statistics() const;
  [[nodiscard]] const Admission& admission() const { return admission_; }

  // For the simulator's checkers, which look inside.
  [[nodiscard]] const Connection* inspect(ConnectionId connection) const;
  // Of both roles. Walks all routes.
  [[nodiscard]] std::size_t pending_handshakes() const;

 private:
  [[nodiscard]] std::optional<std::uint32_t> slot_of(ConnectionId connection) const;
  [[nodiscard]] std::optional<std::uint32_t> slot_of(const SocketAddress& remote);
  [[nodiscard]] const Connection* find(ConnectionId connection) const;

  // The only ways to change a route: `use` gets it, and what depends on its state (its timers, its place among the
  // ready, what is counted) is brought up to date afterwards. Returns what `use` returns.
  template <typename Use>
  auto with_slot(std::uint32_t slot, Use use);
  // The same for the connection of that name, `absent` when it has ended.
  template <typename T, typename Use>
  T with_connection(ConnectionId connection, T absent, Use use);
  void update_after_use(std::uint32_t slot);

  [[nodiscard]] std::uint32_t open_slot(const SocketAddress& remote);
  void retire(std::uint32_t slot);
  // Tells the peer and the application.
  void end_connection(Instant now, std::uint32_t slot, CloseReason reason, std::string_view text,
                      std::uint64_t code = 0);

  // --- Places in the connection table (endpoint_places.cc) ---
  [[nodiscard]] bool is_known_peer(const SocketAddress& remote) const;
  [[nodiscard]] bool inbound_full() const;
  // Whether a connection that somebody begins at `remote` would find a place. Nobody loses one: the address is
  // unproven.
  // Without anybody giving way.
  [[nodiscard]] bool has_free_place(const SocketAddress& remote) const;
  [[nodiscard]] bool would_admit(Instant now, const SocketAddress& remote);
  [[nodiscard]] std::optional<std::uint32_t> place_for(Instant now, const SocketAddress& remote);
  // A place for a connection that this side begins. False when this side holds all of them.
  [[nodiscard]] bool make_own_place(Instant now);
  // The route may have become established: it takes a place, another one may have to give way, or it is closed again.
  void take_place(Instant now, std::uint32_t slot);
  void give_up_place(std::uint32_t slot);
  void evict(Instant now, std::uint32_t slot);
  [[nodiscard]] Instant last_heard(Instant now, std::uint32_t slot) const;

  // Worth a look at the session of its address.
  [[nodiscard]] bool is_symmetric(wire::DatagramClass kind) const {
    if (kind == wire::DatagramClass::kSymmetric) [[likely]]
      return true;
    return kind == wire::DatagramClass::kLongSymmetric && config_.handshake.extended != ExtendedPolicy::kOff &&
           config_.handshake.largest_datagram > wire::kMaxReceivedDatagram;
  }
  void receive_symmetric(Instant now, const DatagramBatch& batch, Accounts accounts);
  void receive_on_route(Instant now, std::uint32_t slot, const DatagramBatch& batch,
                        Accounts accounts = Accounts::kAtOnce);
  // Config::filter wants nothing from there.
  [[nodiscard]] bool is_refused(const SocketAddress& remote);
  void receive_without_connection(Instant now, const DatagramBatch& batch);
  // Of a peer of an extended session that has another address than before (endpoint_paths.cc).
  [[nodiscard]] bool receive_elsewhere(Instant now, const DatagramBatch& batch, MutableBytes datagram);
  void move_route(Instant now, std::uint32_t slot, const PathAddress& path);
  void send_openers(const PeerPaths& paths);
  [[nodiscard]] std::optional<PathState> state_of_attempt(const Connection& connection,
                                                          const Handshake& handshake) const;
  void report_refused_path(const PathReport& report);
  // What is known of its paths, to the session of `slot` that has come about.
  void give_paths(Instant now, std::uint32_t slot);
  void note_tag(std::uint32_t slot);
  void forget_tag(std::uint32_t slot);
  void receive_intro(Instant now, const DatagramBatch& batch, MutableBytes datagram);
  void answer_intro(Instant now, const DatagramBatch& batch, const IntroSeen& intro, IntroSource source);
  void queue_reset(Instant now, const DatagramBatch& batch, ByteView datagram);
  void queue_error_ack(Instant now, const DatagramBatch& batch, const IntroSeen& intro, std::string_view text);

  // Closes connections while the memory of all inbound streams nears its bound: endpoint_memory.cc.
  void relieve_memory(Instant now);

  void arm(std::uint32_t slot) const;
  // Every connection that was used since the last call, unless its timer has been set meanwhile.
  void arm_used() const;
  void mark_ready(std::uint32_t slot);
  void share_budget(Instant now, std::uint32_t slot);

  Config config_;
  KeyPair keys_;
  RandomSource& random_;
  trace::Sink* sink_;
  trace::CostSink* cost_;
  KeyUsage key_usage_;
  ResetTokens resets_;
  EphemeralKeys ephemeral_keys_;
  Cookies cookies_;
  CookieJar cookie_jar_;
  HandshakeContext handshake_;

  PortSearchBudget port_searches_;  // outlives the connections
  ReassemblyBudget reassembly_;
  EventQueue events_;          // outlives the connections, whose memory its events show
  std::vector<Route> routes_;  // by slot
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t table_secret_;  // the keys of all tables of addresses come from it
  StaticAgreements static_agreements_;
  AddressTable by_address_;
  SocketAddress last_remote_;  // of the last batch, and its slot: batches of one peer come together
  std::uint32_t last_slot_ = 0;
  static constexpr std::uint32_t kNobody = 0xffff'ffff;
  std::uint32_t unsettled_ = kNobody;                 // the slot whose accounts wait for settle()
  Instant unsettled_at_{};                            // when its datagram came, or its reply left
  bool arms_before_asking_ = false;                   // something has come that may set a timer for this moment
  IdMap by_tag_;                                      // own random tag of an extended session -> slot
  mutable TimerQueue timers_;                         // brought up to date by arm_used()
  mutable std::vector<std::uint32_t> used_;           // slots used since arm_used(), each once
  FifoRing<std::uint32_t> ready_;                     // slots with something to transmit, in turn
  std::unique_ptr<const ConnectionContext> context_;  // what all connections share
  Admission admission_;
  std::unique_ptr<const RouteContext> route_context_;
  PrefixShares inbound_;  // connections that others have begun
  std::size_t reserved_ = 0;
  HashKey known_key_;
  RecentSet known_peers_;   // addresses that were connected to and have proved their key
  RecentSet former_peers_;  // addresses of sessions that have ended: their peers get no reset
  FairShare budget_;
  std::size_t open_ = 0;
  EndpointStatistics statistics_;

  // Error acks and resets to strangers, and openers, which have no connection to send them.
  struct StatelessDatagram {
    SocketAddress local;
    SocketAddress remote;
    std::vector<std::uint8_t> bytes;
    std::uint8_t hop_limit = 0;
  };
  // That may wait for transmission; admission limits their rate well below.
  static constexpr std::size_t kMaxStatelessDatagrams = 64;
  std::deque<StatelessDatagram> stateless_;
  struct KnownPaths {
    PublicKey peer;
    PeerPaths paths;
    Instant since;
  };
  // Null: nothing is known of the peer, or not any more.
  [[nodiscard]] const KnownPaths* find_known(Instant now, const PublicKey& peer) const;
  std::deque<KnownPaths> known_paths_;  // oldest first
  ClosingSessions closing_;
  ResetBudget reset_budget_;
};

}  // namespace godwit
