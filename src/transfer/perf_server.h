// The server of performance runs: answers starts, one run at a time, and echoes of any connection. Whoever says one
// word must not hold it: a run needs progress, has an end, and its client goes behind others afterwards. Fed with every
// event of its endpoint by a driver (Node's handler in cli/, a test with two endpoints). Prints nothing; tells an
// Observer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "transfer/echo.h"
#include "transfer/perf_run.h"
#include "transfer/turn_order.h"

namespace godwit {

class PerfServer {
 public:
  struct Options {
    std::size_t receive_buffer_bytes = 0;  // of the socket: the window follows it
    std::optional<std::uint64_t> window;   // instead
    std::size_t working_set_bytes = std::size_t{64} << 20;
    // Of one run, from its start. A longer one is refused, and one that does not end in time is ended.
    Duration max_time = std::chrono::hours(1);
    std::optional<Bandwidth> rate_limit{};  // of each run, whatever its client asks for
  };
  class Observer : public PerfObserver {
   public:
    // The run has ended; it is forgotten after the call.
    virtual void on_perf_ended(Instant now, PerfRun& run) = 0;
  };

  PerfServer(Endpoint& endpoint, RandomSource& random, const Options& options, Observer& observer,
             trace::CostSink* cost = nullptr);

  void on_event(Instant now, ConnectionId connection, Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  [[nodiscard]] const PerfRun* run() const { return run_.get(); }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  void on_control(Instant now, ConnectionId connection, const ControlMessage& message);
  void on_start(Instant now, ConnectionId connection, const PerfStart& start);
  // Why a start is refused whatever else goes on; nothing when each of its numbers is within its bounds.
  [[nodiscard]] std::optional<std::string> judge(const PerfStart& start) const;
  void make_run(Instant now, const PerfStart& start);
  void give_way(Instant now, const SocketAddress& client);
  [[nodiscard]] bool goes_on(Instant now);
  void look(Instant now);
  [[nodiscard]] Instant silent_until() const;

  Endpoint& endpoint_;
  RandomSource& random_;
  Options options_;
  Observer& observer_;
  trace::CostSink* cost_;
  std::unique_ptr<PerfRun> run_;
  std::shared_ptr<const WorkingSet> bytes_;
  std::uint64_t refused_ = 0;
  SocketAddress client_;  // the run's
  TurnOrder order_;
  Instant planned_until_{};      // its time is over then
  Instant run_until_{};          // and it ends then at the latest
  Instant moved_at_{};           // the last byte, or echo in a run of echoes
  Instant next_look_{};          // at how many bytes have moved
  std::uint64_t run_bytes_ = 0;  // as of the last look
  // Where the run begins in the next turn: to make the bytes that it sends may have taken a second, which is no part of
  // it.
  std::optional<ConnectionId> begin_on_;
  Instant asked_at_{};
};

}  // namespace godwit
