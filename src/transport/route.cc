#include "transport/route.h"

#include <algorithm>
#include <array>
#include <utility>

#include "wire/datagram.h"

namespace godwit {
namespace {

// How long a session that this side has to reconnect is given to answer. An intro of ours resets a deployed peer (wire
// spec 4.6), so that one lost ping must not be enough.
constexpr Duration kRestartPatience = 1s;

}  // namespace

void RouteContext::drop(Instant now, trace::DropReason reason, std::size_t bytes) const {
  statistics.drops.add(reason);
  if (connection.sink == nullptr) return;
  connection.sink->on_event(
      {.at = now,
       .connection = 0,
       .data = trace::PacketDropped{.reason = reason, .bytes = static_cast<std::uint32_t>(bytes)}});
}

// --- Life ---

void Route::open(const SocketAddress& remote) {
  remote_ = remote;
  local_ = {};
  ++generation_;
}

void Route::connect(Handshake handshake) {
  connection_ = std::make_unique<Connection>(context_->connection, id(), remote_, std::move(handshake));
}

void Route::clear() {
  clear_pending();
  connection_.reset();
  question_.reset();
  beside_.reset();
  remote_ = {};
}

// --- Symmetric datagrams ---

bool Route::receive(Instant now, const DatagramBatch& batch, bool later) {
  if (!connection_ || !pending_.empty()) [[unlikely]] {
    receive_with_pending(now, batch);
    return false;
  }
  const bool was_handshaking = connection_->is_handshaking();
  connection_->receive(now, batch, later && !was_handshaking);
  const bool established_now = was_handshaking && connection_->is_established();
  if (connection_->received_newer_packet() || established_now) local_ = batch.local;
  return later && !was_handshaking && connection_->is_established();
}

bool Route::receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram, Ecn ecn) {
  return connection_ && connection_->receive_elsewhere(now, from, datagram, ecn);
}

void Route::move_to(Instant now, const PathAddress& path) {
  // Whoever else speaks from the old address has nothing to do with the peer.
  clear_pending();
  question_.reset();
  remote_ = path.remote;
  local_ = path.local;
  connection_->move_to(now, path.remote);
}

std::uint32_t Route::connection_tag() const {
  const Session* session = connection_ ? connection_->session() : nullptr;
  if (session == nullptr || session->extended() == nullptr) return 0;
  return load_le<std::uint32_t>(session->extended()->own_tag().data());
}

// A datagram may be of any party: the session tries on a copy, so that a wrong key destroys nothing (decisions 2), and
// then each handshake.
void Route::receive_with_pending(Instant now, const DatagramBatch& batch) {
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  for (std::size_t i = 0; i < batch.segment_count(); ++i) {
    const MutableBytes datagram = batch.segment(i);
    if (connection_ && pending_.empty()) {
      receive(now, batch.part(i, batch.segment_count() - i));
      return;
    }
    if (connection_ && connection_->receive_if_authentic(now, datagram, batch.ecn)) {
      if (connection_->received_newer_packet()) local_ = batch.local;
      if (!heard_since(now, now)) continue;
      for (std::size_t n = pending_.size(); n-- > 0;) {
        const Pending& pending = *pending_[n];
        // An own attempt goes on, since its intro may have reset the peer already, unless it is to bring back a session
        // that has come back by itself. Where the session has answered, the intro was forged or late.
        const bool ends = pending.initiates ? pending.reconnects && !connection_->is_suspect()
                                            : connection_->answered_after(pending.pings_before);
        if (ends) remove_pending(n);
      }
      continue;
    }
    bool used = false;
    for (std::size_t n = 0; n < pending_.size() && !used; ++n) {
      const HandshakeStep step = pending_[n]->handshake.receive(now, datagram, scratch);
      used = step.kind != HandshakeStep::Kind::kNothing || step.drop != trace::DropReason::kAuthenticationFailed;
      if (used) advance_pending(now, n, step, datagram, batch.local);
    }
    if (!used) context_->drop(now, trace::DropReason::kAuthenticationFailed, datagram.size());
  }
}

// --- Intros ---

bool Route::receive_repeated_intro(Instant now, MutableBytes datagram) {
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  for (std::size_t n = 0; n < pending_.size(); ++n) {
    if (!pending_[n]->handshake.repeats_intro(datagram)) continue;
    if (!connection_) context_->admission.on_unproven_intro(now, remote_, datagram.size());
    advance_pending(now, n, pending_[n]->handshake.receive(now, datagram, scratch), datagram, pending_[n]->local);
    return true;
  }
  if (!connection_) return false;
  if (const Handshake* handshake = connection_->handshake(); handshake && handshake->repeats_intro(datagram)) {
    connection_->receive_handshake_datagram(now, datagram);
    return true;
  }
  const IntroFingerprint fingerprint = IntroFingerprint::of(datagram);
  const Session* session = connection_->session();
  const bool known = session != nullptr &&
                     (session->knows_intro(fingerprint) || (question_ && question_->intro.fingerprint == fingerprint));
  if (known) context_->drop(now, trace::DropReason::kReplayedIntro, datagram.size());
  return known;
}

bool Route::receive_intro(Instant now, const SocketAddress& local, const IntroSeen& intro) {
  if (connection_->is_handshaking()) {
    // An intro that the handshake had no use for may be of use to the next attempt.
    if (connection_->receive_intro(now, intro)) context_->admission.on_answered(remote_, intro.fingerprint);
    return true;
  }
  const Session* session = connection_->session();
  if (session == nullptr) return false;
  if (session->is_stale_intro(now, intro)) {
    context_->drop(now, trace::DropReason::kReplayedIntro, intro.datagram_bytes);
  } else {
    question_session(now, local, intro);
  }
  return true;
}

bool Route::must_prove_again() const {
  return context_->config().handshake.require_authenticated_peer && connection_->session()->requested_key().has_value();
}

bool Route::heard_since(Instant now, Instant then) const {
  return connection_->is_established() && connection_->silent_for(now) <= now - then;
}

Duration Route::patience() const {
  return connection_->patience();
}

// From the address of a session an intro triggers a ping and nothing else: who answers it has not restarted, and the
// intro is a late or a forged one. A peer that has restarted repeats its intro and is silent under the old key.
void Route::question_session(Instant now, const SocketAddress& local, const IntroSeen& intro) {
  const Duration silence = connection_->unanswered_for(now);
  if (silence >= (must_prove_again() ? std::max(patience(), kRestartPatience) : patience())) {
    return begin_beside(now, local, intro, connection_->pings_sent());
  }
  context_->drop(now, trace::DropReason::kReplayedIntro, intro.datagram_bytes);
  if (question_) {
    // Forged ones and the peer's own take turns: one of them, each with the same chance.
    if (context_->random.below(++question_->intros) == 0) {
      question_->intro = intro;
      question_->local = local;
    }
    return;
  }
  question_ = std::make_unique<Question>(Question{.intro = intro,
                                                  .local = local,
                                                  .asked_at = now,
                                                  .decide_at = now + patience(),
                                                  .pings_before = connection_->pings_sent()});
  // Data waits for the answer: a peer that has restarted could not open it.
  connection_->hold_data(now);
}

void Route::decide(Instant now) {
  const auto question = std::exchange(question_, nullptr);
  if (!connection_ || !connection_->is_established() || heard_since(now, question->asked_at)) return;
  const Instant last = question->asked_at + std::max(patience(), kRestartPatience);
  if (must_prove_again() && now < last) {
    if (!std::exchange(question->asked_again, true)) static_cast<void>(connection_->ping());
    question_ = std::make_unique<Question>(*question);
    question_->decide_at = last;
    return;
  }
  begin_beside(now, question->local, question->intro, question->pings_before);
}

// The session has not answered: the handshake runs beside it until one of the two has proved itself.
void Route::begin_beside(Instant now, const SocketAddress& local, const IntroSeen& intro, std::uint32_t pings_before) {
  // For as long as the handshake may take, and not only for as long as the question.
  connection_->hold_data(now);
  const bool initiates = must_prove_again();
  if (initiates && !pending_.empty()) {
    return context_->drop(now, trace::DropReason::kReplayedIntro, intro.datagram_bytes);
  }
  if (initiates) {
    // A session that proves the peer yields to nobody who does not: this side connects again.
    auto attempt = Handshake::initiate(now, context_->handshake(), remote_, *connection_->session()->requested_key());
    if (!attempt) return context_->drop(now, trace::DropReason::kAuthenticationFailed, intro.datagram_bytes);
    attempt->receive_intro(now, intro);
    add_pending(local_, intro.fingerprint, std::move(*attempt)).initiates = true;
  } else {
    auto handshake = Handshake::accept(now, context_->handshake(), remote_, intro);
    if (!handshake) return context_->drop(now, handshake.error(), intro.datagram_bytes);
    make_room(kMostBesideSession);
    add_pending(local, intro.fingerprint, std::move(*handshake)).pings_before = pings_before;
  }
  if (!beside_) beside_ = std::make_unique<UnopenableBudget>();
}

// --- Pending handshakes ---

void Route::add_half_open(Instant now, const SocketAddress& local, const IntroSeen& intro, Handshake handshake) {
  make_room(most_half_open());
  context_->admission.on_unproven_intro(now, remote_, intro.datagram_bytes);
  add_pending(local, intro.fingerprint, std::move(handshake));
}

std::optional<AnsweredOffer> Route::take_answer(const PublicKey& peer) {
  for (std::size_t n = pending_.size(); n-- > 0;) {
    if (auto answered = pending_[n]->handshake.take_answer(peer)) return answered;
  }
  return std::nullopt;
}

// The older half stays until it is complete or times out. Whoever forges the peer's address would otherwise push the
// peer's own handshake out between its intro and its completion.
void Route::make_room(std::size_t most) {
  if (pending_.size() >= most) remove_pending(most / 2);
}

Route::Pending& Route::add_pending(const SocketAddress& local, const IntroFingerprint& intro, Handshake handshake) {
  ++context_->statistics.handshakes_started;
  pending_.push_back(std::make_unique<Pending>(
      Pending{.handshake = std::move(handshake), .local = local, .number = ++handshakes_, .intro = intro}));
  context_->admission.on_half_open(std::uint64_t{handshakes_} << 32 | slot_);
  return *pending_.back();
}

void Route::remove_pending(std::size_t index, HandshakeEnd end) {
  context_->statistics.count(end);
  context_->admission.on_half_open_ended(std::uint64_t{pending_[index]->number} << 32 | slot_);
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Route::clear_pending() {
  while (!pending_.empty()) remove_pending(pending_.size() - 1);
}

// A peer that connected twice follows the later answer, so the session may be one that it has left already.
void Route::keep_later_pending(std::uint32_t established) {
  std::size_t kept = 0;
  for (std::size_t n = pending_.size(); n-- > 0;) {
    Pending& pending = *pending_[n];
    if (pending.initiates || pending.number < established || kept == kMostBesideSession) {
      remove_pending(n);
    } else {
      pending.pings_before = 0;
      ++kept;
    }
  }
  if (kept > 0 && !beside_) beside_ = std::make_unique<UnopenableBudget>();
}

void Route::drop_half_open(std::uint32_t number) {
  for (std::size_t n = pending_.size(); n-- > 0;) {
    if (pending_[n]->number == number) remove_pending(n);
  }
}

bool Route::advance_pending(Instant now, std::size_t index, const HandshakeStep& step, ByteView datagram,
                            const SocketAddress& local) {
  // What is handed over inside it is recorded by the connection.
  if (step.kind != HandshakeStep::Kind::kNothing && step.plaintext.empty() && !datagram.empty()) {
    context_->connection.record_handshake_received(now, 0, remote_, datagram);
  }
  switch (step.kind) {
    case HandshakeStep::Kind::kNothing:
      if (step.drop) context_->drop(now, *step.drop, datagram.size());
      return true;
    case HandshakeStep::Kind::kProgress: return true;
    case HandshakeStep::Kind::kFailed:
      // Its intro had its chance. One that gave way to others, or to a session that lived, may come again.
      context_->admission.on_answered(remote_, pending_[index]->intro);
      remove_pending(index, HandshakeEnd::kFailed);
      return false;
    case HandshakeStep::Kind::kEstablished: establish(now, index, step, datagram, local); return false;
  }
  return true;
}

// The first pending handshake to prove itself becomes the connection. Where there was a session, the peer has
// restarted and that session is gone (wire spec 4.6).
void Route::establish(Instant now, std::size_t index, const HandshakeStep& step, ByteView datagram,
                      const SocketAddress& local) {
  Handshake& handshake = pending_[index]->handshake;
  auto handshake_tail = drain_datagrams(now, handshake);
  Session session = handshake.take_session();
  context_->admission.on_answered(remote_, pending_[index]->intro);
  const std::uint32_t established = pending_[index]->number;
  remove_pending(index, HandshakeEnd::kSucceeded);
  if (session.requested_key()) {
    clear_pending();
  } else {
    keep_later_pending(established);
  }
  question_.reset();
  if (connection_) {
    ++context_->statistics.sessions_replaced;
    // Told to nobody but the application: the peer that would hear it is gone.
    connection_->abandon(now, CloseReason::kReplaced);
    ++generation_;
  }
  local_ = local;
  connection_ = std::make_unique<Connection>(now, context_->connection, id(), remote_, std::move(session),
                                             std::move(handshake_tail));
  connection_->process_first(now, step, datagram);
}

// --- The rest ---

void Route::close(Instant now, CloseReason reason, std::string_view text, std::uint64_t code) {
  connection_->close(now, reason, text, code);
  question_.reset();
  clear_pending();
}

void Route::on_send_refused(PathProblem problem) {
  const bool about_addresses = problem == PathProblem::kInvalidAddress || problem == PathProblem::kNetworkUnreachable ||
                               problem == PathProblem::kHostUnreachable;
  if (!about_addresses) return;
  local_ = {};
  for (const auto& pending : pending_) pending->local = {};
}

bool Route::reconnecting() const {
  return std::any_of(pending_.begin(), pending_.end(), [](const auto& pending) { return pending->reconnects; });
}

Status Route::reconnect(Instant now) {
  const Session* session = connection_ ? connection_->session() : nullptr;
  if (session == nullptr || !session->requested_key()) {
    return failure(ErrorCode::kInvalidArgument, "only the side that has connected can connect again");
  }
  if (std::any_of(pending_.begin(), pending_.end(), [](const auto& pending) { return pending->initiates; })) return {};
  auto handshake = Handshake::initiate(now, context_->handshake(), remote_, *session->requested_key());
  if (!handshake) return std::unexpected(handshake.error());
  Pending& pending = add_pending(local_, {}, std::move(*handshake));
  pending.initiates = pending.reconnects = true;
  if (!beside_) beside_ = std::make_unique<UnopenableBudget>();
  return connection_->ping();
}

void Route::handle_timeout(Instant now) {
  for (std::size_t n = 0; n < pending_.size();) {
    const auto deadline = pending_[n]->handshake.next_timeout();
    const bool due = deadline && *deadline <= now;
    if (!due || advance_pending(now, n, pending_[n]->handshake.handle_timeout(now), {}, pending_[n]->local)) ++n;
    // The answer to a ping comes ahead of the answer to the handshake behind it.
    if (due && connection_ && reconnecting()) static_cast<void>(connection_->ping());
  }
  if (question_ && question_->decide_at <= now) decide(now);
  if (!connection_) return;
  if (const auto deadline = connection_->next_timeout(); deadline && *deadline <= now) {
    connection_->handle_timeout(now);
  }
}

// Whether a datagram of a pending handshake may go out; a yes is recorded.
bool Route::may_send(Instant now, ByteView datagram) {
  if (!connection_) {
    if (context_->admission.may_reply(now, remote_, datagram.size())) return true;
    ++context_->statistics.replies_withheld;
    return false;
  }
  // An intro is sealed to the peer's own key.
  if (wire::classify(datagram) == wire::DatagramClass::kIntro || beside_->take(now)) return true;
  ++context_->statistics.unopenable_withheld;
  return false;
}

std::optional<DatagramBatch> Route::poll_pending(Instant now, TransmitBuffer& buffer) {
  for (const auto& pending : pending_) {
    const MutableBytes space = buffer.space().first(wire::kMaxDatagram);
    while (const std::size_t size = pending->handshake.poll_transmit(now, space)) {
      if (!may_send(now, space.first(size))) continue;
      context_->connection.record_handshake_sent(now, 0, remote_, space.first(size));
      return DatagramBatch{
          .local = pending->local, .remote = remote_, .bytes = buffer.commit(size), .segment_size = size};
    }
  }
  return std::nullopt;
}

std::optional<DatagramBatch> Route::poll_transmit(Instant now, TransmitBuffer& buffer) {
  std::optional<DatagramBatch> batch;
  // The question to the session goes ahead of the handshake that would replace it.
  if (connection_ && reconnecting()) batch = connection_->poll_transmit(now, buffer);
  if (!batch) {
    if (auto handshake = poll_pending(now, buffer)) return handshake;
    if (!connection_) return std::nullopt;
    batch = connection_->poll_transmit(now, buffer);
  }
  // A challenge to another address says itself where it leaves from.
  if (batch && batch->remote == remote_) batch->local = local_;
  return batch;
}

std::optional<DatagramBatch> Route::poll_reply(Instant now, TransmitBuffer& buffer) {
  if (!connection_ || !pending_.empty()) return std::nullopt;
  auto batch = connection_->poll_reply(now, buffer);
  if (batch) batch->local = local_;
  return batch;
}

std::optional<Instant> Route::next_timeout() const {
  std::optional<Instant> next;
  if (connection_) next = connection_->next_timeout();
  for (const auto& pending : pending_) next = earliest(next, pending->handshake.next_timeout());
  if (question_) next = earliest(next, question_->decide_at);
  return next;
}

}  // namespace godwit
