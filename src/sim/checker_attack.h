// The checkers of scenarios with an attacker: what strangers may cost, and what they may do to those who are not
// strangers. They see datagrams on the wire, what applications are told, and how much memory is allocated; of the
// endpoint's own account they use nothing but the trace's word that a datagram could not be opened.
// Owned by Simulator.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "sim/checker.h"
#include "sim/scenario.h"
#include "transport/event.h"

namespace godwit::sim {

struct AttackNumbers {
  std::uint64_t connects = 0;           // legitimate attempts, those that the scenario interrupts left out
  std::uint64_t connected = 0;          // of these
  std::uint64_t most_unopened = 0;      // datagrams of one peer within 30 s that could not be opened
  std::uint64_t unproven_received = 0;  // bytes from addresses before they were proven
  std::uint64_t unproven_sent = 0;      // bytes to them
  std::uint64_t peak_memory = 0;        // bytes of one endpoint beyond its start, where they are counted
};

class AttackChecker {
 public:
  AttackChecker(const Scenario& scenario, CheckLog& check_log, Mutation mutation);

  // --- The wire ---
  void on_sent(Instant now, std::uint32_t host, const SocketAddress& remote, std::uint64_t bytes);
  void on_received(std::uint32_t host, const SocketAddress& remote, std::uint64_t bytes, bool forged);
  // Datagrams of `peer` that `host` could not open although both had a session when they were sent. A peer that has not
  // heard yet that its handshake is complete, or that has begun anew, has none that it could spare.
  void on_unopened(Instant now, std::uint32_t host, std::uint32_t peer, std::uint64_t datagrams);

  // --- Connections ---
  void on_initiated(Instant now, std::uint32_t host, const SocketAddress& remote, ConnectionId connection);
  void on_refused_attempt(Instant now, std::uint32_t host, std::string_view why);
  void on_connected(Instant now, std::uint32_t host, const SocketAddress& remote, ConnectionId connection);
  void on_closed(Instant now, std::uint32_t host, ConnectionId connection, CloseReason reason);
  void on_host_lost(std::uint32_t host);
  // The scenario has ended: what is still under way counts for nothing.
  void stop() { stopped_ = true; }

  // --- Messages and memory ---
  void on_delivered(Instant now, std::uint32_t flow, Instant sent_at);
  // Bytes that the endpoint of `host` has allocated since its start.
  void on_memory(Instant now, std::uint32_t host, std::int64_t bytes, std::uint64_t hostile_streams);

  [[nodiscard]] const AttackNumbers& numbers() const { return numbers_; }

 private:
  struct Exchange {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    bool proven = false;
  };
  struct Watched {
    std::map<SocketAddress, Exchange> exchanges;
    std::map<ConnectionId, Instant> connecting;
    std::map<std::uint32_t, std::deque<Instant>> unopened;  // by peer
    std::uint64_t hostile_bytes = 0;
    std::uint64_t hostile_datagrams = 0;
  };
  void end_attempt(Instant now, std::uint32_t host, ConnectionId connection, bool good);

  const Scenario* scenario_;
  CheckLog* check_log_;
  Mutation mutation_;
  bool gentle_;
  std::vector<Watched> hosts_;
  std::vector<Duration> bounds_;  // of each flow's messages
  std::uint64_t legitimate_bytes_ = 0;
  AttackNumbers numbers_;
  bool stopped_ = false;
};

}  // namespace godwit::sim
