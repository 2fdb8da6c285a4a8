// A peer that has gone, restarted or closed: what two endpoints make of it when datagrams are lost on purpose.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "handshake/handshake_test_support.h"
#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit {
namespace {

class PeerGone : public testing::Test, protected test::MemoryNetwork {
 protected:
  PeerGone() : MemoryNetwork(3), sides_{&add(address(0)), &add(address(1))} {
    on_path = [this](test::Flight& flight) {
      const std::size_t side = flight.from == address(0) ? 0 : 1;
      left_from_[side] = flight.left_from;
      return !lost_ || !lost_(side);
    };
  }
  // Whatever has happened: what was begun has ended or is still there.
  void TearDown() override {
    for (std::size_t side = 0; side < 2; ++side) {
      const EndpointStatistics counts = endpoint(side).statistics();
      EXPECT_EQ(counts.handshakes_started, counts.handshakes_succeeded + counts.handshakes_failed +
                                               counts.handshakes_given_up + endpoint(side).pending_handshakes());
      const auto open = std::ranges::count_if(
          endpoint(side).connections(), [&](ConnectionId id) { return endpoint(side).inspect(id)->is_established(); });
      EXPECT_EQ(counts.connections_opened - counts.connections_closed.total(), static_cast<std::uint64_t>(open));
    }
  }
  static SocketAddress address(std::size_t side) {
    return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 31337);
  }
  Endpoint& endpoint(std::size_t side) { return *sides_[side]->endpoint; }
  void initiate() { connection_ = MemoryNetwork::connect(*sides_[0], *sides_[1]); }
  void connect() {
    initiate();
    run(1s);
    ASSERT_EQ(count<Connected>(0), 1U);
    ASSERT_EQ(count<Connected>(1), 1U);
  }
  template <typename T>
  std::size_t count(std::size_t side) const {
    return sides_[side]->count<T>();
  }
  const Closed* closed(std::size_t side) const { return sides_[side]->last<Closed>(); }
  ConnectionId connected(std::size_t side) const { return sides_[side]->events.connected(); }
  std::uint64_t sent(std::size_t side) const { return sides_[side]->datagrams_sent; }

  std::array<Node*, 2> sides_;
  std::function<bool(std::size_t side)> lost_;  // of what this side sends
  std::array<SocketAddress, 2> left_from_;      // the latest datagram; unspecified: the kernel chooses
  ConnectionId connection_ = 0;
};

TEST_F(PeerGone, ACloseIsAnsweredAndThenForgotten) {
  connect();
  endpoint(0).close(now, connection_, "done");
  run(50ms);
  EXPECT_EQ(endpoint(0).closing_count(), 0U) << "the peer has answered";
  EXPECT_EQ(endpoint(0).connection_count(), 0U);
  ASSERT_TRUE(closed(1));
  EXPECT_EQ(closed(1)->reason, CloseReason::kRemote);
  EXPECT_EQ(closed(1)->text, "done");
  const std::uint64_t before = sent(0) + sent(1);
  run(5s);
  EXPECT_EQ(sent(0) + sent(1), before) << "nobody answers an answer";
}

// The address that the peer's datagrams came to may be gone from this host.
TEST_F(PeerGone, AnAddressThatTheKernelRefusesToSendFromIsGivenUp) {
  connect();
  ASSERT_TRUE(endpoint(0).ping(now, connection_));
  run(100ms);
  ASSERT_TRUE(endpoint(0).ping(now, connection_));
  transmit(*sides_[0]);
  EXPECT_EQ(left_from_[0], address(0));
  run(100ms);
  PathReport report{.remote = address(1), .problem = PathProblem::kInvalidAddress};
  endpoint(0).on_path_report(now, report);
  ASSERT_TRUE(endpoint(0).ping(now, connection_));
  transmit(*sides_[0]);
  EXPECT_EQ(left_from_[0], address(0)) << "ICMP proves nothing";
  report.refused = true;
  endpoint(0).on_path_report(now, report);
  ASSERT_TRUE(endpoint(0).ping(now, connection_));
  transmit(*sides_[0]);
  EXPECT_FALSE(left_from_[0].is_specified());
  run(100ms);
  ASSERT_TRUE(endpoint(0).ping(now, connection_));
  transmit(*sides_[0]);
  EXPECT_EQ(left_from_[0], address(0)) << "the peer's answer came to it";
}

// The intro of a second attempt overtakes what completes the first one: the peer has answered both when it hears which
// one is complete, and the initiator follows the later answer.
TEST_F(PeerGone, AnAttemptThatOvertakesTheEndOfTheOneBeforeEndsInOneSession) {
  std::vector<test::Bytes> held;
  split = true;
  on_path = [&](const test::Flight& flight) {
    if (count<Connected>(0) == 0) return true;
    held.emplace_back(flight.bytes.begin(), flight.bytes.end());
    return false;
  };
  initiate();
  ASSERT_TRUE(run(1s, [&] { return !held.empty(); }));
  on_path = nullptr;
  initiate();
  run(6ms);
  EXPECT_EQ(endpoint(1).pending_handshakes(), 2U);
  for (const test::Bytes& late : held) inject(address(0), address(1), late);
  run(200ms);
  EXPECT_EQ(count<Connected>(1), 2U) << "the first one for a moment, the second one for good";
  ASSERT_TRUE(endpoint(0).send(now, connection_, Body::owned({'h', 'i'}), {}));
  ASSERT_TRUE(endpoint(1).send(now, connected(1), Body::owned({'h', 'o'}), {}));
  run(200ms);
  EXPECT_EQ(count<MessageReceived>(0), 1U);
  EXPECT_EQ(count<MessageReceived>(1), 1U);
}

TEST_F(PeerGone, ALostCloseIsRepeated) {
  connect();
  int lost = 0;
  lost_ = [&lost](std::size_t side) { return side == 0 && lost++ < 2; };
  endpoint(0).close(now, connection_, "done");
  run(2s);
  ASSERT_TRUE(closed(1));
  EXPECT_EQ(closed(1)->text, "done");
  EXPECT_EQ(endpoint(0).closing_count(), 0U);
}

// Anybody can write the peer's address on an intro.
TEST_F(PeerGone, AForgedIntroDoesNotStopTheRepetitionsOfAClose) {
  connect();
  int lost = 0;
  lost_ = [&lost](std::size_t side) { return side == 0 && lost++ < 2; };
  endpoint(0).close(now, connection_, "done");
  transmit(*sides_[0]);
  const wire::Intro forged{.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(random)};
  inject(address(1), address(0), test::make_intro(random, sides_[0]->key(), forged));
  ASSERT_EQ(endpoint(0).pending_handshakes(), 1U) << "the intro has been taken for one of a new connection";
  run(2s);
  ASSERT_TRUE(closed(1));
  EXPECT_EQ(closed(1)->text, "done");
  EXPECT_EQ(endpoint(0).closing_count(), 0U) << "the peer's answer was recognised beside the pending handshake";
}

TEST_F(PeerGone, ACloseThatNobodyAnswersIsRepeatedThreeTimesWithinASecond) {
  connect();
  lost_ = [](std::size_t) { return true; };
  const std::uint64_t before = sent(0);
  endpoint(0).close(now, connection_, "done");
  EXPECT_EQ(count<Closed>(0), 0U);
  run(1100ms);
  EXPECT_EQ(sent(0) - before, 4U);
  EXPECT_EQ(count<Closed>(0), 1U);
  EXPECT_EQ(endpoint(0).closing_count(), 0U);
  EXPECT_FALSE(endpoint(0).next_timeout());
}

TEST_F(PeerGone, APeerThatGoesOnSendingIsToldAgainAtOnce) {
  connect();
  int lost = 0;
  lost_ = [&lost](std::size_t side) { return side == 0 && lost++ < 1; };
  endpoint(0).close(now, connection_, "done");
  run(60ms);
  EXPECT_FALSE(closed(1));
  ASSERT_TRUE(endpoint(1).ping(now, connected(1)));
  run(30ms);
  EXPECT_TRUE(closed(1)) << "before the first repetition is due";
}

TEST_F(PeerGone, SilenceWhilePacketsAreOutstandingIsSuspectWithinSeconds) {
  connect();
  lost_ = [](std::size_t side) { return side == 1; };
  ASSERT_TRUE(endpoint(0).send(now, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
  run(6s);
  EXPECT_EQ(count<Suspect>(0), 1U);
  EXPECT_TRUE(endpoint(0).liveness(connection_).suspect);
  lost_ = nullptr;
  run(20s);
  EXPECT_FALSE(endpoint(0).liveness(connection_).suspect);
  EXPECT_EQ(count<MessageConfirmed>(0), 1U) << "the connection has stayed open";
}

TEST_F(PeerGone, WhatIcmpSaysEndsNothingAsLongAsThePeerAnswers) {
  connect();
  for (int i = 0; i < 50; ++i) {
    endpoint(0).on_path_report(now, {.remote = address(1), .problem = PathProblem::kPortUnreachable});
    run(100ms);
  }
  run(2s);
  EXPECT_EQ(count<Suspect>(0), 0U);
  EXPECT_EQ(count<Closed>(0), 0U);
  EXPECT_EQ(endpoint(0).liveness(connection_).problem, PathProblem::kNone) << "the peer has been heard of since";
  endpoint(0).on_path_report(now, {.remote = address(5), .problem = PathProblem::kPortUnreachable});
}

TEST_F(PeerGone, WhatIcmpSaysMakesASilentPeerSuspectAndIsNamed) {
  connect();
  lost_ = [](std::size_t side) { return side == 1; };
  endpoint(0).on_path_report(now, {.remote = address(1), .problem = PathProblem::kPortUnreachable});
  run(3s);
  EXPECT_EQ(count<Suspect>(0), 1U);
  EXPECT_EQ(endpoint(0).liveness(connection_).problem, PathProblem::kPortUnreachable);
}

TEST_F(PeerGone, AHandshakeWithoutAnswerNamesWhatTheKernelSaid) {
  lost_ = [](std::size_t) { return true; };
  initiate();
  run(100ms);
  endpoint(0).on_path_report(now, {.remote = address(1), .problem = PathProblem::kNetworkUnreachable});
  run(20s);
  ASSERT_TRUE(closed(0));
  EXPECT_EQ(closed(0)->text, "no answer: network unreachable");
  EXPECT_EQ(closed(0)->problem, PathProblem::kNetworkUnreachable);
}

// Anybody can write an address on an intro, and the host that has it answers what it is sent with ICMP.
TEST_F(PeerGone, WhatIcmpSaysOfAHalfOpenAddressLeavesItsHandshakesAsTheyAre) {
  lost_ = [](std::size_t side) { return side == 1; };
  initiate();
  run(50ms);
  ASSERT_EQ(endpoint(1).admission().half_open(), 1U);
  ASSERT_TRUE(endpoint(1).connections().empty()) << "a route without a connection";
  for (auto problem = PathProblem::kNone; problem <= PathProblem::kOther;
       problem = static_cast<PathProblem>(static_cast<int>(problem) + 1)) {
    endpoint(1).on_path_report(now, {.remote = address(0), .problem = problem});
    endpoint(1).handle_timeout(now);
    collect(*sides_[1]);
  }
  EXPECT_EQ(endpoint(1).admission().half_open(), 1U);
  lost_ = nullptr;
  run(2s);
  EXPECT_EQ(count<Connected>(0), 1U);
  EXPECT_EQ(count<Connected>(1), 1U);
  // The same of an address whose handshakes have all ended.
  lost_ = [](std::size_t) { return true; };
  endpoint(1).close(now, connected(1));
  run(20s);
  endpoint(1).on_path_report(now, {.remote = address(0), .problem = PathProblem::kPortUnreachable});
  EXPECT_EQ(endpoint(1).connection_count(), 0U);
}

TEST_F(PeerGone, ARestartedPeerIsConnectedToAgainFromTheSameSocket) {
  connect();
  restart(*sides_[1]);
  ASSERT_TRUE(endpoint(0).send(now, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
  run(5s);
  ASSERT_EQ(count<Suspect>(0), 1U);
  ASSERT_TRUE(endpoint(0).reconnect(now, connection_));
  ASSERT_TRUE(endpoint(0).reconnect(now, connection_)) << "without effect while one batches";
  run(1s);
  ASSERT_TRUE(closed(0));
  EXPECT_EQ(closed(0)->reason, CloseReason::kReplaced);
  EXPECT_EQ(count<Connected>(0), 2U);
  EXPECT_NE(connected(0), connection_);
  EXPECT_EQ(endpoint(0).connection_count(), 1U);
  ASSERT_TRUE(endpoint(0).send(now, connected(0), Body::owned({1, 2, 3})));
  run(1s);
  EXPECT_EQ(count<MessageReceived>(1), 1U);
}

TEST_F(PeerGone, APeerThatWasOnlyAwayKeepsItsSession) {
  connect();
  lost_ = [](std::size_t) { return true; };
  ASSERT_TRUE(endpoint(0).send(now, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
  run(6s);
  ASSERT_EQ(count<Suspect>(0), 1U);
  ASSERT_TRUE(endpoint(0).reconnect(now, connection_));
  run(16s);  // the handshake fails, and the session stays
  lost_ = nullptr;
  run(20s);
  EXPECT_EQ(count<Closed>(0), 0U);
  EXPECT_EQ(count<MessageConfirmed>(0), 1U);
  EXPECT_FALSE(endpoint(0).liveness(connection_).suspect);
}

TEST_F(PeerGone, ASessionThatLivesIsNotReplacedWheneverThePathComesBack) {
  connect();
  for (int outage = 0; outage < 8; ++outage) {
    lost_ = [](std::size_t) { return true; };
    ASSERT_TRUE(endpoint(0).send(now, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
    run(6s);
    ASSERT_EQ(count<Suspect>(0), static_cast<std::size_t>(outage) + 1);
    ASSERT_TRUE(endpoint(0).reconnect(now, connection_));
    // Anywhere between two datagrams of the handshake.
    run(1s + 29ms * outage);
    lost_ = nullptr;
    run(20s);
    ASSERT_EQ(count<Closed>(0), 0U) << "outage " << outage;
    EXPECT_FALSE(endpoint(0).liveness(connection_).suspect);
  }
  EXPECT_EQ(count<MessageConfirmed>(0), 8U);
  EXPECT_EQ(count<Connected>(1), 1U);
}

TEST_F(PeerGone, OnlyTheSideThatHasConnectedConnectsAgain) {
  connect();
  const Status refused = endpoint(1).reconnect(now, connected(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(endpoint(0).reconnect(now, 12345).error().code, ErrorCode::kNotFound);
}

TEST(CheckConfig, RefusesWhatNothingCouldWorkWith) {
  EXPECT_TRUE(check_config({}));
  const auto refused = [](auto change) {
    Config config;
    change(config);
    const Status status = check_config(config);
    return !status && status.error().code == ErrorCode::kInvalidArgument;
  };
  for (const Duration time : {Duration::zero(), Duration(-1s), Duration::min(), Duration::max(), Duration(1ms)}) {
    EXPECT_TRUE(refused([time](Config& config) { config.handshake.connect_timeout = time; }));
    EXPECT_TRUE(refused([time](Config& config) { config.keepalive.idle_timeout = time; }));
    EXPECT_TRUE(refused([time](Config& config) { config.keepalive.ping_interval = time; }));
  }
  EXPECT_TRUE(refused([](Config& config) { config.max_connections = 0; }));
  EXPECT_TRUE(refused([](Config& config) { config.max_connections = SIZE_MAX; }));
  EXPECT_TRUE(refused([](Config& config) { config.connection_rate_limit = Bandwidth::from_bits_per_second(1); }));
}

}  // namespace
}  // namespace godwit
