// The checkers that look inside: the ring of sent packets, the congestion window, the pacer's promise, timers, bounds,
// and what is left after the end. They use Endpoint::inspect() and statistics only, and compute on their own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "sim/checker.h"
#include "sim/link.h"
#include "transport/endpoint.h"

namespace godwit::sim {

// Over any window, granted bytes stay below rate × window + burst: a token bucket of its own for one connection.
// Checked on data alone; probes are exempt (they go whatever the pacer says), and so is what never waits
// (acknowledgements, pings, handshakes).
class PacerChecker {
 public:
  // The rate holds from `now` on.
  void on_rate(Instant now, Bandwidth rate);
  // False when the bytes exceed the promise.
  [[nodiscard]] bool on_data(Instant now, std::uint64_t bytes);

 private:
  [[nodiscard]] static double burst(Bandwidth rate);
  void advance(Instant now);

  bool started_ = false;
  Bandwidth rate_ = Bandwidth::unlimited();
  double credit_ = 0;
  Instant at_{};
};

class StateChecker {
 public:
  explicit StateChecker(CheckLog& check_log, Mutation mutation) : check_log_(&check_log), mutation_(mutation) {}

  // After everything that a host did in one event has been drained. `now` is the host's own clock.
  // `shared`: the endpoint's connections share a budget, so that their rates change without an event.
  void after_turn(Instant now, std::uint32_t host, const Endpoint& endpoint, bool worked, bool shared);
  // A packet with data of the application was handed out, or the rate has changed (trace events of the core).
  void on_data(Instant now, std::uint32_t host, const Endpoint& endpoint, ConnectionId connection, std::uint64_t bytes,
               bool retransmission);
  void on_metrics(Instant now, std::uint32_t host, ConnectionId connection, Bandwidth rate, std::uint64_t window);
  // What the application of a host was told.
  void on_connected(std::uint32_t host, ConnectionId connection);
  void on_closed(std::uint32_t host, ConnectionId connection, CloseReason reason);
  void on_handed_out(Instant now, std::uint32_t host, const std::optional<DatagramBatch>& batch,
                     std::uint64_t traced_datagrams, std::uint64_t traced_bytes);
  // Every peer of a scenario is honest.
  void on_close_reason(Instant now, std::uint32_t host, CloseReason reason);
  void on_host_lost(std::uint32_t host);
  void check_link(Instant now, std::uint32_t index, const Link& link);
  void at_end(Instant now, std::uint32_t host, const Endpoint& endpoint);

 private:
  struct Watched {
    PacerChecker pacer;
    std::uint64_t probes_seen = 0;
    std::uint64_t window = 0;  // the largest since the last new data
    std::uint32_t turns = 0;
  };
  using Key = std::pair<std::uint32_t, ConnectionId>;
  // What the application was told of an endpoint's connections.
  struct Told {
    std::uint64_t opened = 0;
    CloseCounts closed;
    std::set<ConnectionId> open;
  };
  void check_counters(Instant now, std::uint32_t host, const Endpoint& endpoint);
  void check_ring(Instant now, std::uint32_t host, ConnectionId id, const Connection& connection);
  void check_memory(Instant now, std::uint32_t host, const Connection& connection);

  CheckLog* check_log_;
  Mutation mutation_;
  std::map<Key, Watched> pacers_;
  struct Idle {
    Instant since{};
    std::uint32_t turns = 0;
  };
  std::map<std::uint32_t, Idle> idle_;
  std::map<std::uint32_t, Told> told_;
};

}  // namespace godwit::sim
