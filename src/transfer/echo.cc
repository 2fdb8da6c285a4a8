#include "transfer/echo.h"

#include <algorithm>
#include <utility>

namespace godwit {

void answer_echo(Instant now, Endpoint& endpoint, ConnectionId connection, const EchoRequest& request) {
  static_cast<void>(send_control(now, endpoint, connection, EchoReply{request.sequence, request.padding}));
}

PingPong::PingPong(Endpoint& endpoint, ConnectionId connection, const Options& options, Clock clock, OnSample on_sample)
    : endpoint_(endpoint),
      connection_(connection),
      options_(options),
      clock_(std::move(clock)),
      on_sample_(std::move(on_sample)),
      padding_(std::max(options.bytes, kEchoHeader) - kEchoHeader, 0x5a) {}

void PingPong::start(Instant now) {
  started_ = true;
  next_due_ = now;
  started_at_ = clock_();
}

void PingPong::attach(ConnectionId connection) {
  connection_ = connection;
  outstanding_.clear();
  unanswered_ = 0;
}

bool PingPong::send(Instant now, Instant due) {
  const EchoRequest request{.sequence = sent_, .padding = padding_};
  if (!send_control(now, endpoint_, connection_, request)) return false;
  outstanding_.push_back({.sequence = sent_++, .due = due});
  ++unanswered_;
  return true;
}

void PingPong::on_reply(Instant now, const EchoReply& reply) {
  if (outstanding_.empty() || reply.sequence < outstanding_.front().sequence) return;
  const std::uint64_t index = reply.sequence - outstanding_.front().sequence;
  if (index >= outstanding_.size() || outstanding_[index].answered) return;
  if (!std::ranges::equal(reply.padding, padding_)) return;  // not what was asked: no answer
  outstanding_[index].answered = true;
  --unanswered_;
  ++answered_;
  const Instant seen = clock_();
  last_reply_ = seen;
  on_sample_(seen - outstanding_[index].due);
  while (!outstanding_.empty() && outstanding_.front().answered) outstanding_.pop_front();
  // Several go out together at the end of the turn, one at once.
  if (options_.interval || stopped_ || options_.outstanding > 1 || unanswered_ > 0) return;
  static_cast<void>(send(now, seen));
}

void PingPong::top_up(Instant now) {
  const std::size_t wanted = std::min(options_.outstanding, options_.most_outstanding);
  if (unanswered_ >= wanted) return;
  const Instant due = clock_();
  while (unanswered_ < wanted && outstanding_.size() < options_.most_outstanding && send(now, due)) {
  }
}

void PingPong::on_turn(Instant now) {
  if (!started_ || stopped_) return;
  if (!options_.interval) return top_up(now);
  while (next_due_ <= now) {
    if (outstanding_.size() >= options_.most_outstanding || !send(now, next_due_)) {
      ++late_;
      return;
    }
    next_due_ += *options_.interval;
  }
}

std::optional<Instant> PingPong::next_timeout() const {
  if (!started_ || stopped_ || !options_.interval || outstanding_.size() >= options_.most_outstanding)
    return std::nullopt;
  return next_due_;
}

}  // namespace godwit
