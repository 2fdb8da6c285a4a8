// Would-block as the kernel gives it: loopback never fills a send buffer, so the test puts a slow queue (tbf) on the
// loopback device of a network namespace of its own. Skipped where that needs privileges or tools that are missing.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "udp/conformance_fixture.h"

namespace godwit {
namespace {

// Runs `body` in a thread with a namespace whose loopback passes 20 Mbit/s; returns why it could not.
std::string in_slow_namespace(const std::function<void()>& body) {
  std::string reason;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      reason = "a network namespace needs privileges";
    } else if (std::system("{ ip link set lo up && tc qdisc add dev lo root tbf rate 20mbit burst 3kb limit 4mb; } "
                           "2>/dev/null") != 0) {
      reason = "ip or tc with tbf is missing";
    } else {
      body();
    }
  }).join();
  return reason;
}

class BlockedSend : public testing::TestWithParam<BackendKind> {};

TEST_P(BlockedSend, AFullSendBufferBlocksAndEveryDatagramArrivesOnce) {
  const std::string reason = in_slow_namespace([] {
    auto from_socket = Socket::open({.bind = loopback(SocketFamily::kIpv4), .send_buffer_bytes = 8192});
    auto to_socket = Socket::open({.bind = loopback(SocketFamily::kIpv4)});
    ASSERT_TRUE(from_socket && to_socket);
    const SocketAddress from_address = from_socket->local_address();
    const SocketAddress target = to_socket->local_address();
    auto from = make_backend(GetParam(), *std::move(from_socket), {.allow_defective_kernel = true, .peer = target});
    auto to = make_backend(GetParam(), *std::move(to_socket), {.allow_defective_kernel = true, .peer = from_address});
    if (!from || !to) return;  // the conformance suite says why
    ReceivedBatches inbox;
    (*to)->receive(inbox);

    Datagrams sent;
    Datagrams arrived;
    for (std::uint32_t i = 0; i < 20; ++i) {
      const OwnedBatch batch(target, 1200, 10 * 1200 - i, i);
      append_datagrams(batch.batch, sent);
      while ((*from)->send({&batch.batch, 1}) == 0) {
        ASSERT_TRUE((*from)->send_blocked());
        const WaitOutcome outcome = (*from)->wait(std::chrono::seconds{5});
        ASSERT_TRUE(outcome.writable || (*from)->send_blocked());
      }
    }
    while ((*from)->send_blocked()) (*from)->wait(std::chrono::seconds{5});
    while (arrived.size() < sent.size() && (*to)->wait(std::chrono::seconds{5}).readable) {
      (*to)->receive(inbox);
      for (const DatagramBatch& part : inbox.batches()) append_datagrams(part, arrived);
    }
    EXPECT_EQ(arrived, sent);
    EXPECT_GT((*from)->statistics().blocked_sends, 0U);
    EXPECT_EQ((*from)->statistics().datagrams_sent, sent.size());
    EXPECT_EQ((*from)->statistics().datagrams_discarded, 0U);
  });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

INSTANTIATE_TEST_SUITE_P(All, BlockedSend, testing::ValuesIn(backend_kinds().begin(), backend_kinds().end()),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

}  // namespace
}  // namespace godwit
