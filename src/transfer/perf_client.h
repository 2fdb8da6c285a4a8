// The client of one performance run: connects to the server, runs, connects again when a key is used up, and ends with
// the results of both sides or a reason. Beside or instead of bulk data it may measure an echo. Fed like PerfServer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "runtime/connector.h"
#include "transfer/echo.h"
#include "transfer/perf_run.h"

namespace godwit {

class PerfClient {
 public:
  struct Options {
    std::vector<SocketAddress> addresses;  // of the server, in order of preference
    PublicKey server_key;
    PerfRun::Options run;  // role and session are set here
    std::optional<PingPong::Options> ping_pong;
    Duration ping_pong_for = 10s;
  };

  PerfClient(Endpoint& endpoint, RandomSource& random, const Options& options, PerfObserver& observer,
             trace::CostSink* cost = nullptr);

  // Called for each echo; before start().
  void set_echo(PingPong::Clock clock, PingPong::OnSample on_sample);
  // Connects. Errors: those of Endpoint::connect.
  [[nodiscard]] Status start(Instant now);
  void on_event(Instant now, ConnectionId connection, Event& event);
  void on_turn(Instant now);
  // Ends the run before its time, with a result (PerfRun::stop).
  void stop(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  [[nodiscard]] bool connected() const { return connected_.has_value(); }
  [[nodiscard]] const std::optional<Connected>& peer() const { return connected_; }
  [[nodiscard]] PerfRun& run() { return *run_; }
  [[nodiscard]] const PerfRun& run() const { return *run_; }
  [[nodiscard]] const PingPong* ping_pong() const { return ping_pong_.get(); }
  [[nodiscard]] bool ended() const { return run_->ended(); }

 private:
  void on_control(Instant now, const ControlMessage& message);
  void begin_ping_pong(Instant now);
  void advance_ping_pong(Instant now);

  Endpoint& endpoint_;
  Options options_;
  Connector connector_;
  std::optional<Connected> connected_;
  std::unique_ptr<PerfRun> run_;
  std::unique_ptr<PingPong> ping_pong_;
  PingPong::Clock echo_clock_;
  PingPong::OnSample on_echo_;
  std::optional<Instant> ping_pong_until_;  // then no more requests, and none is waited for after a while
  bool echo_over_ = false;
  bool reconnecting_ = false;
};

}  // namespace godwit
