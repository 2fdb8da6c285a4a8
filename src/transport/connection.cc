#include "transport/connection.h"

#include <algorithm>
#include <utility>

#include "congestion/event_of.h"
#include "transport/send_kind.h"
#include "wire/control_frame.h"
#include "wire/utf8.h"

namespace godwit {
namespace {

// Application rates count payload; the wire carries the envelope and the header as well (decisions 13).
constexpr double kWireShare = static_cast<double>(wire::kMaxDatagram) / static_cast<double>(wire::kFragmentPayload);
// A bounded text fits the one datagram of a farewell with room to spare.
constexpr std::size_t kMaxFarewellText = 256;

}  // namespace

Connection::Established::Established(Instant now, const ConnectionContext& context, Session started)
    : session(std::move(started)),
      acks(context.config.acknowledgement),
      recovery(context.config.recovery, *context.handshake.random),
      controller(make_controller(context.config.congestion, context.config.controller)),
      pacer(controller->pacing_rate(), context.config.pacer),
      // An acceptor's peer has proved that it is established by the packet that confirmed the handshake; a dialler
      // knows only that an ack arrived (wire spec 4.3, 4.5).
      keepalive(context.config.keepalive, now, session.initiator() ? ProofRule::kPingOrFail : ProofRule::kProven,
                *context.handshake.random) {}

Connection::Connection(const ConnectionContext& context, ConnectionId id, const SocketAddress& remote,
                       Handshake handshake)
    : context_(context), id_(id), remote_(remote), queue_(context.config.send_queue) {
  enter(std::make_unique<Handshake>(std::move(handshake)));
}

Connection::Connection(Instant now, const ConnectionContext& context, ConnectionId id, const SocketAddress& remote,
                       Session session, std::vector<std::vector<std::uint8_t>> handshake_tail)
    : context_(context), id_(id), remote_(remote), queue_(context.config.send_queue) {
  establish(now, std::move(session), std::move(handshake_tail));
}

Connection::~Connection() = default;

void Connection::enter(State next, CloseReason reason) {
  EndpointStatistics& counts = context_.statistics;
  const bool was_handshaking = is_handshaking();
  // One that starts over has been reported as connected, and stays so until it is closed.
  const bool was_open = is_established() || unanswered_.has_value();
  state_ = std::move(next);
  if (was_handshaking) {
    const bool failed = reason == CloseReason::kHandshakeFailed || reason == CloseReason::kUnauthenticated;
    counts.count(is_established() ? HandshakeEnd::kSucceeded : failed ? HandshakeEnd::kFailed : HandshakeEnd::kGivenUp);
  }
  if (is_handshaking()) {
    ++counts.handshakes_started;
  } else if (is_established()) {
    if (!was_open) ++counts.connections_opened;
  } else if (was_open) {
    counts.connections_closed.add(reason);
  }
}

Handshake* Connection::shaking_hands() {
  auto* held = std::get_if<std::unique_ptr<Handshake>>(&state_);
  return held == nullptr ? nullptr : held->get();
}

Connection::Established* Connection::established() {
  auto* held = std::get_if<std::unique_ptr<Established>>(&state_);
  return held == nullptr ? nullptr : held->get();
}

const Connection::Established* Connection::established() const {
  const auto* held = std::get_if<std::unique_ptr<Established>>(&state_);
  return held == nullptr ? nullptr : held->get();
}

Connection::Closed* Connection::closed() {
  auto* held = std::get_if<std::unique_ptr<Closed>>(&state_);
  return held == nullptr ? nullptr : held->get();
}

const Connection::Closed* Connection::closed() const {
  const auto* held = std::get_if<std::unique_ptr<Closed>>(&state_);
  return held == nullptr ? nullptr : held->get();
}

const Session* Connection::session() const {
  const Established* session = established();
  return session == nullptr ? nullptr : &session->session;
}

const Recovery* Connection::recovery() const {
  const Established* session = established();
  return session == nullptr ? nullptr : &session->recovery;
}

const RecvStreams* Connection::inbound_streams() const {
  const Established* session = established();
  return session == nullptr ? nullptr : session->streams.get();
}

void Connection::establish(Instant now, Session session, std::vector<std::vector<std::uint8_t>> handshake_tail) {
  auto started = std::make_unique<Established>(now, context_, std::move(session));
  started->handshake_tail = std::move(handshake_tail);
  update_rate(now, *started);
  const Session& keys = started->session;
  const bool authenticated = keys.peer_authenticated();
  if (!unanswered_) {
    emit(
        Connected{.remote = remote_,
                  .initiator = keys.initiator(),
                  .peer_authenticated = authenticated,
                  .form = keys.form(),
                  .fallback = keys.fallback(),
                  .peer = std::make_shared<const PeerDetails>(PeerDetails{
                      .version = keys.peer_version(), .observed_self = keys.observed_self(), .key = keys.peer_key()})});
  }
  trace(now, trace::ConnectionStateChanged{"established", remote_});
  trace_controller(now, *started, {});
  begin_flow_control(*started);
  enter(std::move(started));
  const auto unanswered = std::exchange(unanswered_, std::nullopt);
  if (!unanswered) return;
  if (unanswered->told_authenticated && !authenticated) {
    // The application was told that this is the peer it has dialled.
    return end(now, CloseReason::kUnauthenticated, "the peer did not prove its key again", Telling::kClose);
  }
  if (!unanswered->told_authenticated && authenticated) emit(PeerAuthenticated{});
}

// W9: the acceptor has acknowledged the intro, never heard the completion, and has given up by now. A fresh intro
// starts over, for what has not been sent yet: the silence proves nothing, and the acceptor's new session would deliver
// once more what it may have received in this one. False when the time to connect is over.
bool Connection::start_over(Instant now, Established& session) {
  const Session& keys = session.session;
  if (!keys.dialled_key() || now >= keys.dial_deadline()) return false;
  auto handshake = Handshake::initiate(now, context_.handshake, remote_, *keys.dialled_key(), keys.dial_deadline());
  if (!handshake) return false;
  record_key_usage(keys);
  queue_.fail_started();
  report_failures(now);
  trace(now, trace::ConnectionStateChanged{"dialling again", remote_});
  emit(Suspect{.silent_for = session.keepalive.silent_for(now)});
  unanswered_ = Unanswered{.told_authenticated = keys.peer_authenticated()};
  end_streams(session);
  enter(std::make_unique<Handshake>(std::move(*handshake)));
  return true;
}

std::vector<std::vector<std::uint8_t>> drain_datagrams(Instant now, Handshake& handshake) {
  std::vector<std::vector<std::uint8_t>> datagrams;
  std::array<std::uint8_t, wire::kMaxDatagram> datagram;
  while (const std::size_t size = handshake.poll_transmit(now, datagram)) {
    datagrams.emplace_back(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(size));
  }
  return datagrams;
}

void Connection::apply_step(Instant now, const HandshakeStep& step, ByteView datagram) {
  // What is handed over inside it is recorded when it is processed.
  if (step.kind != HandshakeStep::Kind::kNothing && step.plaintext.empty() && !datagram.empty()) {
    context_.record_handshake_received(now, id_, datagram);
  }
  switch (step.kind) {
    case HandshakeStep::Kind::kNothing:
      if (step.drop) drop(now, *step.drop, datagram.size());
      return;
    case HandshakeStep::Kind::kProgress: return;
    case HandshakeStep::Kind::kFailed: {
      const Handshake* handshake = shaking_hands();
      const bool unauthenticated = handshake->failure() == HandshakeFailure::kUnauthenticated;
      std::string text = handshake->failure_text();
      if (handshake->failure() == HandshakeFailure::kTimeout) text = with_path_problem(std::move(text));
      return end(now, unauthenticated ? CloseReason::kUnauthenticated : CloseReason::kHandshakeFailed, text,
                 Telling::kNothing);
    }
    case HandshakeStep::Kind::kEstablished: {
      Handshake* handshake = shaking_hands();
      // What the handshake still has to say goes first.
      auto handshake_tail = drain_datagrams(now, *handshake);
      establish(now, handshake->take_session(), std::move(handshake_tail));
      return process_first(now, step, datagram);
    }
  }
}

void Connection::process_first(Instant now, const HandshakeStep& step, ByteView datagram) {
  Established* session = established();
  if (session == nullptr) return;
  session->keepalive.on_authentic(now, step.confirmed_by_ack);
  if (step.plaintext.empty()) return;
  process(now, {.datagram = datagram, .opened = {.plaintext = step.plaintext}});
  finish_run(now);
}

Result<MessageId> Connection::send(Instant now, Body&& body, SendOptions options) {
  if (closed() != nullptr) return failure(ErrorCode::kClosed, "the connection has ended");
  if (const Established* session = established()) {
    const bool becomes_stream = options.as != SendAs::kMessage || body.size() > wire::kShortMessageLimit;
    if (becomes_stream && session->session.key_is_aging()) {
      return failure(ErrorCode::kClosed, "the key has protected its share of packets: dial again for a fresh one");
    }
  }
  return queue_.send(now, std::move(body), std::move(options));
}

bool Connection::extend_send_limit(MessageId message, std::uint64_t limit_bytes) {
  return queue_.extend_send_limit(message, limit_bytes);
}

bool Connection::cancel(Instant now, MessageId message, std::uint64_t code) {
  const bool cancelled = queue_.cancel(message, code);
  report_failures(now);
  return cancelled;
}

std::uint32_t Connection::stream_id(MessageId message) const {
  return queue_.stream_id(message);
}

Status Connection::ping(Instant now) {
  Established* session = established();
  if (session == nullptr) return failure(ErrorCode::kClosed, "the connection is not established");
  session->ping_due = true;
  static_cast<void>(now);
  return {};
}

void Connection::set_congestion(Instant now, CongestionKind kind) {
  Established* session = established();
  if (session == nullptr || session->controller->kind() == kind) return;
  session->controller = make_controller(kind, context_.config.controller);
  trace_controller(now, *session, {});
  update_rate(now, *session);
}

void Connection::set_rate_limit(Instant now, std::optional<Bandwidth> limit) {
  if (rate_limit_ == limit) return;
  rate_limit_ = limit;
  if (Established* session = established()) update_rate(now, *session);
}

void Connection::set_rate_cap(Instant now, std::optional<Bandwidth> cap) {
  if (rate_cap_ == cap) return;
  rate_cap_ = cap;
  if (Established* session = established()) update_rate(now, *session);
}

void Connection::update_rate(Instant now, Established& session) {
  Bandwidth rate = session.controller->pacing_rate();
  if (rate_limit_) rate = std::min(rate, rate_limit_->scaled(kWireShare));
  if (rate_cap_) rate = std::min(rate, rate_cap_->scaled(kWireShare));
  if (rate != session.pacer.rate()) session.pacer.set_rate(now, rate);
}

void Connection::close(Instant now, CloseReason reason, std::string_view text, std::uint64_t code) {
  if (closed() == nullptr) end(now, reason, text, Telling::kClose, code);
}

// W25: a deliberate close is an error ack under a fresh packet id; the words "expected version" would mean something
// else.
std::vector<std::uint8_t> Connection::seal_farewell(Established& session, std::string_view text, std::uint64_t code) {
  // A peer does not decode what is no UTF-8, and would not learn of the end.
  const std::string whole = wire::with_valid_utf8(wire::cut_utf8(text, kMaxFarewellText));
  text = whole;
  if (text.empty() || wire::expected_version_in(text)) text = "connection closed";
  std::vector<std::uint8_t> datagram(wire::kMaxDatagram);
  const MutableBytes plaintext = MutableBytes(datagram).subspan(kEnvelopePrefix, wire::kMaxPlaintext);
  std::size_t size = wire::encode(plaintext, session.recovery.next_packet_id(), {}, wire::AckError{text});
  if (size == 0) return {};
  if (code != 0 && session.session.has(wire::capability::kCloseCode)) {
    const auto frame = wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kCloseCode, .data = code});
    std::ranges::copy(frame, plaintext.subspan(size).begin());
    size += frame.size();
  }
  datagram.resize(size + wire::kDatagramOverhead);
  if (!session.session.sealer().seal_in_place(datagram)) return {};
  return datagram;
}

// Events in the queue may show what the streams have stored.
void Connection::end_streams(Established& session) {
  if (!session.streams) return;
  session.streams->fail_all(*this);
  context_.events.keep(std::move(session.streams));
}

void Connection::end(Instant now, CloseReason reason, std::string_view text, Telling telling, std::uint64_t code) {
  auto ended = std::make_unique<Closed>();
  std::string words(text.empty() ? close_reason_name(reason) : text);
  const PathProblem problem = path_problem();
  if (reason == CloseReason::kIdleTimeout) words = with_path_problem(std::move(words));
  if (Established* session = established()) {
    if (telling != Telling::kNothing) {
      ended->farewell = seal_farewell(*session, telling == Telling::kAnswer ? std::string_view() : text,
                                      telling == Telling::kAnswer ? 0 : code);
    }
    ended->told = ended->farewell.empty();
    end_streams(*session);
    record_key_usage(session->session);
    ended->statistics = std::make_unique<ConnectionStatistics>(statistics());
    ended->statistics->bytes_in_flight = 0;
    if (telling == Telling::kClose) ended->session = std::make_unique<Session>(std::move(session->session));
  }
  queue_.cancel_all();
  enter(std::move(ended), reason);
  report_failures(now);
  trace(now, trace::ConnectionClosed{close_reason_name(reason)});
  emit(godwit::Closed{.reason = reason, .text = std::move(words), .code = code, .problem = problem});
}

void Connection::abandon(Instant now, CloseReason reason) {
  if (closed() == nullptr) end(now, reason, {}, Telling::kNothing);
}

bool Connection::touch_stream(Instant now, std::uint32_t stream_id) {
  Established* session = established();
  return session != nullptr && session->streams && session->streams->touch(now, stream_id);
}

bool Connection::refuse_stream(std::uint32_t stream_id, std::uint64_t code) {
  Established* session = established();
  return session != nullptr && session->streams && session->streams->refuse(stream_id, code);
}

bool Connection::is_finished() const {
  return closed() != nullptr && closed()->told;
}

std::optional<Connection::ClosePacket> Connection::take_close_packet() {
  Closed* const ended = closed();
  if (ended == nullptr || !ended->session || ended->farewell.empty()) return std::nullopt;
  return ClosePacket{.datagram = std::move(ended->farewell), .session = std::move(ended->session)};
}

void Connection::report_failures(Instant now) {
  while (const auto failed = queue_.poll_failure(now)) {
    if (Established* session = established(); session != nullptr && failed->may_have_arrived) {
      session->recovery.forget_owner(content_kind_of(failed->kind), failed->owner,
                                     {.first = failed->first_packet, .last = failed->last_packet});
    }
    constexpr std::array<std::string_view, 7> kWhy = {
        "its bytes could not be read",  "its deadline has passed", "the peer did not receipt it", "cancelled",
        "the peer began a new session", "it was lost on the way",  "the peer wants no more of it"};
    emit(MessageFailed{.message = failed->message,
                       .may_have_arrived = failed->may_have_arrived,
                       .why = std::string(kWhy[static_cast<std::size_t>(failed->reason)]),
                       .code = failed->code});
  }
}

void Connection::report_writable() {
  if (queue_.poll_writable()) emit(Writable{});
}

std::optional<Instant> Connection::next_timeout() const {
  if (const Handshake* shaking = handshake()) return shaking->next_timeout();
  const Established* session = established();
  if (session == nullptr) return std::nullopt;
  Instant earliest = session->keepalive.next_timeout();
  const auto consider = [&earliest](std::optional<Instant> deadline) {
    if (deadline && *deadline < earliest) earliest = *deadline;
  };
  consider(session->acks.deadline());
  consider(session->recovery.next_timeout());
  if (session->streams) consider(session->streams->next_timeout());
  consider(queue_.next_timeout());
  consider(session->paced_until);
  if (session->hold) consider(std::min(session->hold->until, session->hold->ping_at));
  consider(session->session.next_timeout());
  if (session->roaming) consider(session->roaming->validation.next_timeout());
  return earliest;
}

void Connection::handle_timeout(Instant now) {
  if (Handshake* handshake = shaking_hands()) {
    // A handshake may end by its timer in an established session, whose first ping is due at once.
    apply_step(now, handshake->handle_timeout(now), {});
  }
  Established* session = established();
  if (session == nullptr) return;
  if (session->paced_until && *session->paced_until <= now) session->paced_until.reset();
  if (session->hold && session->hold->until <= now) session->hold.reset();
  if (session->hold && session->hold->ping_at <= now) {
    session->ping_due = true;
    session->hold->ping_at = now + patience();
  }
  session->session.expire_others(now);
  expire_former_key(now, *session);
  if (session->roaming) session->roaming->validation.handle_timeout(now);
  const KeepAlive::Outcome alive = session->keepalive.handle_timeout(now);
  if (alive.idle_expired) return end(now, CloseReason::kIdleTimeout, {}, Telling::kClose);
  if (alive.proof_failed) {
    if (start_over(now, *session)) return;
    return end(now, CloseReason::kHandshakeFailed,
               with_path_problem("the peer acknowledged the handshake and then stayed silent"), Telling::kClose);
  }
  if (alive.ping || alive.suspended) session->ping_due = true;
  if (alive.became_suspect) emit(Suspect{.silent_for = session->keepalive.silent_for(now)});
  apply_timeout(now, *session);
  if (session->streams) session->streams->handle_timeout(now, *this);
  queue_.handle_timeout(now);
  report_failures(now);
  report_writable();
}

void Connection::apply_timeout(Instant now, Established& session) {
  const std::optional<Instant> due = session.recovery.next_timeout();
  if (!due || *due > now) return;
  const TimeoutOutcome& outcome = session.recovery.handle_timeout(now);
  watch_for_silence(now, session);
  for (const AbandonedPacket& packet : outcome.abandoned) {
    if (packet.content.kind == PacketContent::Kind::kControl) continue;
    queue_.on_abandoned(send_kind_of(packet.content.kind), packet.content.owner);
  }
  if (outcome.lost_packets > 0 || outcome.persistent_congestion) {
    apply_congestion_event(now, session, congestion_event_of(now, outcome, session.recovery), outcome, true);
  }
}

void Connection::apply_congestion_event(Instant now, Established& session, const CongestionEvent& event,
                                        const LossOutcome& losses, bool timed_out) {
  const std::string_view before = controller_state(session);
  session.controller->on_congestion_event(event);
  if (losses.persistent_congestion) session.controller->on_persistent_timeout(now);
  trace_controller(now, session, before);
  update_rate(now, session);
  if (context_.sink == nullptr) return;
  for (const LostRecord& record : losses.lost) {
    trace(now, trace::PacketLost{.packet_id = record.id, .bytes = record.bytes, .timeout = timed_out});
  }
  const RttEstimator& rtt = session.recovery.rtt();
  trace(now, trace::MetricsUpdated{.latest_round_trip = rtt.latest(),
                                   .smoothed_round_trip = rtt.smoothed(),
                                   .minimum_round_trip = rtt.minimum(),
                                   .round_trip_variance = rtt.variance(),
                                   .bytes_in_flight = event.bytes_in_flight,
                                   .window_bytes = session.controller->window_bytes(),
                                   .pacing_rate = session.pacer.rate()});
}

Bandwidth Connection::demand() {
  Established* session = established();
  if (session == nullptr || !has_data(*session)) return {};
  return session->controller->pacing_rate();
}

}  // namespace godwit
