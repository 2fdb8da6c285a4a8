// A peer that has gone, restarted or closed: what two endpoints make of it when datagrams are lost on purpose.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <utility>
#include <vector>

#include "handshake/handshake_test_support.h"
#include "transport/connection.h"
#include "transport/endpoint.h"

namespace godwit {
namespace {

class PeerGone : public testing::Test {
 protected:
  PeerGone() : keys_{*KeyPair::generate(random_), *KeyPair::generate(random_)} {
    restart(0);
    restart(1);
  }
  // Whatever has happened: what was begun has ended or is still there.
  void TearDown() override {
    for (std::size_t side = 0; side < 2; ++side) {
      const EndpointStatistics counts = endpoints_[side]->statistics();
      EXPECT_EQ(counts.handshakes_started, counts.handshakes_succeeded + counts.handshakes_failed +
                                               counts.handshakes_given_up + endpoints_[side]->pending_handshakes());
      const auto open = std::ranges::count_if(endpoints_[side]->connections(), [&](ConnectionId id) {
        return endpoints_[side]->inspect(id)->is_established();
      });
      EXPECT_EQ(counts.connections_opened - counts.connections_closed.total(), static_cast<std::uint64_t>(open));
    }
  }
  void restart(std::size_t side) {
    endpoints_[side] =
        std::make_unique<Endpoint>(config_, *KeyPair::from_secret(keys_[side].secret().bytes()), random_);
  }
  static SocketAddress address(std::size_t side) {
    return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 31337);
  }
  void connect() {
    connection_ = *endpoints_[0]->connect(now_, address(1), keys_[1].public_key());
    run_for(1s);
    ASSERT_EQ(count<Connected>(0), 1U);
    ASSERT_EQ(count<Connected>(1), 1U);
  }
  void run_for(Duration time) {
    const Instant end = now_ + time;
    while (now_ < end) {
      for (std::size_t side = 0; side < 2; ++side) flush(side);
      Instant next = now_ + 1ms;
      now_ = std::min(next, end);
      while (!flight_.empty() && flight_.front().at <= now_) {
        Flight arrived = std::move(flight_.front());
        flight_.pop_front();
        endpoints_[arrived.to]->receive(now_, {.local = address(arrived.to),
                                               .remote = address(1 - arrived.to),
                                               .bytes = arrived.bytes,
                                               .segment_size = arrived.segment_size});
        collect(arrived.to);
      }
      for (std::size_t side = 0; side < 2; ++side) {
        endpoints_[side]->handle_timeout(now_);
        collect(side);
      }
    }
  }
  void flush(std::size_t side) {
    while (true) {
      buffer_.reset();
      const auto run = endpoints_[side]->poll_transmit(now_, buffer_);
      collect(side);
      if (!run) return;
      sent_[side] += run->segment_count();
      left_from_[side] = run->local;
      if (lost_ && lost_(side)) continue;
      flight_.push_back({now_ + 5ms, 1 - side, {run->bytes.begin(), run->bytes.end()}, run->segment_size});
    }
  }
  void collect(std::size_t side) {
    while (EndpointEvent* event = endpoints_[side]->poll_event()) {
      if (const auto* closed = std::get_if<Closed>(&event->event)) closed_[side] = *closed;
      if (std::holds_alternative<Connected>(event->event)) connection_of_[side] = event->connection;
      ++counts_[side][event->event.index()];
    }
  }
  template <typename T>
  std::size_t count(std::size_t side) const {
    return counts_[side][Event(T{}).index()];
  }

  struct Flight {
    Instant at;
    std::size_t to;
    std::vector<std::uint8_t> bytes;
    std::size_t segment_size;
  };
  Config config_;
  DeterministicRandom random_{3};
  std::array<KeyPair, 2> keys_;
  std::array<std::unique_ptr<Endpoint>, 2> endpoints_;
  TransmitBuffer buffer_{128 * 1024};
  Instant now_{1000s};
  std::deque<Flight> flight_;
  std::function<bool(std::size_t side)> lost_;  // of the datagrams that this side sends
  std::array<std::uint64_t, 2> sent_{};
  std::array<SocketAddress, 2> left_from_;  // the latest datagram; unspecified: the kernel chooses
  std::array<std::array<std::size_t, std::variant_size_v<Event>>, 2> counts_{};
  std::array<std::optional<Closed>, 2> closed_;
  std::array<ConnectionId, 2> connection_of_{};
  ConnectionId connection_ = 0;
};

TEST_F(PeerGone, ACloseIsAnsweredAndThenForgotten) {
  connect();
  endpoints_[0]->close(now_, connection_, "done");
  run_for(50ms);
  EXPECT_EQ(endpoints_[0]->closing_count(), 0U) << "the peer has answered";
  EXPECT_EQ(endpoints_[0]->connection_count(), 0U);
  ASSERT_TRUE(closed_[1]);
  EXPECT_EQ(closed_[1]->reason, CloseReason::kRemote);
  EXPECT_EQ(closed_[1]->text, "done");
  const std::uint64_t sent = sent_[0] + sent_[1];
  run_for(5s);
  EXPECT_EQ(sent_[0] + sent_[1], sent) << "nobody answers an answer";
}

// The address that the peer's datagrams came to may be gone from this host.
TEST_F(PeerGone, AnAddressThatTheKernelRefusesToSendFromIsGivenUp) {
  connect();
  ASSERT_TRUE(endpoints_[0]->ping(now_, connection_));
  run_for(100ms);
  ASSERT_TRUE(endpoints_[0]->ping(now_, connection_));
  flush(0);
  EXPECT_EQ(left_from_[0], address(0));
  run_for(100ms);
  PathReport report{.remote = address(1), .problem = PathProblem::kInvalidAddress};
  endpoints_[0]->on_path_report(now_, report);
  ASSERT_TRUE(endpoints_[0]->ping(now_, connection_));
  flush(0);
  EXPECT_EQ(left_from_[0], address(0)) << "ICMP proves nothing";
  report.refused = true;
  endpoints_[0]->on_path_report(now_, report);
  ASSERT_TRUE(endpoints_[0]->ping(now_, connection_));
  flush(0);
  EXPECT_FALSE(left_from_[0].is_specified());
  run_for(100ms);
  ASSERT_TRUE(endpoints_[0]->ping(now_, connection_));
  flush(0);
  EXPECT_EQ(left_from_[0], address(0)) << "the peer's answer came to it";
}

// The intro of a second dial overtakes what completes the first one: the peer has answered both when it hears which
// one is complete, and the dialler follows the later answer.
TEST_F(PeerGone, ADialThatOvertakesTheEndOfTheOneBeforeEndsInOneSession) {
  connection_ = *endpoints_[0]->connect(now_, address(1), keys_[1].public_key());
  while (count<Connected>(0) == 0) run_for(1ms);
  flush(0);
  std::deque<Flight> held = std::exchange(flight_, {});
  connection_ = *endpoints_[0]->connect(now_, address(1), keys_[1].public_key());
  run_for(6ms);
  EXPECT_EQ(endpoints_[1]->pending_handshakes(), 2U);
  for (Flight& late : held) late.at = now_;
  flight_.insert(flight_.begin(), std::make_move_iterator(held.begin()), std::make_move_iterator(held.end()));
  run_for(200ms);
  EXPECT_EQ(count<Connected>(1), 2U) << "the first one for a moment, the second one for good";
  ASSERT_TRUE(endpoints_[0]->send(now_, connection_, Body::owned({'h', 'i'}), {}));
  ASSERT_TRUE(endpoints_[1]->send(now_, connection_of_[1], Body::owned({'h', 'o'}), {}));
  run_for(200ms);
  EXPECT_EQ(count<MessageReceived>(0), 1U);
  EXPECT_EQ(count<MessageReceived>(1), 1U);
}

TEST_F(PeerGone, ALostCloseIsRepeated) {
  connect();
  int lost = 0;
  lost_ = [&lost](std::size_t side) { return side == 0 && lost++ < 2; };
  endpoints_[0]->close(now_, connection_, "done");
  run_for(2s);
  ASSERT_TRUE(closed_[1]);
  EXPECT_EQ(closed_[1]->text, "done");
  EXPECT_EQ(endpoints_[0]->closing_count(), 0U);
}

// Anybody can write the peer's address on an intro.
TEST_F(PeerGone, AForgedIntroDoesNotStopTheRepetitionsOfAClose) {
  connect();
  int lost = 0;
  lost_ = [&lost](std::size_t side) { return side == 0 && lost++ < 2; };
  endpoints_[0]->close(now_, connection_, "done");
  flush(0);
  const wire::Intro forged{.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(random_)};
  test::Bytes intro = test::make_intro(random_, keys_[0].public_key(), forged);
  endpoints_[0]->receive(now_,
                         {.local = address(0), .remote = address(1), .bytes = intro, .segment_size = intro.size()});
  ASSERT_EQ(endpoints_[0]->pending_handshakes(), 1U) << "the intro has been taken for one of a new connection";
  run_for(2s);
  ASSERT_TRUE(closed_[1]);
  EXPECT_EQ(closed_[1]->text, "done");
  EXPECT_EQ(endpoints_[0]->closing_count(), 0U) << "the peer's answer was recognised beside the pending handshake";
}

TEST_F(PeerGone, ACloseThatNobodyAnswersIsRepeatedThreeTimesWithinASecond) {
  connect();
  lost_ = [](std::size_t) { return true; };
  const std::uint64_t before = sent_[0];
  endpoints_[0]->close(now_, connection_, "done");
  EXPECT_EQ(count<Closed>(0), 0U);
  run_for(1100ms);
  EXPECT_EQ(sent_[0] - before, 4U);
  EXPECT_EQ(count<Closed>(0), 1U);
  EXPECT_EQ(endpoints_[0]->closing_count(), 0U);
  EXPECT_FALSE(endpoints_[0]->next_timeout());
}

TEST_F(PeerGone, APeerThatGoesOnSendingIsToldAgainAtOnce) {
  connect();
  int lost = 0;
  lost_ = [&lost](std::size_t side) { return side == 0 && lost++ < 1; };
  endpoints_[0]->close(now_, connection_, "done");
  run_for(60ms);
  EXPECT_FALSE(closed_[1]);
  ASSERT_TRUE(endpoints_[1]->ping(now_, connection_of_[1]));
  run_for(30ms);
  EXPECT_TRUE(closed_[1]) << "before the first repetition is due";
}

TEST_F(PeerGone, SilenceWhilePacketsAreOutstandingIsSuspectWithinSeconds) {
  connect();
  lost_ = [](std::size_t side) { return side == 1; };
  ASSERT_TRUE(endpoints_[0]->send(now_, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
  run_for(6s);
  EXPECT_EQ(count<Suspect>(0), 1U);
  EXPECT_TRUE(endpoints_[0]->liveness(connection_).suspect);
  lost_ = nullptr;
  run_for(20s);
  EXPECT_FALSE(endpoints_[0]->liveness(connection_).suspect);
  EXPECT_EQ(count<MessageConfirmed>(0), 1U) << "the connection has stayed open";
}

TEST_F(PeerGone, WhatIcmpSaysEndsNothingAsLongAsThePeerAnswers) {
  connect();
  for (int i = 0; i < 50; ++i) {
    endpoints_[0]->on_path_report(now_, {.remote = address(1), .problem = PathProblem::kPortUnreachable});
    run_for(100ms);
  }
  run_for(2s);
  EXPECT_EQ(count<Suspect>(0), 0U);
  EXPECT_EQ(count<Closed>(0), 0U);
  EXPECT_EQ(endpoints_[0]->liveness(connection_).problem, PathProblem::kNone) << "the peer has been heard of since";
  endpoints_[0]->on_path_report(now_, {.remote = address(5), .problem = PathProblem::kPortUnreachable});
}

TEST_F(PeerGone, WhatIcmpSaysMakesASilentPeerSuspectAndIsNamed) {
  connect();
  lost_ = [](std::size_t side) { return side == 1; };
  endpoints_[0]->on_path_report(now_, {.remote = address(1), .problem = PathProblem::kPortUnreachable});
  run_for(3s);
  EXPECT_EQ(count<Suspect>(0), 1U);
  EXPECT_EQ(endpoints_[0]->liveness(connection_).problem, PathProblem::kPortUnreachable);
}

TEST_F(PeerGone, AHandshakeWithoutAnswerNamesWhatTheKernelSaid) {
  lost_ = [](std::size_t) { return true; };
  static_cast<void>(*endpoints_[0]->connect(now_, address(1), keys_[1].public_key()));
  run_for(100ms);
  endpoints_[0]->on_path_report(now_, {.remote = address(1), .problem = PathProblem::kNetworkUnreachable});
  run_for(20s);
  ASSERT_TRUE(closed_[0]);
  EXPECT_EQ(closed_[0]->text, "no answer: network unreachable");
  EXPECT_EQ(closed_[0]->problem, PathProblem::kNetworkUnreachable);
}

// Anybody can write an address on an intro, and the host that has it answers what it is sent with ICMP.
TEST_F(PeerGone, WhatIcmpSaysOfAHalfOpenAddressLeavesItsHandshakesAsTheyAre) {
  lost_ = [](std::size_t side) { return side == 1; };
  connection_ = *endpoints_[0]->connect(now_, address(1), keys_[1].public_key());
  run_for(50ms);
  ASSERT_EQ(endpoints_[1]->admission().half_open(), 1U);
  ASSERT_TRUE(endpoints_[1]->connections().empty()) << "a route without a connection";
  for (auto problem = PathProblem::kNone; problem <= PathProblem::kOther;
       problem = static_cast<PathProblem>(static_cast<int>(problem) + 1)) {
    endpoints_[1]->on_path_report(now_, {.remote = address(0), .problem = problem});
    endpoints_[1]->handle_timeout(now_);
    collect(1);
  }
  EXPECT_EQ(endpoints_[1]->admission().half_open(), 1U);
  lost_ = nullptr;
  run_for(2s);
  EXPECT_EQ(count<Connected>(0), 1U);
  EXPECT_EQ(count<Connected>(1), 1U);
  // The same of an address whose handshakes have all ended.
  lost_ = [](std::size_t) { return true; };
  endpoints_[1]->close(now_, connection_of_[1]);
  run_for(20s);
  endpoints_[1]->on_path_report(now_, {.remote = address(0), .problem = PathProblem::kPortUnreachable});
  EXPECT_EQ(endpoints_[1]->connection_count(), 0U);
}

TEST_F(PeerGone, ARestartedPeerIsConnectedToAgainFromTheSameSocket) {
  connect();
  restart(1);
  ASSERT_TRUE(endpoints_[0]->send(now_, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
  run_for(5s);
  ASSERT_EQ(count<Suspect>(0), 1U);
  ASSERT_TRUE(endpoints_[0]->reconnect(now_, connection_));
  ASSERT_TRUE(endpoints_[0]->reconnect(now_, connection_)) << "without effect while one runs";
  run_for(1s);
  ASSERT_TRUE(closed_[0]);
  EXPECT_EQ(closed_[0]->reason, CloseReason::kReplaced);
  EXPECT_EQ(count<Connected>(0), 2U);
  EXPECT_NE(connection_of_[0], connection_);
  EXPECT_EQ(endpoints_[0]->connection_count(), 1U);
  ASSERT_TRUE(endpoints_[0]->send(now_, connection_of_[0], Body::owned({1, 2, 3})));
  run_for(1s);
  EXPECT_EQ(count<MessageReceived>(1), 1U);
}

TEST_F(PeerGone, APeerThatWasOnlyAwayKeepsItsSession) {
  connect();
  lost_ = [](std::size_t) { return true; };
  ASSERT_TRUE(endpoints_[0]->send(now_, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
  run_for(6s);
  ASSERT_EQ(count<Suspect>(0), 1U);
  ASSERT_TRUE(endpoints_[0]->reconnect(now_, connection_));
  run_for(16s);  // the handshake fails, and the session stays
  lost_ = nullptr;
  run_for(20s);
  EXPECT_EQ(count<Closed>(0), 0U);
  EXPECT_EQ(count<MessageConfirmed>(0), 1U);
  EXPECT_FALSE(endpoints_[0]->liveness(connection_).suspect);
}

TEST_F(PeerGone, ASessionThatLivesIsNotReplacedWheneverThePathComesBack) {
  connect();
  for (int outage = 0; outage < 8; ++outage) {
    lost_ = [](std::size_t) { return true; };
    ASSERT_TRUE(endpoints_[0]->send(now_, connection_, Body::owned(std::vector<std::uint8_t>(100'000))));
    run_for(6s);
    ASSERT_EQ(count<Suspect>(0), static_cast<std::size_t>(outage) + 1);
    ASSERT_TRUE(endpoints_[0]->reconnect(now_, connection_));
    // Anywhere between two datagrams of the handshake.
    run_for(1s + 29ms * outage);
    lost_ = nullptr;
    run_for(20s);
    ASSERT_EQ(count<Closed>(0), 0U) << "outage " << outage;
    EXPECT_FALSE(endpoints_[0]->liveness(connection_).suspect);
  }
  EXPECT_EQ(count<MessageConfirmed>(0), 8U);
  EXPECT_EQ(count<Connected>(1), 1U);
}

TEST_F(PeerGone, OnlyTheSideThatHasConnectedConnectsAgain) {
  connect();
  const Status refused = endpoints_[1]->reconnect(now_, connection_of_[1]);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(endpoints_[0]->reconnect(now_, 12345).error().code, ErrorCode::kNotFound);
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
