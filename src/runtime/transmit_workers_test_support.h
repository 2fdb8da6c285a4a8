// Nodes that seal and send on several threads, over real sockets. Each side runs on a thread of its own; every message
// is compared byte for byte where it arrives, and its sender overwrites the bytes as soon as it is told that they are
// not read any more: ThreadSanitizer and AddressSanitizer see whoever reads them later.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/node.h"
#include "udp/send_calls.h"

namespace godwit::transmit_workers_test {

inline KeyPair make_keys() {
  SystemRandom random;
  return std::move(*KeyPair::generate(random));
}

// Message `number` of so many bytes.
inline void fill(MutableBytes bytes, std::uint64_t number) {
  DeterministicRandom random(number);
  random.fill(bytes);
  store_le(bytes.data(), number);
}

inline NodeConfig make_config(std::size_t threads) {
  NodeConfig config;
  config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  config.idle = IdleStrategy::kBlock;
  config.threads = threads;
  config.endpoint.handshake.extended = ExtendedPolicy::kRequire;
  config.endpoint.handshake.largest_datagram = wire::kMaxDatagram;  // larger ones are not put off (crypto/gcm_batch.h)
  return config;
}

// Takes messages and compares them.
struct Receiver final : Node::Handler {
  void on_event(Node& /*node*/, ConnectionId /*connection*/, Event& event) override {
    if (const auto* message = std::get_if<StreamMessage>(&event)) check(message->payload);
    if (const auto* message = std::get_if<MessageReceived>(&event)) check(message->payload);
    if (std::holds_alternative<Closed>(event)) ++closed;
  }
  void check(ByteView payload) {
    std::vector<std::uint8_t> expected(payload.size());
    fill(expected, load_le<std::uint64_t>(payload.data()));
    if (!std::ranges::equal(expected, payload)) ++wrong;
    ++received;
  }
  std::atomic<std::uint64_t> received = 0;
  std::atomic<std::uint64_t> wrong = 0;
  std::atomic<std::uint64_t> closed = 0;
};

// Sends `count` messages of `bytes` each, `window` at a time, from memory of its own that it overwrites afterwards.
struct Sender final : Node::Handler {
  Sender(std::uint64_t count, std::size_t bytes, std::size_t window) : left(count), size(bytes), most(window) {}

  void on_event(Node& node, ConnectionId id, Event& event) override {
    if (std::holds_alternative<Connected>(event)) {
      connection = id;
      node.wake();
    }
    if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) {
      ++ended;
      ++acknowledged;
      overwrite(confirmed->message);
    }
    if (const auto* failed = std::get_if<MessageFailed>(&event)) {
      ++ended;
      overwrite(failed->message);
    }
    if (std::holds_alternative<Closed>(event)) is_closed = true;
    if (const auto statistics = node.endpoint().statistics(id)) last = *statistics;
    if (stop_after != 0 && acknowledged >= stop_after) {
      if (closes) node.close(id);
      node.stop();
    }
    if (is_closed || (left == 0 && under_way.empty())) node.stop();
  }
  void on_turn(Node& node) override {
    while (connection != 0 && !is_closed && left > 0 && under_way.size() < most) {
      std::vector<std::uint8_t> bytes(size);
      fill(bytes, left);
      const auto message = node.send(connection, Body::borrowed(bytes), {.as = SendAs::kStream});
      if (!message) return;
      under_way.emplace(*message, std::move(bytes));
      --left;
    }
  }
  void overwrite(MessageId message) {
    const auto found = under_way.find(message);
    ASSERT_NE(found, under_way.end());
    std::ranges::fill(found->second, 0xdd);
    under_way.erase(found);
  }

  std::uint64_t left;
  std::size_t size;
  std::size_t most;
  std::uint64_t stop_after = 0;
  bool closes = false;
  ConnectionId connection = 0;
  bool is_closed = false;
  std::uint64_t ended = 0;
  std::uint64_t acknowledged = 0;
  ConnectionStatistics last;
  std::unordered_map<MessageId, std::vector<std::uint8_t>> under_way;
};

// A receiving node on a thread of its own.
class Listener {
 public:
  explicit Listener(const NodeConfig& config) {
    KeyPair keys = make_keys();
    key_ = keys.public_key();
    auto node = Node::open(config, std::move(keys));
    EXPECT_TRUE(node) << node.error().message;
    node_ = std::move(*node);
    thread_ = std::thread([this] { node_->run(receiver_); });
  }
  ~Listener() {
    node_->stop();
    thread_.join();
  }
  [[nodiscard]] const PublicKey& key() const { return key_; }
  [[nodiscard]] const SocketAddress& address() const { return node_->local_address(); }
  [[nodiscard]] const Receiver& seen() const { return receiver_; }

 private:
  PublicKey key_;
  std::unique_ptr<Node> node_;
  Receiver receiver_;
  std::thread thread_;
};

inline std::unique_ptr<Node> open_sender(const NodeConfig& config) {
  auto node = Node::open(config, make_keys());
  EXPECT_TRUE(node) << node.error().message;
  return node ? std::move(*node) : nullptr;
}

// Opens a node, connects it and runs it until `handler` stops it. Null when that fails.
inline std::unique_ptr<Node> run_sender(const NodeConfig& config, const SocketAddress& address, const PublicKey& key,
                                        Node::Handler& handler) {
  auto node = open_sender(config);
  if (node == nullptr) return nullptr;
  const auto connection = node->connect(address, key);
  EXPECT_TRUE(connection);
  if (!connection) return nullptr;
  node->run(handler);
  return node;
}
inline std::unique_ptr<Node> run_sender(const NodeConfig& config, const Listener& listener, Node::Handler& handler) {
  return run_sender(config, listener.address(), listener.key(), handler);
}

inline std::unique_ptr<Backend> open_backend(BackendKind kind) {
  SocketOptions options;
  options.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  auto socket = Socket::open(options);
  EXPECT_TRUE(socket);
  auto backend = make_backend(kind, std::move(*socket), {});
  EXPECT_TRUE(backend);
  return *std::move(backend);
}

// Says at every fifth call that the socket is full.
class OftenFull final : public SendCalls {
 public:
  int send_message(int descriptor, const msghdr& message) override {
    return strikes() ? -EAGAIN : SendCalls::send_message(descriptor, message);
  }
  int send_messages(int descriptor, KernelMessage* messages, unsigned count) override {
    if (strikes()) return -EAGAIN;
    return SendCalls::send_messages(descriptor, messages, strikes() ? std::max(count / 2, 1U) : count);
  }
  [[nodiscard]] std::uint64_t struck() const { return struck_; }

 private:
  bool strikes() {
    if (++calls_ % 5 != 0) return false;
    ++struck_;
    return true;
  }
  std::atomic<std::uint64_t> calls_ = 0;
  std::atomic<std::uint64_t> struck_ = 0;
};

struct Case {
  std::size_t threads;
  BackendKind backend;
  bool faults = false;  // the owner sends, and loses some
};

class TransmitWorkersOf : public testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] static NodeConfig config() {
    NodeConfig made = make_config(GetParam().threads);
    made.backend = GetParam().backend;
    if (GetParam().faults) made.faults.drop = 0.005;
    return made;
  }
};

inline std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(to_string(info.param.backend)) + "_" + std::to_string(info.param.threads) +
         (info.param.faults ? "_with_losses" : "");
}

inline const auto kEachWay =
    testing::Values(Case{2, BackendKind::kGso}, Case{3, BackendKind::kGso}, Case{2, BackendKind::kSendto},
                    Case{3, BackendKind::kMmsg}, Case{2, BackendKind::kPosix}, Case{3, BackendKind::kGso, true});

}  // namespace godwit::transmit_workers_test
