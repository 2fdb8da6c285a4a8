// Whole performance runs between a PerfClient and a PerfServer on two endpoints in memory, in virtual time.

#include "transfer/perf_run.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "transfer/perf_test_support.h"

namespace godwit {
namespace {

TEST(PerfRun, ClientSends) {
  RunScene scene(options_for(true, false, 10 << 20));
  ASSERT_TRUE(scene.run());
  scene.expect_success(10 << 20);
  EXPECT_EQ(scene.server_observer.received, 10U << 20);
  EXPECT_EQ(scene.client_observer.running, 1);
}

TEST(PerfRun, ServerSends) {
  RunScene scene(options_for(false, true, 10 << 20));
  ASSERT_TRUE(scene.run());
  scene.expect_success(10 << 20);
}

TEST(PerfRun, BothSendOverSeveralStreamsWithLoss) {
  RunScene scene(options_for(true, true, 3'000'001, 5));
  scene.pair.loss = 0.01;
  ASSERT_TRUE(scene.run());
  scene.expect_success(3'000'001);
}

TEST(PerfRun, ARunByTimeEndsByTheClock) {
  PerfClient::Options options = options_for(true, false, 0);
  options.run.plan.duration = 500ms;
  options.run.rate = Bandwidth::from_bits_per_second(100'000'000);
  options.run.plan.stream_bytes = 64 << 10;
  RunScene scene(options);
  ASSERT_TRUE(scene.run());
  const std::uint64_t bytes = scene.client->run().sender()->bytes();
  scene.expect_success(bytes);
  EXPECT_NEAR(static_cast<double>(bytes), 0.5 * 100e6 / 8, 0.05 * 0.5 * 100e6 / 8);
}

// Streams of 16 MiB at 2 Mbit/s: none would end within the time.
PerfClient::Options slow_options(bool sends, bool receives, std::uint16_t streams) {
  PerfClient::Options options = options_for(sends, receives, 0, streams);
  options.run.plan.duration = 2s;
  options.run.plan.stream_bytes = 16 << 20;
  options.run.rate = Bandwidth::from_bits_per_second(2'000'000);
  return options;
}

void expect_agreement(const RunScene& scene) {
  const PerfRun& run = scene.client->run();
  ASSERT_EQ(run.state(), PerfRun::State::kDone) << run.failure();
  EXPECT_EQ(run.disagreement().value_or("none"), "none");
  EXPECT_EQ(scene.server_observer.state, PerfRun::State::kDone) << scene.server_observer.failure;
  EXPECT_EQ(scene.server_observer.disagreement.value_or("none"), "none");
  if (run.sender() != nullptr) {
    EXPECT_TRUE(run.sender()->was_cut());
    EXPECT_EQ(run.sender()->bytes(), scene.server_observer.received);
    EXPECT_GE(run.sender()->handed_out(), run.sender()->bytes());
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : run.sender()->logical_bytes()) sum += bytes;
    EXPECT_EQ(sum, run.sender()->bytes());
  }
  if (run.receiver() != nullptr) {
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : run.receiver()->logical_bytes()) sum += bytes;
    EXPECT_EQ(sum, run.receiver()->bytes());
  }
}

TEST(PerfRun, WhatASlowPathHasNotTakenByTheEndIsGivenUpAndBothCountTheSame) {
  for (const auto& [sends, receives] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
    for (const double drop : {0.0, 0.05}) {
      for (const std::uint16_t streams : {std::uint16_t{1}, std::uint16_t{7}, std::uint16_t{200}}) {
        SCOPED_TRACE(::testing::Message() << sends << receives << " drop " << drop << " streams " << streams);
        RunScene scene(slow_options(sends, receives, streams));
        scene.pair.delay = 20ms;
        scene.pair.loss = drop;
        const Instant start = scene.pair.now;
        ASSERT_TRUE(scene.run());
        expect_agreement(scene);
        EXPECT_LT(scene.pair.now - start, 2s + 1s + 1s);  // the time, its second, and round trips with losses
        const PerfRun& run = scene.client->run();
        const std::uint64_t bytes = sends ? run.sender()->bytes() : run.receiver()->bytes();
        EXPECT_GT(bytes, 100'000U);
      }
    }
  }
}

TEST(PerfRun, ARunThatIsStoppedHasAResult) {
  for (const auto& [sends, receives] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
    SCOPED_TRACE(::testing::Message() << sends << receives);
    PerfClient::Options options = slow_options(sends, receives, 2);
    options.run.plan.duration = Duration::zero();  // until it is stopped
    RunScene scene(options);
    ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
    EXPECT_FALSE(scene.pair.run_until([&scene] { return scene.client->ended(); }, 5s));
    const Instant stopped = scene.pair.now;
    scene.client->stop(stopped);
    ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.client->ended() && scene.server_observer.ended > 0; }));
    expect_agreement(scene);
    EXPECT_LT(scene.pair.now - stopped, 1s);
  }
}

TEST(PerfRun, StoppedBeforeItBeganItFails) {
  RunScene scene(slow_options(true, false, 1));
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  scene.client->stop(scene.pair.now);
  EXPECT_EQ(scene.client->run().failure(), "interrupted");
}

TEST(PerfRun, TheServerSaysOnTheWayWhatItHasReceivedAndItAddsUp) {
  PerfClient::Options options = slow_options(true, false, 130);  // more streams than one message names
  options.run.progress_interval = 100ms;
  RunScene scene(options);
  std::vector<std::uint64_t> seen;
  auto turn = scene.pair.client.on_turn;
  scene.pair.client.on_turn = [&](Instant now) {
    turn(now);
    const PerfRun::Delivered& delivered = scene.client->run().delivered_to_server();
    if (!seen.empty() && seen.back() == delivered.bytes) return;
    seen.push_back(delivered.bytes);
  };
  ASSERT_TRUE(scene.run());
  expect_agreement(scene);
  EXPECT_GT(seen.size(), 15U);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(seen.back(), scene.server_observer.received);
  EXPECT_EQ(scene.client->run().delivered_to_server().logical_bytes.size(), 130U);
}

TEST(PerfRun, TheSmallestWindowStillGoesOn) {
  PerfClient::Options options = options_for(false, true, 2 << 20);
  RunScene scene(options);
  ASSERT_TRUE(scene.run());
  scene.expect_success(2 << 20);
}

TEST(PerfRun, SurvivesRenewedKeysInEveryDirection) {
  for (const auto& [sends, receives] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
    SCOPED_TRACE(::testing::Message() << "sends " << sends << ", receives " << receives);
    Config config = EndpointPair::chunk_config();
    config.soft_packet_limit = 3000;
    RunScene scene(options_for(sends, receives, 20 << 20, 2), config, config);
    ASSERT_TRUE(scene.run()) << sends << receives << scene.client->run().failure();
    scene.expect_success(20 << 20);
    EXPECT_GT(scene.client->run().renewals(), 2U);
    // Counters of connections that are gone are not lost.
    EXPECT_GT(scene.client->run().statistics().packets_sent + scene.client->run().statistics().packets_received,
              18'000U);
  }
}

// The limit falls anywhere in the exchange: in the data, between the end and the results.
TEST(PerfRun, ReportsThoughTheKeyIsPastItsSoftLimit) {
  for (std::uint64_t limit = 16; limit < 1200; limit += limit / 16) {
    SCOPED_TRACE(::testing::Message() << "limit " << limit);
    Config config = EndpointPair::chunk_config();
    config.soft_packet_limit = limit;
    RunScene scene(options_for(true, true, 1 << 20), config, config);
    scene.pair.loss = limit % 2 == 0 ? 0.02 : 0;
    ASSERT_TRUE(scene.run());
    scene.expect_success(1 << 20);
  }
}

TEST(PerfRun, ARunThatWouldLastLongerThanTheServerAllowsIsRefused) {
  PerfClient::Options options = options_for(true, false, 0);
  options.run.plan.duration = 3601s;
  RunScene scene(options);
  ASSERT_TRUE(scene.run());
  EXPECT_EQ(scene.client->run().failure(), "the server refuses: a run may last 3600 s at most");
  EXPECT_EQ(scene.server.run(), nullptr);
}

// What one packet starts must not hold the server.
TEST(PerfRun, AClientThatSaysNothingMoreIsGivenUp) {
  for (const std::uint8_t flags : {PerfStart::kClientSends, PerfStart::kServerSends, std::uint8_t{0}}) {
    RunScene scene(options_for(true, false, 1 << 20));
    ConnectionId connection = 0;
    scene.pair.client.on_event = [&connection](Instant, ConnectionId id, Event& event) {
      if (std::holds_alternative<Connected>(event)) connection = id;
    };
    scene.pair.client.on_turn = [](Instant) {};
    scene.pair.client.next_timeout = [] { return std::nullopt; };
    ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
    ASSERT_TRUE(scene.pair.run_until([&connection] { return connection != 0; }));
    const PerfStart start{.session = 1,
                          .flags = flags,
                          .streams = 256,
                          .stream_bytes = 1,
                          .duration_ms = 3'600'000,
                          .rate = 0,
                          .window = UINT64_MAX};
    ASSERT_TRUE(send_control(scene.pair.now, *scene.pair.client.endpoint, connection, start).has_value());
    ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.server.run() != nullptr; }));
    if (flags == PerfStart::kServerSends) scene.pair.loss = 1;  // the client has gone
    ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.server.run() == nullptr; }, 200s)) << int{flags};
    EXPECT_EQ(scene.server_observer.state, PerfRun::State::kFailed);
  }
}

TEST(PerfRun, NumbersBeyondTheirBoundsAreRefused) {
  const PerfStart fine{.session = 1, .flags = PerfStart::kClientSends, .streams = 1, .stream_bytes = 1000};
  std::vector<PerfStart> wrong(7, fine);
  wrong[0].streams = 257;
  wrong[1].congestion = 200;
  wrong[2].stream_bytes = 0;
  wrong[3].stream_bytes = UINT64_MAX;
  wrong[4].rate = UINT64_MAX;
  wrong[5].target_bytes = UINT64_MAX;
  wrong[6].duration_ms = UINT32_MAX;
  RunScene scene(options_for(true, false, 1 << 20));
  ConnectionId connection = 0;
  std::size_t refused = 0;
  scene.pair.client.on_event = [&](Instant, ConnectionId id, Event& event) {
    if (std::holds_alternative<Connected>(event)) connection = id;
    const auto* message = std::get_if<MessageReceived>(&event);
    if (message == nullptr) return;
    const auto control = decode_control(message->payload);
    if (control && std::holds_alternative<PerfBusy>(*control)) ++refused;
  };
  scene.pair.client.on_turn = [](Instant) {};
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  ASSERT_TRUE(scene.pair.run_until([&connection] { return connection != 0; }));
  for (const PerfStart& start : wrong) {
    ASSERT_TRUE(send_control(scene.pair.now, *scene.pair.client.endpoint, connection, start).has_value());
  }
  ASSERT_TRUE(scene.pair.run_until([&] { return refused == wrong.size(); }));
  EXPECT_EQ(scene.server.run(), nullptr);
}

TEST(PerfRun, AResultBeyondTheBoundFailsTheRun) {
  RunScene scene(options_for(true, false, 1 << 20));
  scene.client_observer.details.assign(kMaxPerfDetails * kPerfDetailBytes + 1, 'd');
  ASSERT_TRUE(scene.run());
  EXPECT_EQ(scene.client->run().failure(), "the details of this run are too long");
}

TEST(PerfRun, EchoesGoOnOverRenewedKeys) {
  PerfClient::Options options = options_for(true, false, 20 << 20);
  options.ping_pong = PingPong::Options{};
  options.ping_pong_for = 30s;
  Config config = EndpointPair::chunk_config();
  config.soft_packet_limit = 3000;
  RunScene scene(options, config, config);
  ASSERT_TRUE(scene.run());
  scene.expect_success(20 << 20);
  const PingPong& echo = *scene.client->ping_pong();
  EXPECT_GT(scene.client->run().renewals(), 2U);
  EXPECT_GT(echo.answered(), 10U * scene.client->run().renewals());
  EXPECT_LE(echo.sent() - echo.answered(), scene.client->run().renewals() + 1);
}

TEST(PerfRun, EchoesAreMeasuredWithoutBulk) {
  PerfClient::Options options = options_for(false, false, 0);
  options.ping_pong = PingPong::Options{};
  options.ping_pong_for = 1s;
  RunScene scene(options);
  ASSERT_TRUE(scene.run());
  ASSERT_EQ(scene.client->run().state(), PerfRun::State::kDone) << scene.client->run().failure();
  ASSERT_GT(scene.latencies.size(), 1000U);
  for (const Duration latency : scene.latencies) EXPECT_GE(latency, 200us);
}

TEST(PerfRun, KeepsSoManyEchoesUnderWay) {
  PerfClient::Options options = options_for(false, false, 0);
  options.ping_pong = PingPong::Options{.outstanding = 50};
  options.ping_pong_for = 1s;
  RunScene scene(options);
  scene.pair.delay = 10ms;
  ASSERT_TRUE(scene.run());
  ASSERT_EQ(scene.client->run().state(), PerfRun::State::kDone) << scene.client->run().failure();
  // A second of round trips of 20 ms.
  EXPECT_NEAR(static_cast<double>(scene.client->ping_pong()->sent()), 2500, 250);
  EXPECT_EQ(scene.client->ping_pong()->answered(), scene.client->ping_pong()->sent());
}

TEST(PerfRun, AScheduleOfEchoesCountsFromWhenTheyWereDue) {
  PerfClient::Options options = options_for(false, false, 0);
  options.ping_pong = PingPong::Options{.interval = 1ms};
  options.ping_pong_for = 1s;
  RunScene scene(options);
  scene.pair.delay = 20ms;
  ASSERT_TRUE(scene.run());
  EXPECT_NEAR(static_cast<double>(scene.client->ping_pong()->sent()), 1000, 5);
  EXPECT_EQ(scene.client->ping_pong()->answered(), scene.client->ping_pong()->sent());
  for (const Duration latency : scene.latencies) EXPECT_GE(latency, 40ms);
}

TEST(PerfRun, EchoesGoBesideBulk) {
  PerfClient::Options options = options_for(true, false, 5 << 20);
  options.ping_pong = PingPong::Options{};
  options.ping_pong_for = 100ms;
  RunScene scene(options);
  ASSERT_TRUE(scene.run());
  scene.expect_success(5 << 20);
  EXPECT_GT(scene.latencies.size(), 10U);
}

TEST(PerfRun, ASecondClientIsRefused) {
  RunScene scene(options_for(true, false, 50 << 20));
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.server.run() != nullptr; }));
  std::optional<std::string> answer;
  DeterministicRandom random(9);
  const PerfStart other{.session = 1234, .flags = PerfStart::kClientSends, .streams = 1, .stream_bytes = 1};
  scene.pair.client.on_event = [&](Instant now, ConnectionId id, Event& event) {
    if (const auto* message = std::get_if<MessageReceived>(&event)) {
      const auto control = decode_control(message->payload);
      if (const auto* busy = control ? std::get_if<PerfBusy>(&*control) : nullptr) answer = std::string(busy->text);
    }
    scene.client->on_event(now, id, event);
  };
  ASSERT_TRUE(
      send_control(scene.pair.now, *scene.pair.client.endpoint, scene.client->run().connection(), other).has_value());
  ASSERT_TRUE(scene.pair.run_until([&answer] { return answer.has_value(); }));
  EXPECT_EQ(*answer, "another run is going on");
  ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.client->ended() && scene.server_observer.ended > 0; }));
  scene.expect_success(50 << 20);
}

TEST(PerfRun, AServerThatDoesNotAnswerFailsTheRun) {
  RunScene scene(options_for(true, false, 1 << 20));
  scene.pair.server.on_event = [](Instant, ConnectionId, Event&) {};
  EXPECT_TRUE(scene.run(60s));
  EXPECT_EQ(scene.client->run().state(), PerfRun::State::kFailed);
  EXPECT_NE(scene.client->run().failure().find("does not answer"), std::string::npos);
}

TEST(PerfRun, BytesThatDifferAreADisagreement) {
  RunScene scene(options_for(true, false, 5 << 20));
  // A chunk is changed behind the transport's back, as a defect of it would.
  int chunks = 0;
  scene.pair.server.on_event = [&](Instant now, ConnectionId id, Event& event) {
    if (auto* chunk = std::get_if<StreamChunk>(&event); chunk != nullptr && ++chunks == 100) {
      std::vector<std::uint8_t> bytes(chunk->bytes.begin(), chunk->bytes.end());
      bytes[0] ^= 1;
      Event changed =
          StreamChunk{.stream_id = chunk->stream_id, .offset = chunk->offset, .total = chunk->total, .bytes = bytes};
      return scene.server.on_event(now, id, changed);
    }
    scene.server.on_event(now, id, event);
  };
  ASSERT_TRUE(scene.run());
  ASSERT_EQ(scene.client->run().state(), PerfRun::State::kDone);
  EXPECT_EQ(scene.client->run().disagreement().value_or("none"), "to the peer: the digests differ");
  EXPECT_EQ(scene.server_observer.disagreement.value_or("none"), "from the peer: the digests differ");
}

}  // namespace
}  // namespace godwit
