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
// A run in which no byte moves for so long is over; beyond its planned time, or when another client asks, sooner.
constexpr Duration kSilence = 60s;
constexpr Duration kSilenceBeyondPlan = 20s;
constexpr Duration kSilenceBeforeOthers = 5s;
// What a run by time may last besides twice its time: a slow path takes longer for what was begun.
constexpr Duration kLongestEnd = 60s;
constexpr Duration kLookInterval = 1s;

}  // namespace

PerfServer::PerfServer(Endpoint& endpoint, RandomSource& random, const Options& options, Observer& observer,
                       trace::CostSink* cost)
    : endpoint_(endpoint), random_(random), options_(options), observer_(observer), cost_(cost) {}

void PerfServer::on_event(Instant now, ConnectionId connection, Event& event) {
  const bool own = run_ && run_->connection() == connection;
  // Copied out: sending below may move the queue that the event lies in.
  if (const auto* chunks = std::get_if<StreamChunks>(&event)) [[likely]] {
    const StreamChunks copy = *chunks;
    if (!own) static_cast<void>(endpoint_.stop_receiving(connection, copy.stream_id));
    for (std::uint32_t i = 0; i < copy.count && run_ && run_->connection() == connection; ++i) {
      run_->on_chunk(now, copy.chunk(i));
    }
  } else if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
    const StreamChunk copy = *chunk;
    if (own) return run_->on_chunk(now, copy);
    static_cast<void>(endpoint_.stop_receiving(connection, copy.stream_id));
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
  if (const auto* echo = std::get_if<EchoRequest>(&message)) {
    // Words are no progress of a run that moves bytes, and echoes are all of one that does not.
    const bool own = run_ && run_->connection() == connection;
    if (own && !run_->options().sends && !run_->options().receives) moved_at_ = now;
    return answer_echo(now, endpoint_, connection, *echo);
  }
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
  if (const auto why = judge(start)) return refuse(*why);
  const SocketAddress client = endpoint_.remote_address(connection).value_or(SocketAddress());
  if (run_) give_way(now, client);
  if (run_) {
    if (client.network() != client_.network()) order_.on_asked(client);
    return refuse("another run is going on");
  }
  if (order_.has_to_wait(now, client)) {
    return refuse("another client has waited for its turn; try again in some seconds");
  }
  client_ = client;
  order_.on_begun(now, client);
  make_run(now, start);
  begin_on_ = connection;
  asked_at_ = now;
}

// To a client that is here, by a run whose client is not, or does nothing. Results that are being exchanged have a
// deadline of their own.
void PerfServer::give_way(Instant now, const SocketAddress& client) {
  look(now);
  const bool stands = client.network() != client_.network() && run_->state() != PerfRun::State::kReporting &&
                      now >= moved_at_ + kSilenceBeforeOthers;
  const bool gone = endpoint_.liveness(run_->connection()).suspect;
  if (!stands && !gone) return;
  begin_on_.reset();
  run_->fail(gone ? "the client does not answer, and another one has come"
                  : "the run stands still, and another client has come");
  on_turn(now);
}

void PerfServer::make_run(Instant now, const PerfStart& start) {
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
  planned_until_ = run_until_ = now + options_.max_time;
  if (start.target_bytes == 0 && start.duration_ms > 0) {
    planned_until_ = now + run.plan.duration;
    run_until_ = std::min(run_until_, planned_until_ + run.plan.duration + kLongestEnd);
  }
  moved_at_ = next_look_ = now;
  run_bytes_ = 0;
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

bool PerfServer::goes_on(Instant now) {
  if (now >= next_look_) {
    next_look_ = now + kLookInterval;
    look(now);
  }
  if (now >= run_until_) {
    run_->fail("the run lasts longer than this server allows");
  } else if (now >= silent_until()) {
    run_->fail(silence_reason(endpoint_, run_->connection(), "the run makes no progress"));
  }
  return !run_->ended();
}

void PerfServer::look(Instant now) {
  const std::uint64_t bytes = (run_->sender() != nullptr ? run_->sender()->handed_out() : 0) +
                              (run_->receiver() != nullptr ? run_->receiver()->bytes() : 0);
  if (bytes != run_bytes_) moved_at_ = now;
  run_bytes_ = bytes;
}

Instant PerfServer::silent_until() const {
  return std::min(moved_at_ + kSilence, std::max(moved_at_, planned_until_) + kSilenceBeyondPlan);
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
  order_.on_ended(now);
}

std::optional<Instant> PerfServer::next_timeout() const {
  if (!run_) return std::nullopt;
  if (begin_on_) return asked_at_;
  const Instant end = std::min(run_until_, silent_until());
  return std::min(run_->next_timeout().value_or(end), end);
}

}  // namespace godwit
