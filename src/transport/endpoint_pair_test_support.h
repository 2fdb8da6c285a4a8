// Two endpoints joined in memory, and a third one where a test adds it, in virtual time, for tests of state
// machines above them: what one transmits the other receives a fixed delay later, perhaps not at all.
#pragma once

#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"
#include "transport/endpoint.h"

namespace godwit {

class EndpointPair {
 public:
  struct Side {
    std::unique_ptr<Endpoint> endpoint;
    SocketAddress address;
    std::function<void(Instant, ConnectionId, Event&)> on_event = [](Instant, ConnectionId, Event&) {};
    std::function<void(Instant)> on_turn = [](Instant) {};
    std::function<std::optional<Instant>()> next_timeout = [] { return std::nullopt; };
  };

  explicit EndpointPair(const Config& client_config = chunk_config(), const Config& server_config = chunk_config()) {
    client.endpoint = std::make_unique<Endpoint>(client_config, *KeyPair::generate(random), random);
    server.endpoint = std::make_unique<Endpoint>(server_config, *KeyPair::generate(random), random);
    client.address = *SocketAddress::parse("10.0.0.1:1000");
    server.address = *SocketAddress::parse("10.0.0.2:2000");
  }
  static Config chunk_config() {
    Config config;
    config.streams.delivery = DeliveryMode::kChunks;
    return config;
  }

  // A further client of the server.
  Side& add_third(const SocketAddress& address, const Config& config = chunk_config()) {
    third = std::make_unique<Side>();
    third->endpoint = std::make_unique<Endpoint>(config, *KeyPair::generate(random), random);
    third->address = address;
    return *third;
  }

  // Turns of all sides until `done`, or until `limit` of virtual time is over; true when done.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, Duration limit = 60s) {
    const Instant end = now + limit;
    while (!done()) {
      turn(client);
      turn(server);
      if (third) turn(*third);
      if (done()) return true;
      if (now >= end) return false;
      // Virtual time does not leap over what a thread is doing.
      const bool working = threads_work();
      if (working) std::this_thread::sleep_for(20us);
      now = std::min(working ? std::min(next(), now + 50us) : next(), end);
    }
    return true;
  }

  DeterministicRandom random{7};
  Instant now{1h};
  Duration delay = 100us;
  double drop = 0;
  // Whether a thread of a side has something to do.
  std::function<bool()> threads_work = [] { return false; };
  Side client;
  Side server;
  std::unique_ptr<Side> third;

 private:
  struct Flying {
    Instant due;
    Side* to;
    SocketAddress from;
    std::size_t segment_size;
    std::vector<std::uint8_t> bytes;
  };

  void turn(Side& side) {
    while (!flying_.empty() && flying_.front().due <= now && flying_.front().to == &side) {
      Flying run = std::move(flying_.front());
      flying_.pop_front();
      side.endpoint->receive(
          now, {.local = side.address, .remote = run.from, .bytes = run.bytes, .segment_size = run.segment_size});
      deliver(side);
    }
    if (const auto deadline = side.endpoint->next_timeout(); deadline && *deadline <= now)
      side.endpoint->handle_timeout(now);
    deliver(side);
    side.on_turn(now);
    deliver(side);
    buffer_.reset();
    while (const auto run = side.endpoint->poll_transmit(now, buffer_)) {
      Side* const peer = side_at(run->remote);
      if (peer == nullptr) continue;  // an address that a side has had before
      for (std::size_t i = 0; i < run->segment_count(); ++i) {
        if (drop > 0 && random.unit() < drop) continue;
        const MutableBytes segment = run->segment(i);
        flying_.push_back({now + delay, peer, side.address, segment.size(), {segment.begin(), segment.end()}});
      }
    }
    deliver(side);
  }
  [[nodiscard]] Side* side_at(const SocketAddress& address) {
    if (address == server.address) return &server;
    return address == client.address ? &client : third.get();
  }
  void deliver(Side& side) {
    while (EndpointEvent* const event = side.endpoint->poll_event())
      side.on_event(now, event->connection, event->event);
  }
  [[nodiscard]] Instant next() const {
    Instant earliest = now + 1s;
    const auto consider = [&earliest](std::optional<Instant> at) {
      if (at) earliest = std::min(earliest, *at);
    };
    if (!flying_.empty()) consider(flying_.front().due);
    for (const Side* const side : std::initializer_list<const Side*>{&client, &server, third.get()}) {
      if (side == nullptr) continue;
      consider(side->endpoint->next_timeout());
      consider(side->next_timeout());
    }
    return std::max(earliest, now + 1us);
  }

  TransmitBuffer buffer_;
  std::deque<Flying> flying_;
};

}  // namespace godwit
