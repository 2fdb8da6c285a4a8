#include "transport/route.h"

#include <array>
#include <utility>

#include "wire/datagram.h"

namespace godwit {
namespace {

// An authenticated peer that leaves a ping unanswered for so long may have restarted.
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

void Route::open(const SocketAddress& remote, const SocketAddress& local, Handshake handshake) {
  remote_ = remote;
  local_ = local;
  ++generation_;
  ++context_->statistics.handshakes_started;
  connection_ = std::make_unique<Connection>(context_->connection, id(), remote, std::move(handshake));
}

void Route::clear() {
  connection_.reset();
  pending_.reset();
  remote_ = {};
}

void Route::receive(Instant now, const DatagramRun& batch) {
  local_ = batch.local;
  if (pending_) [[unlikely]]
    return receive_beside_pending(now, batch);
  connection_->receive(now, batch);
}

// While a handshake is pending, a datagram may be of either party: the session tries on a copy, so that a wrong key
// destroys nothing (decisions 2).
void Route::receive_beside_pending(Instant now, const DatagramRun& batch) {
  for (std::size_t i = 0; i < batch.segment_count(); ++i) {
    const MutableBytes datagram = batch.segment(i);
    if (!pending_) {
      return connection_->receive(now, batch.part(i, batch.segment_count() - i));
    }
    if (connection_->receive_if_authentic(now, datagram)) continue;
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    advance_pending(now, pending_->receive(now, datagram, scratch), datagram);
  }
}

bool Route::receive_repeated_intro(Instant now, const SocketAddress& local, MutableBytes datagram) {
  static_cast<void>(local);
  const Handshake* handshake = pending_ ? pending_.get() : connection_->handshake();
  if (handshake != nullptr && handshake->repeats_intro(datagram)) {
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    if (pending_) {
      advance_pending(now, pending_->receive(now, datagram, scratch), datagram);
    } else {
      connection_->receive_handshake_datagram(now, datagram);
    }
    return true;
  }
  const Session* session = connection_->session();
  if (session == nullptr || !session->knows_intro(IntroFingerprint::of(datagram))) return false;
  context_->drop(now, trace::DropReason::kReplayedIntro, datagram.size());
  return true;
}

bool Route::receive_intro(Instant now, const SocketAddress& local, const IntroSeen& intro) {
  if (connection_->is_handshaking()) {
    local_ = local;
    // An intro that the handshake had no use for may be of use to the next attempt.
    if (connection_->receive_intro(now, intro)) context_->admission.on_answered(intro.fingerprint);
    return true;
  }
  const Session* session = connection_->session();
  if (session == nullptr) return false;
  local_ = local;
  if (session->is_stale_intro(now, intro)) {
    context_->drop(now, trace::DropReason::kReplayedIntro, intro.datagram_bytes);
  } else {
    begin_pending(now, intro);
  }
  return true;
}

void Route::begin_pending(Instant now, const IntroSeen& intro) {
  const Session& session = *connection_->session();
  if (context_->config().handshake.require_authenticated_peer && session.dialled_key()) {
    // A session that proves the peer yields to nobody who does not: a peer that has restarted is dialled again. One
    // that answers pings has not restarted, and the intro is a late or a forged one.
    const Duration unanswered = connection_->unanswered_for(now);
    if (unanswered < kRestartPatience) {
      if (unanswered == Duration::zero()) static_cast<void>(connection_->ping(now));
      return context_->drop(now, trace::DropReason::kReplayedIntro, intro.datagram_bytes);
    }
    auto redial = Handshake::initiate(now, context_->handshake(), remote_, *session.dialled_key());
    if (!redial) return context_->drop(now, trace::DropReason::kAuthenticationFailed, intro.datagram_bytes);
    ++context_->statistics.handshakes_started;
    pending_ = std::make_unique<Handshake>(std::move(*redial));
    pending_->receive_intro(now, intro);
    return connection_->hold_data(now);
  }
  auto handshake = Handshake::accept(now, context_->handshake(), remote_, intro);
  if (!handshake) return context_->drop(now, handshake.error(), intro.datagram_bytes);
  context_->admission.on_answered(intro.fingerprint);
  ++context_->statistics.handshakes_started;
  pending_ = std::make_unique<Handshake>(std::move(*handshake));
  connection_->hold_data(now);
}

void Route::advance_pending(Instant now, const HandshakeStep& step, ByteView datagram) {
  switch (step.kind) {
    case HandshakeStep::Kind::kNothing:
      if (step.drop) context_->drop(now, *step.drop, datagram.size());
      return;
    case HandshakeStep::Kind::kProgress: return;
    case HandshakeStep::Kind::kFailed:
      pending_.reset();
      ++context_->statistics.handshakes_failed;
      return;
    case HandshakeStep::Kind::kEstablished: return replace_connection(now, step, datagram);
  }
}

// The pending handshake has proved itself: the peer restarted, and its old session is gone (wire spec 4.6).
void Route::replace_connection(Instant now, const HandshakeStep& step, ByteView datagram) {
  auto handshake_tail = drain_datagrams(now, *pending_);
  Session session = pending_->take_session();
  pending_.reset();
  ++context_->statistics.sessions_replaced;
  // Told to nobody but the application: the peer that would hear it is gone.
  connection_->abandon(now, CloseReason::kReplaced);
  ++generation_;
  ++context_->statistics.connections_opened;
  ++context_->statistics.connections_closed;
  connection_ = std::make_unique<Connection>(now, context_->connection, id(), remote_, std::move(session),
                                             std::move(handshake_tail));
  connection_->process_first(now, step, datagram);
}

void Route::close(Instant now, CloseReason reason, std::string_view text) {
  connection_->close(now, reason, text);
  pending_.reset();
}

void Route::handle_timeout(Instant now) {
  if (pending_) {
    if (const auto deadline = pending_->next_timeout(); deadline && *deadline <= now) {
      advance_pending(now, pending_->handle_timeout(now), {});
    }
  }
  if (const auto deadline = connection_->next_timeout(); deadline && *deadline <= now) {
    const bool was_handshaking = connection_->is_handshaking();
    connection_->handle_timeout(now);
    if (was_handshaking && connection_->is_finished()) ++context_->statistics.handshakes_failed;
  }
}

std::optional<DatagramRun> Route::poll_transmit(Instant now, TransmitBuffer& buffer) {
  if (pending_) {
    if (const std::size_t size = pending_->poll_transmit(now, buffer.space().first(wire::kMaxDatagram))) {
      return DatagramRun{.local = local_, .remote = remote_, .bytes = buffer.commit(size), .segment_size = size};
    }
  }
  auto run = connection_->poll_transmit(now, buffer);
  if (run) run->local = local_;
  return run;
}

std::optional<Instant> Route::next_timeout() const {
  std::optional<Instant> next = connection_->next_timeout();
  if (pending_) {
    if (const auto deadline = pending_->next_timeout(); deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

}  // namespace godwit
