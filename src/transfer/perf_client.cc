#include "transfer/perf_client.h"

#include <algorithm>
#include <utility>

namespace godwit {
namespace {

// A last echo that does not come is lost.
constexpr Duration kEchoPatience = 2s;

}  // namespace

PerfClient::PerfClient(Endpoint& endpoint, RandomSource& random, const Options& options, PerfObserver& observer,
                       trace::CostSink* cost)
    : endpoint_(endpoint), options_(options), connector_(endpoint, options.addresses, options.server_key) {
  options_.run.role = PerfRun::Role::kClient;
  options_.run.plan.session = random.next_u64();
  run_ = std::make_unique<PerfRun>(endpoint_, options_.run, observer, cost);
}

void PerfClient::set_echo(PingPong::Clock clock, PingPong::OnSample on_sample) {
  echo_clock_ = std::move(clock);
  on_echo_ = std::move(on_sample);
}

Status PerfClient::start(Instant now) {
  return connector_.start(now);
}

void PerfClient::on_event(Instant now, ConnectionId connection, Event& event) {
  if (connector_.on_event(now, connection, event)) {
    if (connector_.failure()) run_->fail(connector_.failure()->message);
    return;
  }
  if (connection != connector_.connection()) return;  // one that was renewed
  // Copied out: sending below may move the queue that the event lies in.
  if (const auto* chunks = std::get_if<StreamChunks>(&event)) [[likely]] {
    const StreamChunks copy = *chunks;
    for (std::uint32_t i = 0; i < copy.count; ++i) run_->on_chunk(now, copy.chunk(i));
  } else if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
    const StreamChunk copy = *chunk;
    run_->on_chunk(now, copy);
  } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
    if (const auto control = decode_control(message->payload)) on_control(now, *control);
  } else if (const auto* connected = std::get_if<Connected>(&event)) {
    connected_ = *connected;
    reconnecting_ = false;
    run_->attach(now, connection);
  } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) {
    run_->on_confirmed(now, confirmed->message);
  } else if (const auto* failed = std::get_if<MessageFailed>(&event)) {
    run_->on_failed(*failed);
  } else if (const auto* aborted = std::get_if<StreamAborted>(&event)) {
    run_->on_aborted(now, aborted->stream_id);
  } else if (auto* closed = std::get_if<Closed>(&event)) {
    const Closed copy = std::move(*closed);
    run_->on_closed(now, copy);
  }
}

void PerfClient::on_control(Instant now, const ControlMessage& message) {
  if (const auto* reply = std::get_if<EchoReply>(&message)) {
    if (ping_pong_) ping_pong_->on_reply(now, *reply);
    return;
  }
  run_->on_control(now, message);
  if (!options_.ping_pong || !std::holds_alternative<PerfReady>(message)) return;
  if (ping_pong_) return ping_pong_->attach(connector_.connection());
  begin_ping_pong(now);
}

void PerfClient::begin_ping_pong(Instant now) {
  ping_pong_ =
      std::make_unique<PingPong>(endpoint_, connector_.connection(), *options_.ping_pong, echo_clock_, on_echo_);
  ping_pong_->start(now);
  ping_pong_until_ = now + options_.ping_pong_for;
}

void PerfClient::advance_ping_pong(Instant now) {
  ping_pong_->on_turn(now);
  if (now < *ping_pong_until_) return;
  ping_pong_->stop();
  echo_over_ = ping_pong_->idle() || now >= *ping_pong_until_ + kEchoPatience;
}

void PerfClient::on_turn(Instant now) {
  connector_.on_turn(now);
  if (ping_pong_ && !echo_over_) advance_ping_pong(now);
  // A run without bulk data would end at once: it lasts as long as the echo.
  const bool bulk = options_.run.sends || options_.run.receives;
  if (options_.ping_pong && !bulk && !echo_over_ && run_->state() == PerfRun::State::kRunning) return;
  run_->on_turn(now);
  if (!run_->wants_reconnect() || reconnecting_) return;
  reconnecting_ = true;
  if (const Status started = start(now); !started)
    run_->fail("cannot renew the connection: " + started.error().message);
}

void PerfClient::stop(Instant now) {
  if (ping_pong_until_) ping_pong_until_ = std::min(*ping_pong_until_, now);
  run_->stop(now);
}

std::optional<Instant> PerfClient::next_timeout() const {
  std::optional<Instant> next = run_->next_timeout();
  if (!ended()) next = earliest(next, connector_.next_timeout());
  if (ping_pong_ && !echo_over_ && !ended()) {
    next = earliest(next, ping_pong_->next_timeout());
    next = earliest(next, ping_pong_->stopped() ? *ping_pong_until_ + kEchoPatience : *ping_pong_until_);
  }
  return next;
}

}  // namespace godwit
