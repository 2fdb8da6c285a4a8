// A server on a thread of its own (the shipped Node) and a client that holds any number of connections to it on one
// socket, over loopback: what level 2 sends messages through and level 3 counts connections with. Connection i leaves
// from an address of its own within 127.0.0.0/8, so that the server sees as many peers. Delivered bytes are compared
// with what was sent, on the server.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "runtime/node.h"

namespace godwit::bench {

// What streams and messages of these cases carry: whole batches of 54 full packets.
inline constexpr std::size_t kPatternBytes = 54 * 1130 * 16;
[[nodiscard]] ByteView pattern();

// The shipped configuration, with admission open for connections from one machine.
[[nodiscard]] NodeConfig loopback_config(BackendKind backend = BackendKind::kAuto);

struct ServerTotals {
  std::uint64_t messages = 0;
  std::uint64_t message_bytes = 0;
  std::uint64_t message_sum = 0;  // of the numbers that messages begin with
  std::uint64_t stream_bytes = 0;
  std::uint64_t streams_finished = 0;
  std::uint64_t differences = 0;  // bytes that are not what was sent
  std::uint64_t connected = 0;
  std::uint64_t closed = 0;
  std::size_t open = 0;
  double cpu_seconds = 0;  // of the server's thread
  std::uint64_t kernel_drops = 0;
  std::uint64_t dropped = 0;                                        // datagrams the endpoint had no use for
  std::unordered_map<ConnectionId, std::uint64_t> stream_bytes_of;  // by connection
};

class BenchServer final : private Node::Handler {
 public:
  // A stream of this length is the slow reader's: its bytes are counted apart, and credit for it is granted by message.
  static constexpr std::uint64_t kSlowStreamBytes = std::uint64_t{64} << 20;
  struct Options {
    int core = 0;
    // Credit for a slow stream: so many bytes more every `slow_interval`; 0: none.
    std::uint64_t slow_bytes = 0;
    Duration slow_interval = std::chrono::milliseconds(10);
  };

  // Null when there is no socket.
  [[nodiscard]] static std::unique_ptr<BenchServer> start(const NodeConfig& config, const Options& options);
  [[nodiscard]] static std::unique_ptr<BenchServer> start(const NodeConfig& config) { return start(config, {}); }
  ~BenchServer() override;

  [[nodiscard]] SocketAddress address() const { return address_; }
  [[nodiscard]] const PublicKey& key() const { return key_; }
  // Taken on the server's thread.
  [[nodiscard]] ServerTotals totals();
  // Without asking the thread: for loops that wait.
  [[nodiscard]] std::uint64_t messages() const { return messages_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t stream_bytes() const { return stream_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t slow_bytes() const { return slow_received_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t slow_granted() const { return slow_granted_.load(std::memory_order_relaxed); }

 private:
  BenchServer(std::unique_ptr<Node> node, PublicKey key, const Options& options);
  void on_event(Node& node, ConnectionId connection, Event& event) override;
  void on_chunk(ConnectionId connection, const StreamChunk& chunk);
  void on_turn(Node& node) override;

  std::unique_ptr<Node> node_;
  PublicKey key_;
  Options options_;
  SocketAddress address_;
  ServerTotals totals_;
  std::atomic<std::uint64_t> messages_{0};
  std::atomic<std::uint64_t> stream_bytes_{0};
  std::atomic<std::uint64_t> slow_received_{0};
  std::atomic<std::uint64_t> slow_granted_{0};
  ConnectionId slow_connection_ = 0;
  std::optional<Instant> next_grant_;
  std::thread thread_;
};

// The shipped endpoint and back end in a loop of this file, which gives each connection its address and can cut batches
// to `batch` datagrams.
class BenchClient {
 public:
  [[nodiscard]] static std::unique_ptr<BenchClient> open(const NodeConfig& config, const BenchServer& server,
                                                         std::size_t batch = 64);

  // Opens so many more and runs until all are established; false after `patience`.
  [[nodiscard]] bool connect(std::size_t count, Duration patience = std::chrono::seconds(60));
  // Opens one, which is not awaited; its number, or nothing.
  [[nodiscard]] std::optional<std::size_t> initiate();
  // One turn of the loop: receives, runs timers, sends; sleeps at most so long when there was nothing to do.
  void turn(Duration longest_wait = Duration::zero());
  // Turns for so long, with `work` before each transmission.
  void run_for(Duration time, const std::function<void()>& work = {});
  // Turns until `done`, at most for `patience`; whether it was.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, Duration patience = std::chrono::seconds(20));

  [[nodiscard]] Endpoint& endpoint() { return *endpoint_; }
  [[nodiscard]] const Backend& backend() const { return *backend_; }
  [[nodiscard]] ConnectionId id(std::size_t index) const { return ids_[index]; }
  [[nodiscard]] std::size_t initiated() const { return ids_.size(); }
  [[nodiscard]] Instant now() const { return now_; }
  // Queues one stream of the whole pattern; false when it is refused.
  bool send_stream(std::size_t index);
  // Queues a message of `bytes` that begins with the next number.
  bool send_message(std::size_t index, std::size_t bytes);

  std::function<void(std::size_t index, Event& event)> on_event;

  std::uint64_t connected = 0;
  std::uint64_t closed = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t failed = 0;
  std::uint64_t sent_messages = 0;
  std::uint64_t sent_sum = 0;
  std::uint64_t sent_streams = 0;

 private:
  BenchClient(std::unique_ptr<Backend> backend, const Config& config, const BenchServer& server, std::size_t batch);
  void deliver_events();
  bool receive();
  bool transmit();

  std::unique_ptr<Backend> backend_;
  SystemRandom random_;
  SocketAddress server_;
  PublicKey key_;
  std::unique_ptr<Endpoint> endpoint_;
  ReceivedBatches inbox_;
  std::size_t batch_;
  TransmitBuffer buffer_{128 * 1024};
  std::vector<DatagramBatch> unsent_;
  std::size_t unsent_begin_ = 0;
  std::vector<ConnectionId> ids_;
  std::unordered_map<ConnectionId, std::size_t> index_of_;
  Instant now_;
};

// Processor time of the calling thread so far.
[[nodiscard]] double thread_cpu_seconds();

}  // namespace godwit::bench
