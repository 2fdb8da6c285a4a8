// Two endpoints joined in memory, and a third one where a test adds it, in virtual time, for tests of state
// machines above them: what one transmits the other receives a fixed delay later, perhaps not at all.
#pragma once

#include <algorithm>
#include <functional>
#include <thread>

#include "transport/memory_network_test_support.h"

namespace godwit {

class EndpointPair : public test::MemoryNetwork {
 public:
  using Side = Node;

  explicit EndpointPair(const Config& client_config = chunk_config(), const Config& server_config = chunk_config())
      : MemoryNetwork(7),
        client(add(*SocketAddress::parse("10.0.0.1:1000"), client_config)),
        server(add(*SocketAddress::parse("10.0.0.2:2000"), server_config)) {
    delay = 100us;
    split = true;
    on_wait = [this](Instant next) {
      next = std::min(next, now + 1s);
      if (!threads_work()) return next;
      // Virtual time does not leap over what a thread is doing.
      std::this_thread::sleep_for(20us);
      return std::min(next, now + 50us);
    };
  }
  static Config chunk_config() {
    Config config;
    config.streams.delivery = DeliveryMode::kChunks;
    return config;
  }

  // A further client of the server, in place of the former one.
  Side& add_third(const SocketAddress& address, const Config& config = chunk_config()) {
    if (third != nullptr) remove(*third);
    third = &add(address, config);
    return *third;
  }

  // Turns of all sides until `done`, or until `limit` of virtual time is over; true when done.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, Duration limit = 60s) { return run(limit, done); }

  // Whether a thread of a side has something to do.
  std::function<bool()> threads_work = [] { return false; };
  Side& client;
  Side& server;
  Side* third = nullptr;
};

}  // namespace godwit
