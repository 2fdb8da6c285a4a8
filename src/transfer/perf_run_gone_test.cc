// A perf server that goes away at any point of a run: the client says that it has gone, whatever it was waiting for.

#include <gtest/gtest.h>

#include "transfer/perf_run.h"
#include "transfer/perf_test_support.h"

namespace godwit {
namespace {

struct GoneScene : RunScene {
  GoneScene() : RunScene(options_for(true, false, 50 << 20)) {
    pair.client.on_event = [this](Instant now, ConnectionId id, Event& event) {
      if (vanish_when_connected && std::holds_alternative<Connected>(event)) vanish();
      client->on_event(now, id, event);
    };
    pair.client.on_turn = [this](Instant now) {
      if (port_is_closed && pair.loss == 1) {
        pair.client.endpoint->on_path_report(now,
                                             {.remote = pair.server.address, .problem = PathProblem::kPortUnreachable});
      }
      client->on_turn(now);
    };
    pair.delay = 5ms;
  }
  void vanish() {
    pair.loss = 1;
    gone_at = pair.now;
  }
  [[nodiscard]] Duration ended_after() {
    EXPECT_TRUE(pair.run_until([this] { return client->ended(); }, 60s));
    EXPECT_EQ(client->run().state(), PerfRun::State::kFailed);
    return pair.now - gone_at;
  }

  bool vanish_when_connected = false;
  bool port_is_closed = false;
  Instant gone_at{};
};

// The acknowledgement of the handshake is the last that is heard: the transport is still asking for proof.
TEST(PerfRunGone, BeforeTheServerHasSaidAnything) {
  GoneScene scene;
  scene.vanish_when_connected = scene.port_is_closed = true;
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  EXPECT_LT(scene.ended_after(), 10s);
  EXPECT_EQ(scene.client->run().failure(), "the peer has gone: port unreachable");
}

TEST(PerfRunGone, BeforeItsAnswerToTheStart) {
  GoneScene scene;
  scene.port_is_closed = true;
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.server.run() != nullptr; }));
  ASSERT_EQ(scene.client->run().state(), PerfRun::State::kStarting);
  scene.vanish();
  EXPECT_LT(scene.ended_after(), 10s);
  EXPECT_EQ(scene.client->run().failure(), "the peer has gone: port unreachable");
}

TEST(PerfRunGone, WhileDataFlows) {
  GoneScene scene;
  scene.port_is_closed = true;
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.client->run().state() == PerfRun::State::kRunning; }));
  scene.vanish();
  EXPECT_LT(scene.ended_after(), 10s);
  EXPECT_EQ(scene.client->run().failure(), "the peer has gone: port unreachable");
}

// Whoever takes no turn for long, as a process on a busy machine, finds the deadline and the cause at once.
TEST(PerfRunGone, TheCauseIsNamedWhenTheDeadlineIsLookedAtFirst) {
  GoneScene scene;
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.server.run() != nullptr; }));
  scene.vanish();
  scene.pair.now += 11s;
  scene.pair.client.endpoint->on_path_report(
      scene.pair.now, {.remote = scene.pair.server.address, .problem = PathProblem::kPortUnreachable});
  scene.client->on_turn(scene.pair.now);
  EXPECT_EQ(scene.client->run().failure(), "the peer has gone: port unreachable");
}

TEST(PerfRunGone, SilenceIsNotTakenForAnOldServer) {
  for (const bool before_proof : {true, false}) {
    GoneScene scene;
    scene.vanish_when_connected = before_proof;
    ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
    if (!before_proof) {
      ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.server.run() != nullptr; }));
      scene.vanish();
    }
    EXPECT_LT(scene.ended_after(), 12s);
    EXPECT_EQ(scene.client->run().failure(), "the peer does not answer") << before_proof;
  }
}

// The server has given the handshake up by then; what was sent in the first session never arrived.
TEST(PerfRunGone, AStartThatIsLostWithItsSessionIsSaidAgain) {
  GoneScene scene;
  scene.vanish_when_connected = true;
  ASSERT_TRUE(scene.client->start(scene.pair.now).has_value());
  EXPECT_FALSE(scene.pair.run_until([&scene] { return scene.client->ended(); }, 6s));
  scene.vanish_when_connected = false;
  scene.pair.loss = 0;
  ASSERT_TRUE(scene.pair.run_until([&scene] { return scene.client->ended() && scene.server_observer.ended > 0; }));
  scene.expect_success(50 << 20);
}

}  // namespace
}  // namespace godwit
