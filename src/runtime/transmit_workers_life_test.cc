// Where nodes with several threads meet what else happens in a process: the loop of somebody else, fork(), further
// sockets.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "crypto/packet_sealer.h"
#include "runtime/clock.h"
#include "runtime/foreign_loop.h"
#include "runtime/further_ports.h"
#include "runtime/transmit_workers.h"
#include "runtime/transmit_workers_test_support.h"
#include "udp/waker.h"

namespace godwit::transmit_workers_test {
namespace {

using TransmitWorkersLife = TransmitWorkersOf;
INSTANTIATE_TEST_SUITE_P(Threads, TransmitWorkersLife, kEachWay, name_of);

// A loop of others sleeps until next_timeout(), and hears of no worker.
TEST_P(TransmitWorkersLife, KeepALoopOfOthersAwakeUntilTheyAreDone) {
  const Listener listener(make_config(1));
  NodeConfig sending = config();
  if (!GetParam().faults) sending.backend_config.send_calls = std::make_shared<OftenFull>();
  const auto node = open_sender(sending);
  ASSERT_TRUE(node);
  auto loop = ForeignLoop::open(node->backend());
  ASSERT_TRUE(loop);
  Sender sender(15, 500'000, 5);
  ASSERT_TRUE(node->connect(listener.address(), listener.key()));
  while (!node->stopping()) {
    (*loop)->begin_turn();
    node->turn(sender, Duration::zero());
    (*loop)->end_turn(node->backend());
    const bool waits_for_room = node->backend().send_blocked();
    const auto next = node->next_timeout();
    if (node->workers()->on_their_way() > 0 && !waits_for_room) {
      ASSERT_TRUE(next);
      EXPECT_LE(*next, boot_time_now());
    }
    const Duration left = next ? std::max(*next - boot_time_now(), Duration::zero()) : Duration(1s);
    pollfd waiting{.fd = (*loop)->descriptor(), .events = POLLIN, .revents = 0};
    const timespec time = to_timespec(left);
    static_cast<void>(::ppoll(&waiting, 1, &time, nullptr));
  }
  EXPECT_EQ(sender.acknowledged, 15U);
  EXPECT_EQ(listener.seen().wrong, 0U);
}

void expect_clean_exit(pid_t child) {
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// A child has no workers, and whatever they held at the fork is held for ever.
struct Forking final : Node::Handler {
  explicit Forking(Sender& wrapped) : sender(wrapped) {}
  void on_event(Node& node, ConnectionId id, Event& event) override { sender.on_event(node, id, event); }
  void on_turn(Node& node) override {
    sender.on_turn(node);
    if (sender.acknowledged < 3 || forks == 8) return;
    ++forks;
    const pid_t child = fork();
    if (child == 0) {
      ::alarm(60);  // what is asserted is that it does not wait at all
      node.close(sender.connection);
      ::_exit(0);
    }
    expect_clean_exit(child);
  }
  Sender& sender;
  int forks = 0;
};

TEST_P(TransmitWorkersLife, LeaveAChildAlone) {
  const Listener listener(make_config(1));
  Sender sender(20, 500'000, 5);
  Forking forking(sender);
  auto node = run_sender(config(), listener, forking);
  ASSERT_TRUE(node);
  EXPECT_EQ(forking.forks, 8);
  EXPECT_EQ(sender.acknowledged, 20U);
  const pid_t child = fork();
  if (child == 0) {
    ::alarm(60);
    node.reset();
    ::_exit(0);
  }
  expect_clean_exit(child);
}

// Sends one datagram, and returns where it came from.
SocketAddress origin_of_one(TransmitWorkers& workers, const SocketAddress& from, Backend& to) {
  TransmitWorkers::Round* const round = workers.begin();
  EXPECT_NE(round, nullptr);
  TransmitBuffer& buffer = round->space();
  buffer.space()[0] = 1;
  round->add({.local = from, .remote = to.socket().local_address(), .bytes = buffer.commit(1), .segment_size = 1});
  workers.submit();
  EXPECT_FALSE(workers.end_turn());
  ReceivedBatches inbox;
  while (to.receive(inbox) == 0) static_cast<void>(to.wait(1s));
  return inbox.batches().front().remote;
}

// The body of a lone batch is released before anybody has begun with it.
TEST(TransmitWorkersAlone, SendWhatWasSealedForTheSakeOfItsBody) {
  const auto backend = open_backend(BackendKind::kAuto);
  const auto peer = open_backend(BackendKind::kAuto);
  const auto workers = TransmitWorkers::start(*backend, 2);
  ASSERT_TRUE(workers);
  TransmitWorkers::Round* const round = (*workers)->begin();
  ASSERT_NE(round, nullptr);
  TransmitBuffer& buffer = round->space();
  constexpr std::size_t kPackets = SealJob::kLeastPackets;
  constexpr std::size_t kDatagram = 100;
  std::vector<std::uint8_t> body(kDatagram - kEnvelopeOverhead, 7);
  std::vector<PacketToSeal> packets;
  for (std::size_t i = 0; i < kPackets; ++i) {
    packets.push_back({.nonce = nullptr,
                       .text = buffer.space().data() + i * kDatagram + kEnvelopePrefix,
                       .body = body.data(),
                       .size = body.size(),
                       .head_size = 0,
                       .body_size = body.size()});
  }
  DeterministicRandom random(1);
  PacketSealer sealer(make_packet_cipher(preferred_cipher(), SymmetricKey::generate(random)), random);
  if (!sealer.put_off(packets, *buffer.job())) GTEST_SKIP() << "this processor has no cipher for batches";
  const std::uint64_t ticket = buffer.job()->ticket;
  round->add({.local = {},
              .remote = peer->socket().local_address(),
              .bytes = buffer.commit(kPackets * kDatagram),
              .segment_size = kDatagram});
  (*workers)->submit();
  (*workers)->finish(ticket);
  std::ranges::fill(body, 0xdd);
  static_cast<void>((*workers)->end_turn());
  EXPECT_TRUE(peer->wait(60s).readable) << "it has been sealed and not sent";
}

TEST(TransmitWorkersAlone, DoNotSendWhileThereAreFurtherPorts) {
  FurtherPorts ports(open_backend(BackendKind::kAuto));
  const auto peer = open_backend(BackendKind::kAuto);
  const auto workers = TransmitWorkers::start(ports, 3);
  ASSERT_TRUE(workers);
  EXPECT_TRUE((*workers)->workers_send());
  (*workers)->keep_sending_to_owner(true);
  EXPECT_FALSE((*workers)->workers_send());
  const auto opened = ports.open(2);
  ASSERT_EQ(opened.size(), 2U);
  EXPECT_EQ(origin_of_one(**workers, opened[1], *peer), opened[1]);
  ports.keep({});
  (*workers)->keep_sending_to_owner(false);
  EXPECT_TRUE((*workers)->workers_send());
  EXPECT_EQ(origin_of_one(**workers, {}, *peer), ports.socket().local_address());
}

}  // namespace
}  // namespace godwit::transmit_workers_test
