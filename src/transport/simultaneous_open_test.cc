// Two Godwits that connect to each other at nearly the same time, as those do that a rendezvous has introduced:
// whatever order their datagrams arrive in there is one connection, and nobody loses it again.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "transport/memory_network_test_support.h"

namespace godwit::simultaneous_open_test {
namespace {

constexpr std::size_t kMessage = 100'000;

// The asker connects at once and sends as soon as it is connected; the other one connects to a while later, unless it
// has a connection with the asker by then.
class MutualDial : public test::MemoryNetwork {
 public:
  explicit MutualDial(std::uint64_t seed, double lost = 0) : MemoryNetwork(seed) {
    split = true;
    loss = lost;
    Config config;
    config.handshake.extended = ExtendedPolicy::kAuto;
    asker = &add(SocketAddress::ipv4({192, 0, 2, 1}, 1), config);
    other = &add(SocketAddress::ipv4({192, 0, 2, 2}, 2), config);
    on_path = [this](test::Flight& flight) {
      flight.due = now + between(1ms, 10ms);
      return true;
    };
    asker->on_event = [this](Instant at, ConnectionId connection, Event& event) {
      if (!std::holds_alternative<Connected>(event) || asker->count<Connected>() > 0) return;
      ASSERT_TRUE(asker->endpoint->send(at, connection, Body::owned(std::vector<std::uint8_t>(kMessage, 7))));
    };
    other->on_event = [this](Instant, ConnectionId, Event& event) {
      if (const auto* stream = std::get_if<StreamMessage>(&event)) received += stream->payload.size();
    };
    dialled_ = connect(*asker, *other);
    run(between(0ms, 25ms));
    const auto connections = other->endpoint->connections();
    const bool there = std::ranges::any_of(
        connections, [&](ConnectionId each) { return other->endpoint->remote_address(each) == asker->address; });
    if (!there) static_cast<void>(connect(*other, *asker));
    run(20s);
  }

  Node* asker = nullptr;
  Node* other = nullptr;
  std::size_t received = 0;

 private:
  Duration between(Duration least, Duration most) {
    return least +
           Duration(static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>((most - least).count()))));
  }
  ConnectionId dialled_ = 0;
};

void expect_one_connection(const MutualDial& pair, std::uint64_t seed) {
  for (const auto* node : {pair.asker, pair.other}) {
    EXPECT_EQ(node->count<Connected>(), 1U) << "seed " << seed;
    EXPECT_EQ(node->count<Closed>(), 0U) << "seed " << seed << ": " << node->last<Closed>()->text;
  }
  EXPECT_EQ(pair.received, kMessage) << "seed " << seed;
}

TEST(SimultaneousOpen, EndsInOneConnectionWhateverArrivesFirst) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    expect_one_connection(MutualDial(seed), seed);
    if (HasFailure()) return;
  }
}

TEST(SimultaneousOpen, LossMakesNoDifference) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    expect_one_connection(MutualDial(seed, 0.1), seed);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace godwit::simultaneous_open_test
