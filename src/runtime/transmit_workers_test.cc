// What nodes with several threads send, as it arrives (transmit_workers_test_support.h).

#include "runtime/transmit_workers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/transmit_workers_test_support.h"

namespace godwit::transmit_workers_test {
namespace {

INSTANTIATE_TEST_SUITE_P(Threads, TransmitWorkersOf, kEachWay, name_of);

TEST_P(TransmitWorkersOf, DeliverEveryByteOfEveryStream) {
  const Listener listener(make_config(1));
  Sender sender(25, 500'000, 5);
  const auto node = run_sender(config(), listener, sender);
  ASSERT_TRUE(node);
  EXPECT_EQ(sender.acknowledged, 25U);
  EXPECT_EQ(listener.seen().received, 25U);
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
  Sender sender(20, 700'000, 5);
  const auto node = run_sender(sending, listener, sender);
  ASSERT_TRUE(node);
  EXPECT_EQ(sender.acknowledged, 20U);
  EXPECT_EQ(listener.seen().wrong, 0U);
  EXPECT_GT(sender.last.key_updates, 2U);
}

// Batches are on their way when the application closes the connection, and again when it closes the node.
TEST_P(TransmitWorkersOf, ReadNothingOfWhatFailedWithItsConnection) {
  const Listener listener(make_config(1));
  for (const bool closes : {true, false, true, false}) {
    Sender sender(1000, 300'000, 8);
    sender.stop_after = 6;
    sender.closes = closes;
    auto node = run_sender(config(), listener, sender);
    ASSERT_TRUE(node);
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
  Sender sender(3000, 200, 50);
  const auto node = run_sender(config(), listener, sender);
  ASSERT_TRUE(node);
  EXPECT_EQ(sender.acknowledged, 3000U);
  EXPECT_EQ(listener.seen().received, 3000U);
  EXPECT_EQ(listener.seen().wrong, 0U);
}

// Passes datagrams on in both directions. What goes to the server comes from another port whenever change() is called,
// as behind a translation that has forgotten.
class Relay {
 public:
  explicit Relay(const SocketAddress& server) : server_(server), front_(open_backend(BackendKind::kGso)) {
    back_.push_back(open_backend(BackendKind::kGso));
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    ends_ = true;
    thread_.join();
  }
  [[nodiscard]] const SocketAddress& address() const { return front_->socket().local_address(); }
  void change() { ++changes_; }

 private:
  void run() {
    ReceivedBatches inbox;
    std::uint64_t done = 0;
    while (!ends_) {
      if (done < changes_) {
        ++done;
        back_.push_back(open_backend(BackendKind::kGso));
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

TEST_P(TransmitWorkersOf, KeepTheOrderWhereTheSocketIsFull) {
  if (GetParam().faults) GTEST_SKIP() << "the faults stand before the calls";
  const Listener listener(make_config(1));
  NodeConfig sending = config();
  const auto calls = std::make_shared<OftenFull>();
  sending.backend_config.send_calls = calls;
  Sender sender(20, 400'000, 4);
  const auto node = run_sender(sending, listener, sender);
  ASSERT_TRUE(node);
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
