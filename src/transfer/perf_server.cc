#include "transfer/perf_server.h"

#include <algorithm>
#include <string>
#include <utility>

#include "transfer/credit_window.h"
#include "transfer/peer_watch.h"

namespace godwit {
namespace {

constexpr std::uint16_t kMaxStreams = 256;
// Bounds of what a client asks for, far above what any run needs.
constexpr std::uint64_t kGreatestRate = 1'000'000'000'000'000;
constexpr std::uint64_t kGreatestTarget = std::uint64_t{1} << 50;
constexpr std::uint64_t kGreatestPeerWindow = std::uint64_t{1} << 30;
// A client that neither sends, nor takes, nor says anything for so long has left.
constexpr Duration kSilence = 60s;
constexpr Duration kLookInterval = 1s;

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
  if (run_ && run_->connection() == connection) silent_until_ = now + kSilence;
  if (const auto* echo = std::get_if<EchoRequest>(&message)) return answer_echo(now, endpoint_, connection, *echo);
  if (const auto* start = std::get_if<PerfStart>(&message)) return on_start(now, connection, *start);
  if (run_ && run_->connection() == connection) run_->on_control(now, message);
}

void PerfServer::on_start(Instant now, ConnectionId connection, const PerfStart& start) {
  const auto refuse = [&](std::string_view why) {
    ++refused_;
    static_cast<void>(send_control(now, endpoint_, connection, PerfBusy{start.session, why}));
  };
  if (run_ && run_->session() == start.session) {
    if (!begin_on_) return run_->attach(now, connection);
    begin_on_ = connection;
    return;
  }
  if (run_ && endpoint_.liveness(run_->connection()).suspect) {
    // Its client is silent, and this one is here.
    begin_on_.reset();
    run_->fail("the client does not answer, and another one has come");
    on_turn(now);
  }
  if (run_) return refuse("another run is going on");
  if (const auto why = judge(start)) return refuse(*why);
  const bool client_sends = (start.flags & PerfStart::kClientSends) != 0;
  const bool server_sends = (start.flags & PerfStart::kServerSends) != 0;
  const bool moves = start.streams > 0 && (client_sends || server_sends);

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
  run.peer_window = std::min(start.window, kGreatestPeerWindow);
  run.congestion = congestion_kind_of(start.congestion);
  run.rate = options_.rate_limit;
  if (start.rate > 0) {
    const Bandwidth asked = Bandwidth::from_bits_per_second(start.rate);
    run.rate = run.rate ? std::min(*run.rate, asked) : asked;
  }
  run.progress_interval = std::chrono::milliseconds(start.progress_ms);
  if (run.sends) {
    if (!bytes_) bytes_ = std::make_shared<const WorkingSet>(options_.working_set_bytes, random_);
    run.bytes = bytes_;
  }
  run_ = std::make_unique<PerfRun>(endpoint_, run, observer_, cost_);
  run_until_ = now + options_.max_time;
  silent_until_ = now + kSilence;
  next_look_ = now;
  run_bytes_ = 0;
  begin_on_ = connection;
  asked_at_ = now;
}

std::optional<std::string> PerfServer::judge(const PerfStart& start) const {
  if (start.streams > kMaxStreams) return "too many streams";
  if (start.congestion != 0 && !congestion_kind_of(start.congestion)) return "unknown congestion controller";
  const bool moves = start.streams > 0 && (start.flags & (PerfStart::kClientSends | PerfStart::kServerSends)) != 0;
  if (!moves) return std::nullopt;
  if (start.stream_bytes == 0 || start.stream_bytes > kDataStreamBytes) return "bad stream length";
  if (start.rate > kGreatestRate) return "the rate is beyond every network's";
  if (start.target_bytes > kGreatestTarget) return "too many bytes for one run";
  if (start.target_bytes == 0 && std::chrono::milliseconds(start.duration_ms) > options_.max_time) {
    return "a run may last " +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(options_.max_time).count()) + " s at most";
  }
  return std::nullopt;
}

// Whoever says one word must not hold the server: a run needs progress, and has an end.
bool PerfServer::goes_on(Instant now) {
  if (now >= next_look_) {
    next_look_ = now + kLookInterval;
    const std::uint64_t bytes = (run_->sender() != nullptr ? run_->sender()->handed_out() : 0) +
                                (run_->receiver() != nullptr ? run_->receiver()->bytes() : 0);
    if (bytes != run_bytes_) silent_until_ = now + kSilence;
    run_bytes_ = bytes;
  }
  if (now >= run_until_) {
    run_->fail("the run lasts longer than this server allows");
  } else if (now >= silent_until_) {
    run_->fail(silence_reason(endpoint_, run_->connection(), "the run makes no progress"));
  }
  return !run_->ended();
}

void PerfServer::on_turn(Instant now) {
  if (!run_) return;
  if (begin_on_) {
    if (now <= asked_at_ && !run_->ended()) return;
    run_->attach(now, *std::exchange(begin_on_, std::nullopt));
  }
  if (goes_on(now)) run_->on_turn(now);
  if (!run_->ended()) return;
  if (run_->state() == PerfRun::State::kFailed) endpoint_.close(now, run_->connection(), run_->failure());
  observer_.on_perf_ended(now, *run_);
  run_.reset();
}

std::optional<Instant> PerfServer::next_timeout() const {
  if (!run_) return std::nullopt;
  if (begin_on_) return asked_at_;
  const Instant end = std::min(run_until_, silent_until_);
  return std::min(run_->next_timeout().value_or(end), end);
}

}  // namespace godwit
