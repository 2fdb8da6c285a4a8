// A performance run between two endpoints in memory, for tests in virtual time: a client, a server, and observers that
// note what they are told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transfer/perf_client.h"
#include "transfer/perf_server.h"
#include "transport/endpoint_pair_test_support.h"

namespace godwit {

class CountingObserver : public PerfServer::Observer {
 public:
  void on_perf_running(Instant, PerfRun&) override { ++running; }
  std::string perf_details(Instant, PerfRun&) override { return details; }
  void on_perf_ended(Instant, PerfRun& run) override {
    ++ended;
    state = run.state();
    failure = run.failure();
    if (run.peer_result()) {
      disagreement = run.disagreement();
      peer_details = run.peer_result()->details;
    }
    if (run.receiver() != nullptr) received = run.receiver()->bytes();
  }
  // Longer than one message.
  std::string details = "{\"detail\":\"" + std::string(3500, 'd') + "\"}";
  int running = 0;
  int ended = 0;
  PerfRun::State state = PerfRun::State::kStarting;
  std::string failure;
  std::optional<std::string> disagreement;
  std::string peer_details;
  std::uint64_t received = 0;
};

struct RunScene {
  explicit RunScene(PerfClient::Options options, const Config& client_config = EndpointPair::chunk_config(),
                    const Config& server_config = EndpointPair::chunk_config())
      : pair(client_config, server_config),
        server(*pair.server.endpoint, pair.random, {.receive_buffer_bytes = 16 << 20, .working_set_bytes = 1 << 20},
               server_observer) {
    options.addresses = {pair.server.address};
    options.server_key = pair.server.endpoint->public_key();
    options.run.window = std::max<std::uint64_t>(options.run.window, 256 << 10);
    options.run.bytes = std::make_shared<const WorkingSet>(std::size_t{1} << 20, pair.random);
    client = std::make_unique<PerfClient>(*pair.client.endpoint, pair.random, options, client_observer);
    client->set_echo([this] { return pair.now; }, [this](Duration latency) { latencies.push_back(latency); });
    pair.client.on_event = [this](Instant now, ConnectionId id, Event& event) { client->on_event(now, id, event); };
    pair.client.on_turn = [this](Instant now) { client->on_turn(now); };
    pair.client.next_timeout = [this] { return client->next_timeout(); };
    pair.server.on_event = [this](Instant now, ConnectionId id, Event& event) { server.on_event(now, id, event); };
    pair.server.on_turn = [this](Instant now) { server.on_turn(now); };
    pair.server.next_timeout = [this] { return server.next_timeout(); };
  }
  [[nodiscard]] bool run(Duration limit = 120s) {
    EXPECT_TRUE(client->start(pair.now).has_value());
    return pair.run_until([this] { return client->ended() && (server_observer.ended > 0 || server.run() == nullptr); },
                          limit);
  }
  void expect_success(std::uint64_t bytes) {
    ASSERT_EQ(client->run().state(), PerfRun::State::kDone) << client->run().failure();
    EXPECT_EQ(client->run().disagreement().value_or("none"), "none");
    EXPECT_EQ(client->run().peer_result()->details, server_observer.details);
    EXPECT_EQ(server_observer.peer_details, client_observer.details);
    EXPECT_EQ(server_observer.state, PerfRun::State::kDone) << server_observer.failure;
    EXPECT_EQ(server_observer.disagreement.value_or("none"), "none");
    if (client->run().sender() != nullptr) {
      EXPECT_EQ(client->run().sender()->bytes(), bytes);
    }
    if (client->run().receiver() != nullptr) {
      EXPECT_EQ(client->run().receiver()->bytes(), bytes);
    }
  }

  EndpointPair pair;
  CountingObserver client_observer;
  CountingObserver server_observer;
  PerfServer server;
  std::unique_ptr<PerfClient> client;
  std::vector<Duration> latencies;
};

inline PerfClient::Options options_for(bool sends, bool receives, std::uint64_t bytes, std::uint16_t streams = 1) {
  PerfClient::Options options;
  options.run.sends = sends;
  options.run.receives = receives;
  options.run.plan.streams = streams;
  options.run.plan.stream_bytes = 1 << 20;
  options.run.plan.target_bytes = bytes;
  return options;
}

}  // namespace godwit
