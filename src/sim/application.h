// The scripts that simulated applications follow: which flow sends its next message when, and when a flow has ended.
// Decides and counts; hosts send. Owned by Simulator.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/scenario.h"

namespace godwit::sim {

class Simulator;

struct FlowProgress {
  std::uint32_t sent = 0;
  std::uint32_t ended = 0;  // confirmed, failed or refused; a request: answered or failed
  std::uint32_t confirmed = 0;
  std::uint32_t outstanding = 0;
  std::uint64_t confirmed_bytes = 0;
  bool waiting = false;  // for a connection or a free queue
  Instant began{};
  Instant ended_at{};
};

class Application {
 public:
  explicit Application(Simulator& simulator);

  void start(Instant now);
  // A timer of the flow: its next message, or another try.
  void on_timer(Instant now, std::uint32_t flow);
  void on_ended(Instant now, std::uint64_t number);
  // The process is gone, and with it every request that waited for its reply.
  void on_host_lost(Instant now, std::uint32_t host);
  // Returns the number of the message to reply with; 0: none.
  [[nodiscard]] std::uint64_t on_delivered(Instant now, std::uint64_t number);
  void on_writable(Instant now, std::uint32_t host);
  void stop() { stopped_ = true; }

  [[nodiscard]] bool finished() const { return unfinished_ == 0; }
  [[nodiscard]] const std::vector<FlowProgress>& progress() const { return progress_; }

 private:
  void advance(Instant now, std::uint32_t flow);
  void end_request(Instant now, std::uint64_t request, bool answered, std::uint64_t bytes);
  void end_one(Instant now, std::uint32_t flow, bool confirmed, std::uint64_t bytes);
  void wait_for(Instant now, std::uint32_t flow, Duration delay);
  [[nodiscard]] bool send_one(Instant now, std::uint32_t flow);

  Simulator& simulator_;
  const Scenario& scenario_;
  std::vector<FlowProgress> progress_;
  std::size_t unfinished_ = 0;
  bool stopped_ = false;
};

}  // namespace godwit::sim
