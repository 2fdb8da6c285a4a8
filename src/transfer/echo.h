// The echo of the transfer protocol (docs/file_transfer.md section 1): what `godwit perf client --ping-pong` measures
// and every listening Godwit answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "base/time.h"
#include "transfer/control.h"
#include "transport/endpoint.h"

namespace godwit {

// Sends the reply. A reply for which the queue has no room is dropped: the requester counts it as lost.
void answer_echo(Instant now, Endpoint& endpoint, ConnectionId connection, const EchoRequest& request);

// Requests of one size, so many outstanding, or on a schedule whatever the replies do: then a reply's latency counts
// from the time its request was due, so that a stall is not forgiven (no coordinated omission).
class PingPong {
 public:
  struct Options {
    std::size_t bytes = 64;            // of a request, header included; at least kEchoHeader
    std::optional<Duration> interval;  // of the schedule; absent: `outstanding` at any time
    std::size_t outstanding = 1;       // at most most_outstanding
    std::size_t most_outstanding = 4096;
  };
  // Reads the clock: replies are stamped when they are seen, not with the turn's time.
  using Clock = std::function<Instant()>;
  using OnSample = std::function<void(Duration)>;

  PingPong(Endpoint& endpoint, ConnectionId connection, const Options& options, Clock clock, OnSample on_sample);

  void start(Instant now);
  // The connection was renewed: what was outstanding on the former one is lost.
  void attach(ConnectionId connection);
  void on_reply(Instant now, const EchoReply& reply);
  // Sends what is due; once a turn.
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // No more requests.
  void stop() { stopped_ = true; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] bool idle() const { return outstanding_.empty(); }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  // Of the schedule: requests that were due while too many were outstanding, or the queue was full. Sent late.
  [[nodiscard]] std::uint64_t late() const { return late_; }
  // From the start to the last reply.
  [[nodiscard]] Duration elapsed() const { return answered_ > 0 ? last_reply_ - started_at_ : Duration::zero(); }

 private:
  struct Outstanding {
    std::uint64_t sequence;
    Instant due;
    bool answered = false;
  };
  [[nodiscard]] bool send(Instant now, Instant due);
  void top_up(Instant now);

  Endpoint& endpoint_;
  ConnectionId connection_;
  Options options_;
  Clock clock_;
  OnSample on_sample_;
  std::vector<std::uint8_t> padding_;
  std::deque<Outstanding> outstanding_;
  std::size_t unanswered_ = 0;  // of outstanding_
  Instant next_due_{};
  Instant started_at_{};
  Instant last_reply_{};
  bool started_ = false;
  bool stopped_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace godwit
