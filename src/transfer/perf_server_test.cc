// A perf server and clients that would have it for themselves.

#include "transfer/perf_server.h"

#include <gtest/gtest.h>

#include "transfer/perf_test_support.h"

namespace godwit {
namespace {

// Two clients of the test's own, which say what it makes them say.
class PerfServerTest : public ::testing::Test {
 protected:
  struct Client {
    EndpointPair::Side* side = nullptr;
    ConnectionId connection = 0;
    std::string answer;  // of the server to the last start
  };

  PerfServerTest() : scene_(options_for(true, false, 1 << 20)) {
    scene_.pair.client.on_turn = [](Instant) {};
    scene_.pair.client.next_timeout = [] { return std::nullopt; };
    join(first_, scene_.pair.client);
    join(second_, scene_.pair.add_third(*SocketAddress::parse("10.0.0.3:3000")));
  }

  void join(Client& client, EndpointPair::Side& side) {
    client.side = &side;
    side.on_event = [&client](Instant, ConnectionId id, Event& event) {
      if (std::holds_alternative<Connected>(event)) client.connection = id;
      const auto* message = std::get_if<MessageReceived>(&event);
      if (message == nullptr) return;
      const auto control = decode_control(message->payload);
      if (!control) return;
      if (const auto* busy = std::get_if<PerfBusy>(&*control)) client.answer = std::string(busy->text);
      if (std::holds_alternative<PerfReady>(*control)) client.answer = "ready";
    };
    EndpointPair& pair = scene_.pair;
    ASSERT_TRUE(side.endpoint->connect(pair.now, pair.server.address, pair.server.endpoint->public_key()));
    ASSERT_TRUE(pair.run_until([&client] { return client.connection != 0; }));
  }
  void say(Client& client, const ControlMessage& message) {
    ASSERT_TRUE(send_control(scene_.pair.now, *client.side->endpoint, client.connection, message).has_value());
  }
  // What the server says to a start.
  [[nodiscard]] std::string ask(Client& client, std::uint64_t session, std::uint32_t duration_ms = 3'600'000,
                                std::uint8_t flags = PerfStart::kClientSends) {
    client.answer.clear();
    say(client, PerfStart{.session = session,
                          .flags = flags,
                          .streams = 1,
                          .stream_bytes = 1 << 20,
                          .duration_ms = duration_ms,
                          .window = 1 << 20});
    EXPECT_TRUE(scene_.pair.run_until([&client] { return !client.answer.empty(); }));
    return client.answer;
  }
  void send_bytes(Client& client, std::uint64_t session, std::uint64_t sequence, std::size_t count) {
    std::vector<std::uint8_t> bytes(kStreamHeaderSize + count);
    write_stream_header({.transfer = session, .offset = sequence, .length = count},
                        std::span<std::uint8_t, kStreamHeaderSize>(bytes.data(), kStreamHeaderSize));
    ASSERT_TRUE(client.side->endpoint
                    ->send(scene_.pair.now, client.connection, Body::owned(std::move(bytes)), {.as = SendAs::kStream})
                    .has_value());
  }
  void pass(Duration time) {
    static_cast<void>(scene_.pair.run_until([] { return false; }, time));
  }
  // How long the present run goes on while `each_second` happens.
  [[nodiscard]] int seconds_held(const std::function<void(int)>& each_second, int most = 4000) {
    int seconds = 0;
    for (; seconds < most && scene_.server.run() != nullptr; ++seconds) {
      each_second(seconds);
      pass(1s);
    }
    return seconds;
  }

  RunScene scene_;
  Client first_;
  Client second_;
};

TEST_F(PerfServerTest, WordsWithoutBytesDoNotHoldIt) {
  ASSERT_EQ(ask(first_, 1), "ready");
  EXPECT_LE(seconds_held([this](int) {
              say(first_, EchoRequest{.sequence = 1, .padding = {}});
              say(first_, StreamCredit{.stream = 1, .limit = 1});
            }),
            61);
  EXPECT_EQ(scene_.server_observer.state, PerfRun::State::kFailed);
}

TEST_F(PerfServerTest, ARunOfEchoesGoesOnWithThem) {
  ASSERT_EQ(ask(first_, 1, 3'600'000, 0), "ready");
  EXPECT_EQ(seconds_held([this](int) { say(first_, EchoRequest{.sequence = 1, .padding = {}}); }, 200), 200);
  EXPECT_LE(seconds_held([this](int) { say(first_, StreamCredit{.stream = 1, .limit = 1}); }), 61);
}

TEST_F(PerfServerTest, ARunThatMovesNothingBeyondItsTimeEnds) {
  ASSERT_EQ(ask(first_, 1, 2000), "ready");
  EXPECT_LE(seconds_held([this](int) { say(first_, EchoRequest{.sequence = 1, .padding = {}}); }), 23);
}

TEST_F(PerfServerTest, ARunThatTricklesBeyondItsTimeEndsToo) {
  ASSERT_EQ(ask(first_, 1, 2000), "ready");
  EXPECT_LE(seconds_held([this](int second) { send_bytes(first_, 1, static_cast<std::uint64_t>(second), 10); }), 66);
}

TEST_F(PerfServerTest, ARunThatStandsStillGivesWayToAnotherClient) {
  ASSERT_EQ(ask(first_, 1), "ready");
  send_bytes(first_, 1, 0, 10);
  pass(2s);
  EXPECT_EQ(ask(second_, 2), "another run is going on");
  // Another session of the same client is no other client.
  pass(6s);
  EXPECT_EQ(ask(first_, 3), "another run is going on");
  EXPECT_EQ(ask(second_, 2), "ready");
  EXPECT_EQ(scene_.server_observer.ended, 1);
}

TEST_F(PerfServerTest, ARunThatGoesOnDoesNot) {
  ASSERT_EQ(ask(first_, 1), "ready");
  for (std::uint64_t second = 0; second < 20; ++second) {
    send_bytes(first_, 1, second, 1000);
    pass(1s);
  }
  EXPECT_EQ(ask(second_, 2), "another run is going on");
}

TEST_F(PerfServerTest, WhoHasJustHadItsTurnWaitsWhenAnotherHasAsked) {
  ASSERT_EQ(ask(first_, 1), "ready");
  send_bytes(first_, 1, 0, 10);
  EXPECT_EQ(ask(second_, 2), "another run is going on");
  first_.side->endpoint->close(scene_.pair.now, first_.connection, "done");
  ASSERT_TRUE(scene_.pair.run_until([this] { return scene_.server.run() == nullptr; }));
  first_.connection = 0;
  join(first_, scene_.pair.client);
  EXPECT_EQ(ask(first_, 3), "another client has waited for its turn; try again in some seconds");
  EXPECT_EQ(ask(second_, 4), "ready");
}

TEST_F(PerfServerTest, AndNotForLong) {
  ASSERT_EQ(ask(first_, 1), "ready");
  EXPECT_EQ(ask(second_, 2), "another run is going on");
  first_.side->endpoint->close(scene_.pair.now, first_.connection, "done");
  ASSERT_TRUE(scene_.pair.run_until([this] { return scene_.server.run() == nullptr; }));
  first_.connection = 0;
  join(first_, scene_.pair.client);
  pass(10s);
  EXPECT_EQ(ask(first_, 3), "ready");
}

}  // namespace
}  // namespace godwit
