// The transitions of one peer (connection.h): receive() leads what Endpoint hands over to the handshake or the session,
// enter() goes from one state to the next, end_if_asked() is the way out of all. What a session does with a datagram
// stands in established_receive.cc.
#include "transport/connection.h"

#include <algorithm>
#include <array>
#include <utility>

namespace godwit {

Connection::Connection(const ConnectionContext& context, ConnectionId id, const SocketAddress& remote,
                       Handshake handshake)
    : core_(context, id, remote) {
  enter(std::make_unique<Handshake>(std::move(handshake)));
}

Connection::Connection(Instant now, const ConnectionContext& context, ConnectionId id, const SocketAddress& remote,
                       Session session, std::vector<std::vector<std::uint8_t>> handshake_tail)
    : core_(context, id, remote) {
  establish(now, std::move(session), std::move(handshake_tail));
}

Connection::~Connection() = default;

void Connection::enter(State next, CloseReason reason) {
  EndpointStatistics& counts = core_.context.statistics;
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
  } else if (refused_) {
    if (is_established()) ++counts.peers_refused;
  } else if (is_established()) {
    if (!was_open) ++counts.connections_opened;
  } else if (was_open) {
    counts.connections_closed.add(reason);
  }
}

const Session* Connection::session() const {
  return established() == nullptr ? nullptr : &established()->session();
}

const Recovery* Connection::recovery() const {
  return established() == nullptr ? nullptr : &established()->recovery();
}

const RecvStreams* Connection::inbound_streams() const {
  return established() == nullptr ? nullptr : established()->streams();
}

void Connection::establish(Instant now, Session session, std::vector<std::vector<std::uint8_t>> handshake_tail) {
  const bool authenticated = session.peer_authenticated();
  PeerFilter* const filter = core_.context.config.filter.get();
  refused_ = filter != nullptr && !session.requested_key() && !filter->admits_key(session.peer_key());
  if (!unanswered_ && !refused_) {
    core_.emit(Connected{
        .remote = core_.remote,
        .initiator = session.initiator(),
        .peer_authenticated = authenticated,
        .form = session.form(),
        .fallback = session.fallback(),
        .peer = std::make_shared<const PeerDetails>(PeerDetails{
            .version = session.peer_version(), .observed_self = session.observed_self(), .key = session.peer_key()})});
  }
  enter(std::make_unique<EstablishedConnection>(now, core_, std::move(session), std::move(handshake_tail)));
  if (refused_) return end(now, CloseReason::kLocal, "the peer is not admitted", Telling::kClose);
  const auto unanswered = std::exchange(unanswered_, std::nullopt);
  if (!unanswered) return;
  if (unanswered->told_authenticated && !authenticated) {
    // The application was told that this is the peer it has asked for.
    return end(now, CloseReason::kUnauthenticated, "the peer did not prove its key again", Telling::kClose);
  }
  if (!unanswered->told_authenticated && authenticated) core_.emit(PeerAuthenticated{});
}

template <typename Use>
bool Connection::with_session(Instant now, Use use) {
  EstablishedConnection* session = established();
  if (session == nullptr) return false;
  const bool result = use(*session);
  end_if_asked(now);
  return result;
}

void Connection::end_if_asked(Instant now) {
  EstablishedConnection* session = established();
  if (session == nullptr || session->ending() == nullptr) [[likely]]
    return;
  if (session->ending()->never_answered && start_over(now, *session)) return;
  const std::unique_ptr<EstablishedConnection::Ending> ending = session->take_ending();
  if (ending->never_answered) ending->text = with_path_problem(std::move(ending->text));
  end(now, ending->reason, ending->text, ending->telling, ending->code);
}

// --- The way in ---

void Connection::receive(Instant now, const DatagramBatch& batch, bool later) {
  const std::size_t count = batch.segment_count();
  std::size_t first = 0;
  for (; first < count && !is_established(); ++first) {
    const MutableBytes datagram = batch.segment(first);
    if (is_handshaking()) {
      receive_handshake_datagram(now, datagram);
    } else {
      core_.drop(now, trace::DropReason::kClosed, datagram.size());
    }
  }
  ++core_.counted.batches_received;
  if (EstablishedConnection* session = established()) {
    session->receive(now, batch, first, later);
    end_if_asked(now);
  }
}

bool Connection::receive_intro(Instant now, const IntroSeen& intro) {
  Handshake* handshake = shaking_hands();
  if (handshake == nullptr) return false;
  const HandshakeStep step = handshake->receive_intro(now, intro);
  apply_step(now, step, {});
  return step.kind != HandshakeStep::Kind::kNothing;
}

void Connection::receive_handshake_datagram(Instant now, MutableBytes datagram) {
  Handshake* handshake = shaking_hands();
  if (handshake == nullptr) return;
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  apply_step(now, handshake->receive(now, datagram, scratch), datagram);
}

bool Connection::receive_if_authentic(Instant now, MutableBytes datagram, Ecn ecn) {
  return with_session(now,
                      [&](EstablishedConnection& session) { return session.receive_if_authentic(now, datagram, ecn); });
}

bool Connection::receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram, Ecn ecn) {
  return with_session(
      now, [&](EstablishedConnection& session) { return session.receive_elsewhere(now, from, datagram, ecn); });
}

std::optional<PathAddress> Connection::take_move() {
  EstablishedConnection* session = established();
  return session == nullptr ? std::nullopt : session->take_move();
}

void Connection::search_paths(Instant now, const PeerPaths& paths, Instant known_since) {
  if (EstablishedConnection* session = established()) session->search_paths(now, paths, known_since);
}

void Connection::note_ports(const PortHabit& own, const PortHabit& peers) {
  if (EstablishedConnection* session = established()) session->note_ports(own, peers);
}

void Connection::add_local_ports(std::vector<std::uint16_t>& ports) const {
  if (const EstablishedConnection* session = established()) session->add_local_ports(ports);
}

PortSearch* Connection::port_search() {
  EstablishedConnection* session = established();
  return session == nullptr ? nullptr : session->port_search();
}

void Connection::on_refused_elsewhere(const SocketAddress& remote) {
  if (EstablishedConnection* session = established()) session->on_refused_elsewhere(remote);
}

std::optional<PathState> Connection::path_state() const {
  const EstablishedConnection* session = established();
  return session == nullptr ? std::nullopt : session->path_state();
}

void Connection::move_to(Instant now, const SocketAddress& remote) {
  GODWIT_ASSERT(is_established());
  established()->move_to(now, remote);
}

// --- Its life ---

// W9: the acceptor has acknowledged the intro, never heard the completion, and has given up by now. A fresh intro
// starts over, for what has not been sent yet: the silence proves nothing, and the acceptor's new session would deliver
// once more what it may have received in this one. False when the time to connect is over.
bool Connection::start_over(Instant now, EstablishedConnection& session) {
  const Session& keys = session.session();
  if (!keys.requested_key() || now >= keys.connect_deadline()) return false;
  auto handshake =
      Handshake::initiate(now, core_.context.handshake, core_.remote, *keys.requested_key(), keys.connect_deadline());
  if (!handshake) return false;
  record_key_usage(keys);
  core_.queue.fail_started();
  session.report_failures(now);
  core_.trace(now, trace::ConnectionStateChanged{"connecting again", core_.remote});
  core_.emit(Suspect{.silent_for = session.keepalive().silent_for(now)});
  unanswered_ = Unanswered{.told_authenticated = keys.peer_authenticated()};
  session.end_streams();
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
    core_.context.record_handshake_received(now, core_.id, core_.remote, datagram);
  }
  switch (step.kind) {
    case HandshakeStep::Kind::kNothing:
      if (step.drop) core_.drop(now, *step.drop, datagram.size());
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
  if (EstablishedConnection* session = established()) {
    session->process_first(now, step.confirmed_by_ack, step.plaintext, datagram);
    end_if_asked(now);
  }
}

Result<MessageId> Connection::send(Instant now, Body&& body, SendOptions options) {
  if (ended() != nullptr) return failure(ErrorCode::kClosed, "the connection has ended");
  if (const Session* keys = session()) {
    const bool becomes_stream = options.as != SendAs::kMessage || body.size() > wire::kShortMessageLimit;
    if (becomes_stream && keys->key_is_aging()) {
      return failure(ErrorCode::kClosed, "the key has protected its share of packets: connect again for a fresh one");
    }
  }
  return core_.queue.send(now, std::move(body), std::move(options));
}

bool Connection::extend_send_limit(MessageId message, std::uint64_t limit_bytes) {
  return core_.queue.extend_send_limit(message, limit_bytes);
}

bool Connection::cancel(Instant now, MessageId message, std::uint64_t code) {
  const bool cancelled = core_.queue.cancel(message, code);
  report_failures(now);
  return cancelled;
}

std::uint32_t Connection::stream_id(MessageId message) const {
  return core_.queue.stream_id(message);
}

Result<MessageId> Connection::open_stream(Instant now, const SendOptions& options) {
  if (!is_established()) return failure(ErrorCode::kClosed, "the connection is not established");
  return core_.queue.open_stream(now, options);
}

Status Connection::ping() {
  EstablishedConnection* session = established();
  if (session == nullptr) return failure(ErrorCode::kClosed, "the connection is not established");
  session->ping();
  return {};
}

bool Connection::keep_stream_alive(Instant now, std::uint32_t stream_id) {
  EstablishedConnection* session = established();
  return session != nullptr && session->keep_stream_alive(now, stream_id);
}

bool Connection::stop_receiving(std::uint32_t stream_id, std::uint64_t code) {
  EstablishedConnection* session = established();
  return session != nullptr && session->stop_receiving(stream_id, code);
}

void Connection::consume(std::uint32_t stream_id, std::uint64_t bytes) {
  if (EstablishedConnection* session = established()) session->consume(stream_id, bytes);
}

bool Connection::set_paused(std::uint32_t stream_id, bool paused) {
  EstablishedConnection* session = established();
  return session != nullptr && session->set_paused(stream_id, paused);
}

void Connection::set_congestion(Instant now, CongestionKind kind) {
  if (EstablishedConnection* session = established()) session->set_congestion(now, kind);
}

void Connection::set_rate_limit(Instant now, std::optional<Bandwidth> limit) {
  if (core_.rate_limit == limit) return;
  core_.rate_limit = limit;
  if (EstablishedConnection* session = established()) session->update_rate(now);
}

void Connection::set_rate_cap(Instant now, Bandwidth cap) {
  if (core_.rate_cap == cap) return;
  core_.rate_cap = cap;
  if (EstablishedConnection* session = established()) session->update_rate(now);
}

// --- The end ---

void Connection::close(Instant now, CloseReason reason, std::string_view text, std::uint64_t code) {
  if (ended() == nullptr) end(now, reason, text, Telling::kClose, code);
}

void Connection::record_key_usage(const Session& session) const {
  if (session.extended() != nullptr) return;
  core_.context.key_usage.record(session.sending_key(), session.sealer().packets_sealed());
}

void Connection::end(Instant now, CloseReason reason, std::string_view text, Telling telling, std::uint64_t code) {
  auto last = std::make_unique<Ended>();
  std::string words(text.empty() ? close_reason_name(reason) : text);
  const PathProblem problem = path_problem();
  if (reason == CloseReason::kIdleTimeout) words = with_path_problem(std::move(words));
  if (EstablishedConnection* session = established()) {
    const bool answers = telling == Telling::kAnswer;
    if (telling != Telling::kNothing) {
      last->close_packet = session->seal_close_packet(answers ? std::string_view() : text, answers ? 0 : code);
    }
    last->told = last->close_packet.empty();
    session->end_streams();
    record_key_usage(session->session());
    last->statistics = std::make_unique<ConnectionStatistics>(statistics());
    last->statistics->bytes_in_flight = 0;
    if (telling == Telling::kClose) last->session = std::make_unique<Session>(session->take_session());
  }
  core_.queue.cancel_all();
  enter(std::move(last), reason);
  report_failures(now);
  core_.trace(now, trace::ConnectionClosed{close_reason_name(reason), core_.remote, words});
  if (!refused_) core_.emit(Closed{.reason = reason, .text = std::move(words), .code = code, .problem = problem});
}

void Connection::abandon(Instant now, CloseReason reason) {
  if (ended() == nullptr) end(now, reason, {}, Telling::kNothing);
}

bool Connection::is_finished() const {
  return ended() != nullptr && ended()->told;
}

std::optional<Connection::ClosePacket> Connection::take_close_packet() {
  Ended* const last = ended();
  if (last == nullptr || !last->session || last->close_packet.empty()) return std::nullopt;
  return ClosePacket{.datagram = std::move(last->close_packet), .session = std::move(last->session)};
}

void Connection::report_failures(Instant now) {
  if (EstablishedConnection* session = established()) return session->report_failures(now);
  core_.report_failures(now, nullptr);
}

// --- Whether the peer is there ---

void Connection::hold_data(Instant now) {
  if (EstablishedConnection* session = established()) session->hold_data(now);
}

Duration Connection::unanswered_for(Instant now) const {
  return established() == nullptr ? Duration::zero() : established()->keepalive().unanswered_for(now);
}

void Connection::on_path_problem(Instant now, PathProblem problem) {
  path_problem_ = problem;
  path_problem_at_ = now;
  // Others than these say nothing about whether the peer is there.
  if (problem == PathProblem::kDatagramTooLong || problem == PathProblem::kForbidden) return;
  expect_answer(now, Duration::zero());
}

void Connection::expect_answer(Instant now, Duration patience) {
  if (EstablishedConnection* session = established()) session->expect_answer(now, patience);
}

bool Connection::is_suspect() const {
  return unanswered_ || (established() != nullptr && established()->keepalive().suspect());
}

PathProblem Connection::path_problem() const {
  const bool heard_since = established() != nullptr && path_problem_at_ < established()->keepalive().last_authentic();
  return heard_since ? PathProblem::kNone : path_problem_;
}

std::string Connection::with_path_problem(std::string text) const {
  const PathProblem problem = path_problem();
  if (problem != PathProblem::kNone) text.append(": ").append(path_problem_name(problem));
  return text;
}

// --- The way out ---

std::optional<DatagramBatch> Connection::poll_transmit(Instant now, TransmitBuffer& buffer) {
  if (EstablishedConnection* session = established()) [[likely]] {
    auto batch = session->poll_transmit(now, buffer);
    if (session->ending() == nullptr) [[likely]]
      return batch;
    end_if_asked(now);
  }
  const MutableBytes space = buffer.space();
  if (space.size() < wire::kMaxDatagram) return std::nullopt;
  std::size_t size = 0;
  if (Handshake* handshake = shaking_hands()) {
    size = handshake->poll_transmit(now, space.first(wire::kMaxDatagram));
    if (size > 0) core_.context.record_handshake_sent(now, core_.id, core_.remote, space.first(size));
  } else if (Ended* last = ended(); last != nullptr && !std::exchange(last->told, true)) {
    size = last->close_packet.size();
    std::copy(last->close_packet.begin(), last->close_packet.end(), space.begin());
    core_.context.record_close_sent(now, core_.id, size);
  }
  if (size == 0) return std::nullopt;
  ++core_.counted.packets_sent;
  core_.counted.bytes_sent += size;
  return DatagramBatch{.local = {}, .remote = core_.remote, .bytes = buffer.commit(size), .segment_size = size};
}

std::optional<DatagramBatch> Connection::poll_reply(Instant now, TransmitBuffer& buffer) {
  EstablishedConnection* const session = established();
  return session == nullptr ? std::nullopt : session->poll_reply(now, buffer);
}

void Connection::settle(Instant now) {
  with_session(now, [&](EstablishedConnection& session) {
    session.settle(now);
    return true;
  });
}

std::optional<Instant> Connection::next_timeout() const {
  if (const Handshake* shaking = handshake()) return shaking->next_timeout();
  if (const EstablishedConnection* session = established()) return session->next_timeout();
  return std::nullopt;
}

void Connection::handle_timeout(Instant now) {
  if (Handshake* handshake = shaking_hands()) {
    // A handshake may end by its timer in an established session, whose first ping is due at once.
    apply_step(now, handshake->handle_timeout(now), {});
  }
  if (EstablishedConnection* session = established()) {
    session->handle_timeout(now);
    end_if_asked(now);
  }
}

Bandwidth Connection::demand() {
  EstablishedConnection* session = established();
  return session == nullptr ? Bandwidth{} : session->demand();
}

ConnectionStatistics Connection::statistics() const {
  ConnectionStatistics result;
  if (ended() != nullptr && ended()->statistics) result = *ended()->statistics;
  static_cast<ConnectionCounters&>(result) = core_.counted;
  result.max_unreliable_bytes = core_.queue.max_unreliable_bytes();
  if (established() != nullptr) established()->add_statistics(result);
  return result;
}

}  // namespace godwit
