#include "transfer/perf_run.h"

#include <algorithm>
#include <utility>

#include "runtime/statistics_sum.h"

namespace godwit {
namespace {

constexpr Duration kAnswerTimeout = 10s;  // of a server that understands the start
constexpr Duration kResultTimeout = 10s;
constexpr Duration kLeastProgressInterval = 10ms;
// Of PerfCut: the entries of kMaxStreams logical streams and all that may have been open.
constexpr std::uint16_t kMaxCutPieces = 64;
constexpr Duration kRenewalTimeout = 30s;

}  // namespace

PerfRun::PerfRun(Endpoint& endpoint, const Options& options, PerfObserver& observer, trace::CostSink* cost)
    : endpoint_(endpoint), options_(options), observer_(observer), cost_(cost), state_(State::kStarting) {
  if (options_.receives) {
    receiver_ = std::make_unique<PerfReceiver>(
        PerfReceiver::Options{
            .session = options_.plan.session, .streams = options_.plan.streams, .digest = options_.plan.digest},
        cost_);
  }
}

PerfRun::~PerfRun() = default;

void PerfRun::attach(Instant now, ConnectionId connection) {
  if (connection_ != 0) {
    add_counters(past_, latest_);
    latest_ = {};
    ++renewals_;
  }
  connection_ = connection;
  renewing_ = renew_sent_ = peer_renewed_ = wants_reconnect_ = false;
  inbox_ = std::make_unique<StreamInbox>(endpoint_, connection, *this);
  endpoint_.set_rate_limit(now, connection, options_.rate);
  if (options_.role == Role::kServer) {
    if (options_.congestion) endpoint_.set_congestion(now, connection, *options_.congestion);
    send_or_fail(now, PerfReady{.session = session(), .window = told_window()});
    answer_deadline_.reset();
    return begin(now);
  }
  send_start(now);
  answer_deadline_ = now + kAnswerTimeout;
}

void PerfRun::send_start(Instant now) {
  const PerfPlan& plan = options_.plan;
  PerfStart start{.session = plan.session, .streams = plan.streams};
  if (options_.congestion) start.congestion = static_cast<std::uint8_t>(*options_.congestion);
  if (options_.sends) start.flags |= PerfStart::kClientSends;
  if (options_.receives) start.flags |= PerfStart::kServerSends;
  if (plan.digest) start.flags |= PerfStart::kDigest;
  start.stream_bytes = plan.stream_bytes;
  start.duration_ms = static_cast<std::uint32_t>(std::clamp<Duration::rep>(
      std::chrono::duration_cast<std::chrono::milliseconds>(plan.duration).count(), 0, UINT32_MAX));
  start.rate = options_.rate ? options_.rate->bits_per_second() : 0;
  start.target_bytes = plan.target_bytes;
  start.window = told_window();
  start.progress_ms = static_cast<std::uint32_t>(
      std::clamp<Duration::rep>(options_.progress_interval / std::chrono::milliseconds(1), 0, 60'000));
  const auto sent = endpoint_.send(now, connection_, Body::owned(encode_control(start)));
  if (!sent) return fail(sent.error().message);
  start_message_ = *sent;
}

// What arrives is read at once: the transport's flow control needs no other beside it.
std::uint64_t PerfRun::told_window() const {
  return inbox_->flow() ? kNoWindow : options_.window;
}

// The connection is agreed on: data flows, or goes on flowing.
void PerfRun::begin(Instant now) {
  if (state_ == State::kStarting) {
    state_ = State::kRunning;
    if (options_.role == Role::kServer && receiver_ && options_.progress_interval > Duration::zero()) {
      options_.progress_interval = std::max(options_.progress_interval, kLeastProgressInterval);
      next_progress_ = now + options_.progress_interval;
    }
    observer_.on_perf_running(now, *this);
  }
  if (!options_.sends) return;
  if (!sender_) {
    sender_ = std::make_unique<PerfSender>(endpoint_, options_.plan, options_.bytes, options_.peer_window, cost_);
  }
  sender_->attach(now, connection_);
}

void PerfRun::on_control(Instant now, const ControlMessage& message) {
  if (ended()) return;
  if (const auto* credit = std::get_if<StreamCredit>(&message)) {
    if (sender_) sender_->on_credit(now, *credit);
  } else if (const auto* ready = std::get_if<PerfReady>(&message)) {
    if (options_.role != Role::kClient || ready->session != session() || !answer_deadline_) return;
    answer_deadline_.reset();
    options_.peer_window = ready->window;
    begin(now);
  } else if (const auto* busy = std::get_if<PerfBusy>(&message)) {
    if (options_.role == Role::kClient && busy->session == session())
      fail("the server refuses: " + std::string(busy->text));
  } else if (const auto* end = std::get_if<PerfEnd>(&message)) {
    if (end->session != session()) return;
    if (end->cut > 0) send_cut(now);
    peer_ended_ = true;
  } else if (const auto* cut = std::get_if<PerfCut>(&message)) {
    if (cut->session == session()) on_cut(*cut);
  } else if (const auto* stop = std::get_if<PerfStop>(&message)) {
    if (stop->session == session() && options_.role == Role::kServer && sender_) sender_->cut(now);
  } else if (const auto* progress = std::get_if<PerfProgress>(&message)) {
    if (progress->session == session()) on_progress(*progress);
  } else if (const auto* renewal = std::get_if<PerfRenew>(&message)) {
    if (renewal->session != session()) return;
    renewing_ = true;
    peer_renewed_ = true;
  } else if (const auto* details = std::get_if<PerfDetails>(&message)) {
    if (details->session == session()) on_details(*details);
  } else if (const auto* result = std::get_if<PerfResult>(&message)) {
    if (result->session != session() || peer_result_) return;
    if (result->details > kMaxPerfDetails) return fail("the peer's result is too long");
    peer_result_ = PerfPeerResult{.sent_bytes = result->sent_bytes,
                                  .sent_digest = result->sent_digest,
                                  .received_bytes = result->received_bytes,
                                  .received_digest = result->received_digest,
                                  .details = {}};
    details_expected_ = result->details;
    delivered_.bytes = result->received_bytes;
    finish_if_settled();
  }
}

// The connection may have been renewed since the streams were begun: what was handed over then counts as well.
void PerfRun::send_cut(Instant now) {
  if (!receiver_) return;
  const std::vector<PerfCutEntry> entries = receiver_->freeze();
  const std::size_t pieces = (entries.size() + kMaxCutEntries - 1) / kMaxCutEntries;
  for (std::size_t index = 0; index < pieces && !ended(); ++index) {
    const auto first = entries.begin() + static_cast<std::ptrdiff_t>(index * kMaxCutEntries);
    const auto last =
        first + static_cast<std::ptrdiff_t>(std::min(kMaxCutEntries, entries.size() - index * kMaxCutEntries));
    send_or_fail(now, PerfCut{.session = session(),
                              .index = static_cast<std::uint16_t>(index),
                              .pieces = static_cast<std::uint16_t>(pieces),
                              .entries = {first, last}});
  }
}

void PerfRun::on_cut(const PerfCut& cut) {
  if (!sender_ || !sender_->awaits_cut() || cut.pieces > kMaxCutPieces || cut.index >= cut.pieces) return;
  if (cut_.size() < cut.pieces) cut_.resize(cut.pieces);
  cut_[cut.index] = cut.entries;
  if (!std::ranges::all_of(cut_, [](const auto& piece) { return piece.has_value(); })) return;
  std::vector<PerfCutEntry> entries;
  for (const auto& piece : cut_) entries.insert(entries.end(), piece->begin(), piece->end());
  sender_->apply_cut(entries);
  cut_deadline_.reset();
}

void PerfRun::on_progress(const PerfProgress& progress) {
  if (options_.role != Role::kClient || !sender_ || peer_result_) return;
  // Messages may overtake each other, and nothing is received backwards.
  delivered_.logical_bytes.resize(options_.plan.streams);
  for (std::size_t i = 0; i < progress.logical_bytes.size(); ++i) {
    const std::size_t logical = std::size_t{progress.first_logical} + i;
    if (logical >= delivered_.logical_bytes.size()) break;
    std::uint64_t& bytes = delivered_.logical_bytes[logical];
    bytes = std::max(bytes, progress.logical_bytes[i]);
  }
  if (progress.bytes < delivered_.bytes) return;
  delivered_.bytes = progress.bytes;
  delivered_.elapsed = Duration(
      static_cast<Duration::rep>(std::min<std::uint64_t>(progress.elapsed_ns, static_cast<std::uint64_t>(INT64_MAX))));
}

void PerfRun::send_progress(Instant now) {
  if (!next_progress_ || now < *next_progress_ || !receiver_) return;
  next_progress_ = now + options_.progress_interval;
  const std::vector<std::uint64_t>& all = receiver_->logical_bytes();
  for (std::size_t first = 0; first < all.size(); first += kMaxProgressStreams) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kMaxProgressStreams, all.size() - first));
    // Without room in the queue the next one says it.
    static_cast<void>(send_control(now, endpoint_, connection_,
                                   PerfProgress{.session = session(),
                                                .bytes = receiver_->bytes(),
                                                .elapsed_ns = static_cast<std::uint64_t>(receiver_->elapsed().count()),
                                                .first_logical = static_cast<std::uint16_t>(first),
                                                .logical_bytes = {begin, end}}));
  }
}

void PerfRun::stop(Instant now) {
  if (ended() || state_ == State::kReporting) return;
  if (state_ == State::kStarting) return fail("interrupted");
  if (sender_) sender_->cut(now);
  stop_wanted_ = options_.receives;
}

void PerfRun::on_details(const PerfDetails& details) {
  if (details.index >= kMaxPerfDetails || details.text.empty() || details.text.size() > kPerfDetailBytes) return;
  if (peer_details_.size() <= details.index) peer_details_.resize(std::size_t{details.index} + 1);
  peer_details_[details.index] = details.text;
  finish_if_settled();
}

void PerfRun::on_aborted(Instant now, std::uint32_t stream_id) {
  if (inbox_) inbox_->on_aborted(now, stream_id);
}

void PerfRun::on_confirmed(Instant now, MessageId message) {
  if (std::erase(unconfirmed_, message) > 0) return finish_if_settled();
  if (sender_) static_cast<void>(sender_->on_confirmed(now, message));
}

// A connection that ends fails all its messages before it says so: judged in the turn, when it is known.
void PerfRun::on_failed(const MessageFailed& failed) {
  if (!ended() && !wants_reconnect_) failed_.push_back(failed);
}

void PerfRun::apply_failure(Instant now, const MessageFailed& failed) {
  if (std::ranges::find(unconfirmed_, failed.message) != unconfirmed_.end())
    return fail_silent("the result could not be delivered: " + failed.why);
  // The connection has been shaken hands for again, and what had been sent over it is void.
  if (failed.message == start_message_ && state_ == State::kStarting) return send_start(now);
  if (sender_ && sender_->on_failed(now, failed)) fail(*sender_->failure());
}

void PerfRun::on_closed(Instant now, const Closed& closed) {
  failed_.clear();
  if (ended()) return;
  // The other side has all it waited for and has left.
  if (options_.role == Role::kServer && state_ == State::kReporting && peer_result_) {
    unconfirmed_.clear();
    finish_if_settled();
    if (ended()) return;
  }
  if (options_.role == Role::kServer && closed.reason == CloseReason::kReplaced) {
    // The client connects again to renew the keys; it has to come back soon.
    answer_deadline_ = now + kRenewalTimeout;
    return;
  }
  fail("the connection has ended: " + closed.text);
}

void PerfRun::on_turn(Instant now) {
  if (ended()) return;
  for (const MessageFailed& failed : std::exchange(failed_, {})) apply_failure(now, failed);
  if (ended()) return;
  if (auto gone = watch_.check(now, endpoint_, connection_)) return fail(*std::move(gone));
  if (answer_deadline_ && *answer_deadline_ <= now) {
    return fail_silent(state_ == State::kStarting ? "the peer does not answer: no godwit perf server, or an old one"
                                                  : "the peer has stopped answering");
  }
  if (inbox_) inbox_->handle_timeout(now);
  // Between its new attempt and the server's answer a client has no connection to send on.
  const bool attaching = options_.role == Role::kClient && answer_deadline_.has_value();
  if (state_ != State::kRunning || attaching) return;
  if (sender_) {
    sender_->on_turn(now);
    if (sender_->failure()) return fail(*sender_->failure());
    if (sender_->wants_renewal()) renewing_ = true;
  }
  if (stop_wanted_ && !renewing_) {
    stop_wanted_ = false;
    send_or_fail(now, PerfStop{session()});
  }
  send_progress(now);
  if (renewing_) return renew(now);
  // Without data the run is the client's echo, and lasts until it says so.
  if (options_.role == Role::kServer && !options_.sends && !options_.receives && !peer_result_) return;
  const bool sent_all = !options_.sends || (sender_ && sender_->finished());
  if (sent_all && options_.sends && !end_sent_) {
    end_sent_ = true;
    if (sender_->awaits_cut()) cut_deadline_ = now + kResultTimeout;
    send_or_fail(now, PerfEnd{session(), sender_->awaits_cut() ? std::uint8_t{1} : std::uint8_t{0}});
  }
  if (cut_deadline_ && now >= *cut_deadline_) return fail_silent("the peer does not say what it has received");
  if (sent_all && !(sender_ && sender_->awaits_cut()) && (!options_.receives || peer_ended_)) report(now);
}

// Both sides stop opening streams; when all have ended the server says so, and the client connects again.
void PerfRun::renew(Instant now) {
  if (const auto current = endpoint_.statistics(connection_)) latest_ = *current;
  if (sender_) sender_->pause();
  const bool client = options_.role == Role::kClient;
  const bool drained = !sender_ || sender_->drained();
  if (!renew_sent_ && (client || drained)) {
    renew_sent_ = true;
    send_or_fail(now, PerfRenew{session()});
  }
  if (client && drained && peer_renewed_) wants_reconnect_ = true;
}

void PerfRun::report(Instant now) {
  state_ = State::kReporting;
  answer_deadline_ = now + kResultTimeout;
  const std::string details = observer_.perf_details(now, *this);
  const std::size_t pieces = (details.size() + kPerfDetailBytes - 1) / kPerfDetailBytes;
  if (pieces > kMaxPerfDetails) return fail("the details of this run are too long");
  PerfResult result{.session = session(), .details = static_cast<std::uint16_t>(pieces)};
  if (sender_) {
    result.sent_bytes = sender_->bytes();
    result.sent_digest = sender_->digest();
  }
  if (receiver_) {
    result.received_bytes = receiver_->bytes();
    result.received_digest = receiver_->digest();
  }
  send_result(now, result);
  for (std::size_t index = 0; index < pieces && !ended(); ++index) {
    const std::string_view text = std::string_view(details).substr(index * kPerfDetailBytes, kPerfDetailBytes);
    send_result(now, PerfDetails{.session = session(), .index = static_cast<std::uint16_t>(index), .text = text});
  }
}

void PerfRun::send_result(Instant now, const ControlMessage& message) {
  const auto sent = endpoint_.send(now, connection_, Body::owned(encode_control(message)));
  if (!sent) return fail("the result could not be sent: " + sent.error().message);
  unconfirmed_.push_back(*sent);
}

void PerfRun::finish_if_settled() {
  if (ended() || state_ != State::kReporting || !unconfirmed_.empty() || !peer_result_) return;
  const auto there = std::ranges::count_if(peer_details_, [](const std::string& text) { return !text.empty(); });
  if (static_cast<std::size_t>(there) < details_expected_) return;
  for (const std::string& text : peer_details_) peer_result_->details += text;
  state_ = State::kDone;
  answer_deadline_.reset();
  if (const auto current = endpoint_.statistics(connection_)) latest_ = *current;
}

std::optional<Instant> PerfRun::next_timeout() const {
  if (ended()) return std::nullopt;
  std::optional<Instant> next = earliest(answer_deadline_, watch_.next_timeout());
  if (inbox_) next = earliest(next, inbox_->next_timeout());
  const bool attaching = options_.role == Role::kClient && answer_deadline_.has_value();
  if (state_ != State::kRunning || attaching) return next;
  if (sender_) next = earliest(next, sender_->next_timeout());
  next = earliest(next, next_progress_);
  next = earliest(next, cut_deadline_);
  return next;
}

void PerfRun::fail(std::string why) {
  if (ended()) return;
  state_ = State::kFailed;
  failure_ = std::move(why);
}

void PerfRun::fail_silent(std::string_view otherwise) {
  fail(silence_reason(endpoint_, connection_, otherwise));
}

void PerfRun::send_or_fail(Instant now, const ControlMessage& message) {
  if (const Status sent = send_control(now, endpoint_, connection_, message); !sent) fail(sent.error().message);
}

ConnectionStatistics PerfRun::statistics() const {
  ConnectionStatistics present = latest_;
  if (const auto current = endpoint_.statistics(connection_)) present = *current;
  ConnectionStatistics sum = past_;
  add_counters(sum, present);
  return sum;
}

std::optional<std::string> PerfRun::disagreement() const {
  const auto compare = [this](std::string_view direction, std::uint64_t sent, std::uint64_t received,
                              std::uint64_t sent_digest, std::uint64_t received_digest) -> std::optional<std::string> {
    const std::string what(direction);
    if (sent != received) {
      return what + ": " + std::to_string(sent) + " bytes were sent, but " + std::to_string(received) + " received";
    }
    if (options_.plan.digest && sent_digest != received_digest) return what + ": the digests differ";
    if (received == 0) return what + ": nothing was delivered";
    return std::nullopt;
  };
  if (sender_) {
    if (auto problem = compare("to the peer", sender_->bytes(), peer_result_->received_bytes, sender_->digest(),
                               peer_result_->received_digest)) {
      return problem;
    }
  }
  if (!receiver_) return std::nullopt;
  return compare("from the peer", peer_result_->sent_bytes, receiver_->bytes(), peer_result_->sent_digest,
                 receiver_->digest());
}

std::optional<std::uint64_t> PerfRun::on_stream_begin(Instant now, InboundStream& stream) {
  if (!receiver_ || ended() || !receiver_->on_stream_begin(now, stream)) return std::nullopt;
  return told_window();
}
bool PerfRun::on_stream_bytes(Instant now, InboundStream& stream, ByteView bytes) {
  return receiver_->on_stream_bytes(now, *inbox_, stream, bytes);
}
void PerfRun::on_stream_end(Instant now, InboundStream& stream) {
  static_cast<void>(now);
  receiver_->on_stream_end(stream);
}
void PerfRun::on_stream_aborted(Instant now, InboundStream& stream) {
  static_cast<void>(now);
  receiver_->on_stream_aborted(stream);
}
void PerfRun::on_control_stream(Instant now, ByteView message) {
  if (const auto control = decode_control(message)) on_control(now, *control);
}

}  // namespace godwit
