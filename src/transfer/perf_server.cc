#include "transfer/perf_server.h"

#include <algorithm>
#include <string>
#include <utility>

#include "transfer/credit_window.h"

namespace godwit {
namespace {

constexpr std::uint16_t kMaxStreams = 256;
constexpr std::uint8_t kLastCongestion = 1 + static_cast<std::uint8_t>(CongestionKind::kFixedRate);

}  // namespace

PerfServer::PerfServer(Endpoint& endpoint, RandomSource& random, const Options& options, Observer& observer,
                       trace::CostSink* cost)
    : endpoint_(endpoint), random_(random), options_(options), observer_(observer), cost_(cost) {}

void PerfServer::on_event(Instant now, ConnectionId connection, Event& event) {
  const bool own = run_ && run_->connection() == connection;
  // Copied out: sending below may move the queue that the event lies in.
  if (const auto* chunk = std::get_if<StreamChunk>(&event)) [[likely]] {
    const StreamChunk copy = *chunk;
    if (own) return run_->on_chunk(now, copy);
    static_cast<void>(endpoint_.refuse_stream(connection, copy.stream_id));
  } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
    if (const auto control = decode_control(message->payload)) on_control(now, connection, *control);
  } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) {
    if (own) run_->on_confirmed(now, confirmed->message);
  } else if (const auto* failed = std::get_if<MessageFailed>(&event)) {
    if (own) run_->on_failed(*failed);
  } else if (const auto* aborted = std::get_if<StreamAborted>(&event)) {
    if (own) run_->on_aborted(now, aborted->stream_id);
  } else if (auto* closed = std::get_if<Closed>(&event)) {
    const Closed copy = std::move(*closed);
    if (own) run_->on_closed(now, copy);
  }
}

void PerfServer::on_control(Instant now, ConnectionId connection, const ControlMessage& message) {
  if (const auto* echo = std::get_if<EchoRequest>(&message)) return answer_echo(now, endpoint_, connection, *echo);
  if (const auto* start = std::get_if<PerfStart>(&message)) return on_start(now, connection, *start);
  if (run_ && run_->connection() == connection) run_->on_control(now, message);
}

void PerfServer::on_start(Instant now, ConnectionId connection, const PerfStart& start) {
  const auto refuse = [&](std::string_view why) {
    ++refused_;
    static_cast<void>(send_control(now, endpoint_, connection, PerfBusy{start.session, why}));
  };
  if (run_ && run_->session() == start.session) return run_->attach(now, connection);
  if (run_) return refuse("another run is going on");
  if (start.streams > kMaxStreams) return refuse("too many streams");
  if (start.congestion > kLastCongestion) return refuse("unknown congestion controller");
  const bool client_sends = (start.flags & PerfStart::kClientSends) != 0;
  const bool server_sends = (start.flags & PerfStart::kServerSends) != 0;
  const bool moves = start.streams > 0 && (client_sends || server_sends);
  if (moves && (start.stream_bytes == 0 || start.stream_bytes > kDataStreamBytes)) return refuse("bad stream length");

  PerfRun::Options run{.role = PerfRun::Role::kServer};
  run.plan = {.session = start.session,
              .streams = start.streams,
              .stream_bytes = start.stream_bytes,
              .duration = std::chrono::milliseconds(start.duration_ms),
              .target_bytes = start.target_bytes,
              .digest = (start.flags & PerfStart::kDigest) != 0};
  run.sends = moves && server_sends;
  run.receives = moves && client_sends;
  run.window = options_.window.value_or(credit_window(options_.receive_buffer_bytes, start.streams));
  run.peer_window = start.window;
  run.congestion = start.congestion;
  if (start.rate > 0) run.rate = Bandwidth::from_bits_per_second(start.rate);
  if (run.sends) {
    if (!bytes_) bytes_ = std::make_shared<const WorkingSet>(options_.working_set_bytes, random_);
    run.bytes = bytes_;
  }
  run_ = std::make_unique<PerfRun>(endpoint_, run, observer_, cost_);
  run_->attach(now, connection);
}

void PerfServer::on_turn(Instant now) {
  if (!run_) return;
  run_->on_turn(now);
  if (!run_->ended()) return;
  if (run_->state() == PerfRun::State::kFailed) endpoint_.close(now, run_->connection(), run_->failure());
  observer_.on_perf_ended(now, *run_);
  run_.reset();
}

std::optional<Instant> PerfServer::next_timeout() const {
  return run_ ? run_->next_timeout() : std::nullopt;
}

}  // namespace godwit
