// What an application can do with a connection beyond sending: limits, cancelling, metadata, orderly ends, numbers of
// its own, races for an address, and loops of its own.

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "api/connection_test_support.h"
#include "godwit/godwit.h"

namespace {

using namespace std::chrono_literals;
namespace gw = godwit::v1;
using Kind = gw::Event::Kind;
using godwit::testing::PublicConnection;

TEST_F(PublicConnection, SaysWhereThePeerSeesThisSide) {
  EXPECT_EQ(find(at_a_, Kind::kConnected)->event.remote, b_->local_address());
  EXPECT_EQ(find(at_a_, Kind::kConnected)->event.observed, a_->local_address());
  EXPECT_EQ(a_->remote_address(connection_), b_->local_address());
  EXPECT_EQ(a_->connections(), std::vector<gw::ConnectionId>{connection_});
  EXPECT_EQ(a_->statistics()->connections, 1U);
  EXPECT_EQ(a_->statistics()->connections_opened, 1U);
  EXPECT_FALSE(a_->liveness(connection_).suspect);
}

TEST_F(PublicConnection, HoldsAStreamBackUntilTheLimitGrows) {
  const std::vector<std::uint8_t> bytes(100'000, 5);
  const auto message = a_->send_borrowed(connection_, bytes, {.send_limit = 20'000, .stream = true});
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_NE(a_->stream_of(connection_, *message), 0U);
  const auto received = [&] {
    std::uint64_t sum = 0;
    for (const Kept& kept : at_b_) sum += kept.event.kind == Kind::kChunk ? kept.bytes.size() : 0;
    return sum;
  };
  ASSERT_TRUE(turn_until([&] { return received() >= 20'000 - 1130; }));
  for (int turn = 0; turn < 50; ++turn) {
    a_->turn(keep_a_, 1ms);
    b_->turn(keep_b_, 1ms);
  }
  EXPECT_LE(received(), 20'000U);
  EXPECT_TRUE(a_->extend_send_limit(connection_, *message, bytes.size()));
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged); }));
  EXPECT_EQ(received(), bytes.size());
  EXPECT_FALSE(a_->extend_send_limit(connection_, *message, bytes.size())) << "it has ended";
}

TEST_F(PublicConnection, GivesAMessageUpWhenToldToOrAtItsDeadline) {
  const std::vector<std::uint8_t> bytes(50'000, 5);
  const auto cancelled = a_->send_borrowed(connection_, bytes, {.send_limit = 0, .stream = true});
  ASSERT_TRUE(cancelled);
  EXPECT_TRUE(a_->cancel(connection_, *cancelled));
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kFailed); }));
  EXPECT_EQ(find(at_a_, Kind::kFailed)->event.message, *cancelled);
  EXPECT_FALSE(a_->cancel(connection_, *cancelled));
  at_a_.clear();
  const auto late = a_->send_borrowed(connection_, bytes, {.deadline = 30ms, .send_limit = 0, .stream = true});
  ASSERT_TRUE(late);
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kFailed); }));
  EXPECT_EQ(find(at_a_, Kind::kFailed)->event.message, *late);
  for (const gw::Duration deadline : {gw::Duration::zero(), gw::Duration(-1s), gw::Duration::max()}) {
    const auto refused = a_->send(connection_, bytes, {.deadline = deadline});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, gw::ErrorCode::kInvalidArgument);
  }
}

TEST_F(PublicConnection, CarriesMetadataAndPieces) {
  const std::vector<std::uint8_t> head{1, 2, 3};
  const std::vector<std::uint8_t> tail(3000, 4);
  const std::vector<gw::ByteView> pieces{head, tail, {}};
  gw::SendOptions options{.operations = true};
  options.metadata = std::vector<std::uint8_t>{'m', 'e'};
  ASSERT_TRUE(a_->send_pieces(connection_, pieces, options));
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged); }));
  ASSERT_TRUE(has(at_b_, Kind::kMetadata));
  EXPECT_EQ(find(at_b_, Kind::kMetadata)->bytes, *options.metadata);
  std::vector<std::uint8_t> received;
  for (const Kept& kept : at_b_) {
    if (kept.event.kind == Kind::kChunk) received.insert(received.end(), kept.bytes.begin(), kept.bytes.end());
  }
  std::vector<std::uint8_t> sent(head.size() + tail.size());
  std::ranges::copy(tail, std::ranges::copy(head, sent.begin()).out);
  EXPECT_EQ(received, sent);
  options.operations = false;
  EXPECT_EQ(a_->send_pieces(connection_, pieces, options).error().code, gw::ErrorCode::kInvalidArgument);
}

TEST_F(PublicConnection, ClosesWhenEverythingHasBeenAcknowledged) {
  ASSERT_TRUE(a_->send(connection_, std::vector<std::uint8_t>(200'000, 6)));
  ASSERT_TRUE(a_->close_when_sent(connection_, 10s, "that was all"));
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kClosed); }));
  EXPECT_TRUE(has(at_a_, Kind::kAcknowledged));
  EXPECT_EQ(find(at_a_, Kind::kClosed)->event.reason, gw::CloseReason::kLocal);
  EXPECT_EQ(find(at_b_, Kind::kClosed)->event.reason, gw::CloseReason::kRemote);
  EXPECT_EQ(find(at_b_, Kind::kClosed)->event.text, "that was all");
  EXPECT_EQ(a_->close_when_sent(connection_, 1s).error().code, gw::ErrorCode::kNotFound);
}

TEST_F(PublicConnection, ClosesWithoutThemWhenTheTimeIsOver) {
  const std::vector<std::uint8_t> bytes(50'000, 5);
  ASSERT_TRUE(a_->send_borrowed(connection_, bytes, {.send_limit = 0, .stream = true}));
  ASSERT_TRUE(a_->close_when_sent(connection_, 20ms));
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kClosed); }));
  EXPECT_FALSE(has(at_a_, Kind::kAcknowledged));
  EXPECT_TRUE(has(at_a_, Kind::kFailed)) << "the borrowed bytes are free";
}

TEST_F(PublicConnection, ComesWithTheNumberOfTheApplication) {
  ASSERT_TRUE(b_->set_user_data(other_side_, 42));
  ASSERT_TRUE(a_->send(connection_, std::vector<std::uint8_t>{1}));
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kMessage); }));
  EXPECT_EQ(find(at_b_, Kind::kMessage)->event.user_data, 42U);
  EXPECT_EQ(find(at_b_, Kind::kConnected)->event.user_data, 0U);
  b_->close(other_side_);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kClosed); }));
  EXPECT_EQ(find(at_b_, Kind::kClosed)->event.user_data, 42U);
  EXPECT_EQ(b_->set_user_data(other_side_, 1).error().code, gw::ErrorCode::kNotFound);
}

TEST_F(PublicConnection, RefusesSettingsThatNothingCouldWorkWith) {
  EXPECT_TRUE(a_->set_congestion(connection_, "cubic"));
  EXPECT_EQ(a_->statistics(connection_)->congestion, "cubic");
  EXPECT_EQ(a_->set_congestion(connection_, "hope").error().code, gw::ErrorCode::kInvalidArgument);
  EXPECT_EQ(a_->set_congestion(12345, "bbr").error().code, gw::ErrorCode::kNotFound);
  EXPECT_TRUE(a_->set_rate_limit(connection_, 1'000'000));
  EXPECT_TRUE(a_->set_rate_limit(connection_, 0));
  EXPECT_EQ(a_->set_rate_limit(connection_, 7).error().code, gw::ErrorCode::kInvalidArgument);
  EXPECT_EQ(a_->set_rate_limit(connection_, ~std::uint64_t{0}).error().code, gw::ErrorCode::kInvalidArgument);
  EXPECT_EQ(a_->ping(12345).error().code, gw::ErrorCode::kNotFound);
  EXPECT_EQ(b_->reconnect(other_side_).error().code, gw::ErrorCode::kInvalidArgument);
}

TEST_F(PublicConnection, WritesATraceForWhoAskedForOne) {
  ASSERT_TRUE(a_->send(connection_, std::vector<std::uint8_t>{1}));
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged); }));
  EXPECT_EQ(trace_.front(), '\x1e') << "a JSON text sequence";
  EXPECT_NE(trace_.find("packet_sent"), std::string::npos);
}

TEST_F(PublicConnection, TellsItsKeysToWhoAskedForThem) {
  ASSERT_EQ(key_log_.find("GODWIT_KEY "), 0U);
  EXPECT_EQ(key_log_.find('\n'), std::string_view("GODWIT_KEY ").size() + 32);
  EXPECT_EQ(key_log_.back(), '\n');
}

TEST_F(PublicConnection, RacesTheAddressesOfAPeer) {
  // Nobody answers at the first one; the events of that attempt are nobody's business.
  auto silent = gw::Node::open({.bind = "127.0.0.1:0"}, *gw::SecretKey::generate());
  ASSERT_TRUE(silent);
  std::optional<gw::Result<gw::ConnectionId>> outcome;
  at_a_.clear();
  a_->close(connection_);
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kClosed) && has(at_b_, Kind::kClosed); }));
  at_a_.clear();
  const std::vector<std::string> addresses{(*silent)->local_address(), b_->local_address()};
  ASSERT_TRUE(a_->connect(addresses, b_->public_key(), [&](gw::Node&, gw::Result<gw::ConnectionId> connection) {
    EXPECT_FALSE(outcome) << "called once";
    EXPECT_TRUE(at_a_.empty()) << "before any event";
    outcome = std::move(connection);
  }));
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kConnected); }));
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_EQ(at_a_.front().event.connection, **outcome);
  for (int turn = 0; turn < 20; ++turn) a_->turn(keep_a_, 1ms);
  for (const Kept& kept : at_a_) EXPECT_EQ(kept.event.connection, **outcome);
  EXPECT_EQ(a_->connect(std::vector<std::string>{}, b_->public_key(), {}).error().code,
            gw::ErrorCode::kInvalidArgument);
}

TEST_F(PublicConnection, DrivesALoopOfTheApplications) {
  // Both nodes in one poll(): neither ever waits in turn().
  ASSERT_TRUE(a_->send(connection_, std::vector<std::uint8_t>(300'000, 8)));
  const auto left = [](const gw::Node& node) {
    const auto time = node.next_timeout();
    return time ? static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*time).count()) : 10'000;
  };
  int polls = 0;
  for (; polls < 20'000 && !has(at_a_, Kind::kAcknowledged); ++polls) {
    a_->turn(keep_a_, 0ns);
    b_->turn(keep_b_, 0ns);
    std::array<pollfd, 2> inputs{{{.fd = a_->descriptor(), .events = POLLIN, .revents = 0},
                                  {.fd = b_->descriptor(), .events = POLLIN, .revents = 0}}};
    ASSERT_GE(inputs[0].fd, 0);
    poll(inputs.data(), inputs.size(), std::min(left(*a_), left(*b_)));
  }
  EXPECT_TRUE(has(at_a_, Kind::kAcknowledged)) << "after " << polls << " waits";

  // What other threads ask for wakes the loop too.
  bool called = false;
  std::thread other([&] { EXPECT_TRUE(a_->post([&](gw::Node&) { called = true; })); });
  other.join();
  pollfd input{.fd = a_->descriptor(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&input, 1, 10'000), 1);
  a_->turn(keep_a_, 0ns);
  EXPECT_TRUE(called);
}

TEST_F(PublicConnection, RunsAgainAfterStop) {
  a_->stop();
  a_->run(keep_a_);  // returns at once
  ASSERT_TRUE(a_->post([](gw::Node& node) { node.stop(); }));
  a_->run(keep_a_);  // and again, by the call
  ASSERT_TRUE(a_->send(connection_, std::vector<std::uint8_t>{1}));
  EXPECT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged); })) << "the connection lives on";
}

TEST_F(PublicConnection, ShutsDownWithAWordToThePeer) {
  std::atomic<bool> done = false;
  std::thread peer([&] {
    while (!done) b_->turn(keep_b_, 1ms);
  });
  a_->shut_down(keep_a_, 10s, "good bye");
  done = true;
  peer.join();
  EXPECT_TRUE(has(at_a_, Kind::kClosed));
  ASSERT_TRUE(has(at_b_, Kind::kClosed));
  EXPECT_EQ(find(at_b_, Kind::kClosed)->event.text, "good bye");
}

TEST(PublicResolver, FindsTheAddressesOfANameAndRefusesOthers) {
  const auto found = gw::resolve("localhost:4000");
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_FALSE(found->empty());
  EXPECT_TRUE(found->front() == "127.0.0.1:4000" || found->front() == "[::1]:4000") << found->front();
  EXPECT_FALSE(gw::resolve("no such name:1"));
  EXPECT_FALSE(gw::resolve(""));
  EXPECT_FALSE(gw::resolve("192.0.2.1:notaport"));
}

}  // namespace
