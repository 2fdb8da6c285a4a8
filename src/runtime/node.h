// One event loop on one socket: owns the back end, the endpoint, the randomness and the clock, and drives the sans-I/O
// core with them. A turn reads the clock when it begins, after every call of the application and before it sends or
// sleeps, so that the time an application takes is nobody's round trip. It receives first, does a bounded amount of
// work and sleeps when there is none. One thread runs a Node; more cores are more Nodes on one port (shards.h). Only
// stop(), wake() and post() may be called from other threads, stop() and wake() from signal handlers too. A Node does
// not survive fork(): in a child, turn(), connect() and send() abort, since the parent goes on with the same keys and
// nonces; a child opens a Node of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "crypto/keypair.h"
#include "runtime/fork_guard.h"
#include "runtime/further_ports.h"
#include "runtime/idle_policy.h"
#include "runtime/shard_link.h"
#include "runtime/system_random.h"
#include "runtime/transmit_workers.h"
#include "transport/endpoint.h"
#include "udp/backend.h"
#include "udp/faulty_backend.h"

namespace godwit {

[[nodiscard]] std::optional<IdleStrategy> parse_idle_strategy(std::string_view text);

struct NodeConfig {
  Config endpoint;
  SocketOptions socket;
  BackendKind backend = BackendKind::kAuto;
  BackendConfig backend_config;
  FaultPlan faults;  // of what this process sends; none by default
  IdleStrategy idle = IdleStrategy::kSpinBlock;
  Duration spin_for = 50us;         // of kSpinBlock: what it costs at most to poll in vain
  std::size_t receive_rounds = 4;   // receive calls a turn, at most
  std::size_t transmit_rounds = 4;  // buffers of 128 KiB sent a turn, at most
  // That work for the node: the one that runs it, and others that seal and send (transmit_workers.h). 0 and 1: none of
  // these.
  std::size_t threads = 1;
};

struct NodeStatistics {
  std::uint64_t turns = 0;
  std::uint64_t waits = 0;    // turns that went to sleep
  std::uint64_t replies = 0;  // short messages that left before the accounts of what they answer
  std::uint64_t posted_calls = 0;
};

class Node {
 public:
  // The application's side of the loop. Called on the thread that runs it.
  class Handler {
   public:
    virtual ~Handler() = default;
    // Views in the event are valid during the call.
    virtual void on_event(Node& node, ConnectionId connection, Event& event) = 0;
    // Once a turn, before transmission: the place to send more.
    virtual void on_turn(Node& node) { static_cast<void>(node); }
  };

  // Errors: those of check_config, Socket::open and make_backend, as one line each.
  [[nodiscard]] static Result<std::unique_ptr<Node>> open(const NodeConfig& config, KeyPair keys,
                                                          trace::Sink* sink = nullptr, trace::CostSink* cost = nullptr);
  // On a socket that is bound already (NodeConfig::socket is not read); `link`, of a shard, outlives the node.
  [[nodiscard]] static Result<std::unique_ptr<Node>> open_on(Socket socket, const NodeConfig& config, KeyPair keys,
                                                             ShardLink* link = nullptr, trace::Sink* sink = nullptr,
                                                             trace::CostSink* cost = nullptr);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] Endpoint& endpoint() { return *endpoint_; }
  [[nodiscard]] const Endpoint& endpoint() const { return *endpoint_; }
  [[nodiscard]] const Backend& backend() const { return *backend_; }
  [[nodiscard]] const SocketAddress& local_address() const { return backend_->socket().local_address(); }
  [[nodiscard]] RandomSource& random() { return random_; }
  // The time, read now. Inputs of endpoint() take it; what the shorthands below need they read themselves.
  [[nodiscard]] Instant now() { return read_clock(); }
  // The latest reading of the clock, for what happens once a packet: at most as old as the present batch of datagrams.
  [[nodiscard]] Instant last_reading() const { return now_; }
  // What was injected, when NodeConfig::faults has anything.
  [[nodiscard]] std::optional<FaultStatistics> faults() const;
  [[nodiscard]] const NodeStatistics& statistics() const { return statistics_; }
  // Null unless NodeConfig::threads asks for some.
  [[nodiscard]] const TransmitWorkers* workers() const { return workers_.get(); }

  // Whether the peer's datagrams come to this node: always, unless it is a shard.
  [[nodiscard]] bool serves(const SocketAddress& remote) const { return link_ == nullptr || link_->owns(remote); }
  // It is one of several on its port.
  [[nodiscard]] bool is_shard() const { return link_ != nullptr; }

  // Aborts in a child of fork(): for what sends through endpoint() directly.
  void check_process() const;

  // Shorthands for endpoint() with the present time, which a send does not need. A shard refuses to connect to another
  // shard's peer (kInvalidArgument): its answers would not come here.
  [[nodiscard]] Result<ConnectionId> connect(const SocketAddress& remote, const PublicKey& peer);
  [[nodiscard]] Result<MessageId> send(ConnectionId connection, Body&& body, SendOptions options = {});
  void close(ConnectionId connection, std::string_view text = {}, std::uint64_t code = 0);

  // Turns until stop(), whose effect ends with it: run() may be called again.
  void run(Handler& handler);
  // One turn; sleeps at most `longest_wait` (none: until something happens). For loops of others, with descriptor().
  void turn(Handler& handler, std::optional<Duration> longest_wait = std::nullopt);
  // From a handler: this turn does not sleep beyond `deadline`, when on_turn has something to do.
  void wake_at(Instant deadline) { wake_at_ = wake_at_ ? std::min(*wake_at_, deadline) : deadline; }
  [[nodiscard]] int descriptor() const { return backend_->descriptor(); }
  // When turn() has something to do without input; in the past when the last one has left some work over.
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  void stop() noexcept;
  [[nodiscard]] bool stopping() const noexcept { return stopping_.load(std::memory_order_relaxed); }
  void wake() noexcept;
  // Runs `call` on the loop's thread in its next turn. At most kMaxPostedCalls wait; false when there is no room.
  [[nodiscard]] bool post(std::function<void(Node&)> call);
  static constexpr std::size_t kMaxPostedCalls = 4096;

 private:
  Node(const NodeConfig& config, std::unique_ptr<Backend> backend, FaultyBackend* faulty, FurtherPorts* further,
       ShardLink* link, trace::CostSink* cost);

  Instant read_clock();
  void open_further_ports();
  void close_further_ports();
  void take_path_reports();
  void note_sleeper(bool sleeps);
  bool receive(Handler& handler);
  void send_reply();
  void receive_forwarded(Handler& handler);
  bool deliver_events(Handler& handler);
  bool transmit();
  bool transmit_with_workers();
  void run_posted();
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  void wait(std::optional<Duration> longest_wait);
  void poll_input();

  NodeConfig config_;
  ForkGuard guard_;
  SystemRandom random_;
  std::unique_ptr<Backend> backend_;
  FaultyBackend* faulty_ = nullptr;           // backend_ itself, when it injects faults
  FurtherPorts* further_ = nullptr;           // in backend_, where there may be any
  Instant further_looked_at_{};               // which of them are in use
  std::unique_ptr<TransmitWorkers> workers_;  // asked until the last body of the endpoint has been released
  std::unique_ptr<Endpoint> endpoint_;
  ShardLink* link_;  // null unless a shard
  trace::CostSink* cost_;

  ReceivedBatches inbox_;
  bool polled_input_ = false;                  // inbox_ holds what the end of the last turn found
  std::vector<ShardMailbox::Parcel> parcels_;  // batches that other shards passed on
  TransmitBuffer buffer_{128 * 1024};
  std::vector<DatagramBatch> unsent_;  // batches in buffer_ that the socket has not taken
  std::size_t unsent_begin_ = 0;
  Instant now_{};  // the last reading of the clock
  IdlePolicy idle_;
  std::optional<Instant> wake_at_;  // of this turn
  bool sleeps_ = false;             // the last turn was allowed to sleep
  bool busy_ = false;               // the last turn has left work over
  bool workers_busy_ = false;       // it has left batches with workers, who may find the socket full
  NodeStatistics statistics_;

  std::atomic<bool> stopping_{false};
  std::atomic<bool> has_posted_{false};
  std::mutex posted_mutex_;
  std::vector<std::function<void(Node&)>> posted_;
};

}  // namespace godwit
