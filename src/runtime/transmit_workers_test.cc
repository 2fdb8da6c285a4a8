// Nodes that seal and send on several threads, over real sockets. Each side runs on a thread of its own; every message
// is compared byte for byte where it arrives, and its sender overwrites the bytes as soon as it is told that they are
// not read any more: ThreadSanitizer and AddressSanitizer see whoever reads them later.

#include "runtime/transmit_workers.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/clock.h"
#include "runtime/node.h"
#include "udp/send_calls.h"

namespace godwit::transmit_workers_test {
namespace {

KeyPair make_keys() {
  SystemRandom random;
  return std::move(*KeyPair::generate(random));
}

// Message `number` of so many bytes.
void fill(MutableBytes bytes, std::uint64_t number) {
  DeterministicRandom random(number);
  random.fill(bytes);
  store_le(bytes.data(), number);
}

NodeConfig make_config(std::size_t threads) {
  NodeConfig config;
  config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  config.idle = IdleStrategy::kBlock;
  config.threads = threads;
  config.endpoint.handshake.extended = ExtendedPolicy::kRequire;
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

std::unique_ptr<Node> open_sender(const NodeConfig& config) {
  auto node = Node::open(config, make_keys());
  EXPECT_TRUE(node) << node.error().message;
  return node ? std::move(*node) : nullptr;
}

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

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(to_string(info.param.backend)) + "_" + std::to_string(info.param.threads) +
         (info.param.faults ? "_with_losses" : "");
}

INSTANTIATE_TEST_SUITE_P(Threads, TransmitWorkersOf,
                         testing::Values(Case{2, BackendKind::kGso}, Case{3, BackendKind::kGso},
                                         Case{2, BackendKind::kSendto}, Case{3, BackendKind::kMmsg},
                                         Case{2, BackendKind::kPosix}, Case{3, BackendKind::kGso, true}),
                         name_of);

TEST_P(TransmitWorkersOf, DeliverEveryByteOfEveryStream) {
  const Listener listener(make_config(1));
  const auto node = open_sender(config());
  ASSERT_TRUE(node);
  Sender sender(60, 700'000, 5);
  ASSERT_TRUE(node->connect(listener.address(), listener.key()));
  node->run(sender);
  EXPECT_EQ(sender.acknowledged, 60U);
  EXPECT_EQ(listener.seen().received, 60U);
  EXPECT_EQ(listener.seen().wrong, 0U);
  const TransmitWorkersStatistics counted = node->workers()->statistics();
  EXPECT_GT(counted.jobs, 100U);
  EXPECT_GE(counted.rounds, counted.sealed_by_workers + counted.sealed_by_owner);
  EXPECT_EQ(node->workers()->workers_send(), !GetParam().faults);
}

TEST_P(TransmitWorkersOf, GoOnAcrossKeyUpdates) {
  NodeConfig receiving = make_config(1);
  NodeConfig sending = config();
  sending.endpoint.soft_packet_limit = receiving.endpoint.soft_packet_limit = 500;
  const Listener listener(receiving);
  const auto node = open_sender(sending);
  ASSERT_TRUE(node);
  Sender sender(20, 700'000, 5);
  ASSERT_TRUE(node->connect(listener.address(), listener.key()));
  node->run(sender);
  EXPECT_EQ(sender.acknowledged, 20U);
  EXPECT_EQ(listener.seen().wrong, 0U);
  EXPECT_GT(sender.last.key_updates, 5U);
}

// Batches are on their way when the application closes the connection, and again when it closes the node.
TEST_P(TransmitWorkersOf, ReadNothingOfWhatFailedWithItsConnection) {
  const Listener listener(make_config(1));
  for (const bool closes : {true, false, true, false}) {
    auto node = open_sender(config());
    ASSERT_TRUE(node);
    Sender sender(1000, 300'000, 8);
    sender.stop_after = 6;
    sender.closes = closes;
    ASSERT_TRUE(node->connect(listener.address(), listener.key()));
    node->run(sender);
    EXPECT_GE(sender.acknowledged, 6U);
    while (closes && !sender.is_closed) node->turn(sender, 1ms);
    if (closes) {
      EXPECT_TRUE(sender.under_way.empty()) << "every message has ended with its connection";
    }
    node.reset();
    for (auto& [message, bytes] : sender.under_way) std::ranges::fill(bytes, 0xdd);
  }
  EXPECT_EQ(listener.seen().wrong, 0U);
}

TEST_P(TransmitWorkersOf, CarryBothDirectionsAndSmallMessages) {
  const Listener listener(config());
  const auto node = open_sender(config());
  ASSERT_TRUE(node);
  Sender sender(3000, 200, 50);
  ASSERT_TRUE(node->connect(listener.address(), listener.key()));
  node->run(sender);
  EXPECT_EQ(sender.acknowledged, 3000U);
  EXPECT_EQ(listener.seen().received, 3000U);
  EXPECT_EQ(listener.seen().wrong, 0U);
}

// Passes datagrams on in both directions. What goes to the server comes from another port whenever change() is called,
// as behind a translation that has forgotten.
class Relay {
 public:
  explicit Relay(const SocketAddress& server) : server_(server), front_(open()) {
    back_.push_back(open());
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    ends_ = true;
    thread_.join();
  }
  [[nodiscard]] const SocketAddress& address() const { return front_->socket().local_address(); }
  void change() { ++changes_; }

 private:
  static std::unique_ptr<Backend> open() {
    SocketOptions options;
    options.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
    auto socket = Socket::open(options);
    EXPECT_TRUE(socket);
    auto backend = make_backend(BackendKind::kGso, std::move(*socket), {});
    EXPECT_TRUE(backend);
    return std::move(*backend);
  }
  void run() {
    ReceivedBatches inbox;
    std::uint64_t done = 0;
    while (!ends_) {
      if (done < changes_) {
        ++done;
        back_.push_back(open());
      }
      front_->receive(inbox);
      for (DatagramBatch& batch : inbox.batches()) {
        client_ = batch.remote;
        pass(batch, server_, *back_.back());
      }
      // Answers to a former port are lost.
      back_.back()->receive(inbox);
      for (DatagramBatch& batch : inbox.batches()) pass(batch, client_, *front_);
      if (inbox.empty()) front_->wait(100us);
    }
  }
  static void pass(DatagramBatch batch, const SocketAddress& to, Backend& through) {
    batch.local = {};
    batch.remote = to;
    static_cast<void>(through.send({&batch, 1}));
  }

  SocketAddress server_;
  SocketAddress client_;
  std::unique_ptr<Backend> front_;
  std::vector<std::unique_ptr<Backend>> back_;
  std::atomic<std::uint64_t> changes_ = 0;
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

TEST_P(TransmitWorkersOf, FollowAPeerToAnotherAddress) {
  // The one that follows has the workers: it sends, and its peer's address changes.
  const Listener listener(make_config(1));
  Relay relay(listener.address());
  const auto node = open_sender(config());
  ASSERT_TRUE(node);
  Sender sender(30, 300'000, 4);
  ASSERT_TRUE(node->connect(relay.address(), listener.key()));
  std::atomic<bool> ends = false;
  std::thread changes([&] {
    for (int i = 0; i < 3 && !ends; ++i) {
      const std::uint64_t seen = listener.seen().received;
      while (!ends && listener.seen().received < seen + 5) std::this_thread::sleep_for(1ms);
      relay.change();
    }
  });
  node->run(sender);
  ends = true;
  changes.join();
  EXPECT_EQ(sender.acknowledged, 30U);
  EXPECT_EQ(listener.seen().wrong, 0U);
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

TEST_P(TransmitWorkersOf, KeepTheOrderWhereTheSocketIsFull) {
  if (GetParam().faults) GTEST_SKIP() << "the faults stand before the calls";
  const Listener listener(make_config(1));
  NodeConfig sending = config();
  const auto calls = std::make_shared<OftenFull>();
  sending.backend_config.send_calls = calls;
  const auto node = open_sender(sending);
  ASSERT_TRUE(node);
  Sender sender(20, 400'000, 4);
  ASSERT_TRUE(node->connect(listener.address(), listener.key()));
  node->run(sender);
  EXPECT_EQ(sender.acknowledged, 20U);
  EXPECT_EQ(listener.seen().wrong, 0U);
  EXPECT_GT(calls->struck(), 0U);
  EXPECT_GT(node->backend().statistics().blocked_sends, 0U);
}

TEST(TransmitWorkers, AreNoneUnlessAsked) {
  for (const std::size_t threads : {0U, 1U}) {
    const auto node = open_sender(make_config(threads));
    ASSERT_TRUE(node);
    EXPECT_EQ(node->workers(), nullptr);
  }
}

TEST(TransmitWorkers, AreRefusedBeyondTheirBound) {
  const auto node = Node::open(make_config(TransmitWorkers::kMostThreads + 1), make_keys());
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace godwit::transmit_workers_test
