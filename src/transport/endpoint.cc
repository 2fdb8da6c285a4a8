#include "transport/endpoint.h"

#include <algorithm>
#include <array>
#include <utility>

#include "transport/connection.h"
#include "transport/run_writer.h"
#include "wire/datagram.h"

namespace godwit {
namespace {

// Error acks that may wait for transmission; admission limits their rate well below.
constexpr std::size_t kMaxLooseDatagrams = 64;
// An authenticated peer that leaves a ping unanswered for so long may have restarted.
constexpr Duration kRestartPatience = 1s;

}  // namespace

Endpoint::Endpoint(const Config& config, KeyPair keys, RandomSource& random, trace::Sink* sink, trace::CostSink* cost)
    : config_(config),
      keys_(std::move(keys)),
      random_(random),
      sink_(sink),
      cost_(cost),
      key_usage_(random),
      reassembly_(config.reassembly_bytes),
      by_address_(random.next_u64()),
      admission_(config.admission, random),
      budget_(config.endpoint_rate_limit.value_or(Bandwidth::unlimited())) {
  config_.controller.seed = random.next_u64();
  handshake_ = {.config = &config_.handshake,
                .self = &keys_,
                .random = &random_,
                .cipher = config_.cipher.value_or(preferred_cipher()),
                .copying_cipher = config_.copying_cipher,
                .key_limits = {.soft = config_.soft_packet_limit, .hard = config_.hard_packet_limit},
                .key_usage = &key_usage_};
  context_ = std::make_unique<const ConnectionContext>(ConnectionContext{
      .config = config_,
      .handshake = handshake_,
      .key_usage = key_usage_,
      .events = events_,
      .reassembly = {.budget = &reassembly_, .delivered = &events_.delivered(), .hash_key = random_.next_u64()},
      .sink = sink_,
      .cost = cost_});
}

Endpoint::~Endpoint() = default;

// --- Slots and names ---

ConnectionId Endpoint::id_of(std::uint32_t slot) const {
  return std::uint64_t{routes_[slot].generation} << 32 | slot;
}

std::optional<std::uint32_t> Endpoint::slot_of(ConnectionId connection) const {
  const auto slot = static_cast<std::uint32_t>(connection);
  if (slot >= routes_.size() || !routes_[slot].connection || id_of(slot) != connection) return std::nullopt;
  return slot;
}

Connection* Endpoint::find(ConnectionId connection) const {
  const auto slot = slot_of(connection);
  return slot ? routes_[*slot].connection.get() : nullptr;
}

const Connection* Endpoint::inspect(ConnectionId connection) const {
  return find(connection);
}

std::optional<std::uint32_t> Endpoint::take_slot(const SocketAddress& remote) {
  if (open_ >= config_.max_connections) return std::nullopt;
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(routes_.size());
    routes_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  Route& route = routes_[slot];
  route.remote = remote;
  route.local = {};
  ++route.generation;
  if (!budget_.budget().is_unlimited()) route.member = budget_.join();
  by_address_.insert(remote, slot);
  last_remote_ = {};
  ++open_;
  return slot;
}

void Endpoint::retire(std::uint32_t slot) {
  Route& route = routes_[slot];
  end_half_open(slot);
  by_address_.erase(route.remote);
  last_remote_ = {};
  timers_.cancel(slot);
  if (route.member) budget_.leave(*route.member);
  route.member.reset();
  route.connection.reset();
  route.challenger.reset();
  route.remote = {};
  free_slots_.push_back(slot);
  --open_;
  ++statistics_.connections_closed;
}

void Endpoint::end_half_open(std::uint32_t slot) {
  if (!std::exchange(routes_[slot].half_open, false)) return;
  admission_.on_half_open_ended(id_of(slot));
}

void Endpoint::mark_ready(std::uint32_t slot) {
  if (std::exchange(routes_[slot].ready, true)) return;
  ready_.push_back(slot);
}

void Endpoint::settle(Instant now, std::uint32_t slot) {
  static_cast<void>(now);
  Route& route = routes_[slot];
  if (!route.connection) return;
  if (route.half_open && !route.connection->is_handshaking()) {
    if (route.connection->is_established()) ++statistics_.connections_opened;
    end_half_open(slot);
  }
  arm(slot);
  mark_ready(slot);
}

void Endpoint::arm(std::uint32_t slot) {
  const Route& route = routes_[slot];
  if (const auto deadline = route.connection->next_timeout()) timers_.arm(slot, *deadline);
  if (!route.challenger) return;
  if (const auto deadline = route.challenger->next_timeout()) timers_.arm(slot, *deadline);
}

// --- The application's inputs ---

Result<ConnectionId> Endpoint::connect(Instant now, const SocketAddress& remote, const PublicKey& peer) {
  if (!remote.is_specified() || remote.port() == 0) {
    return failure(ErrorCode::kInvalidArgument, "no address to connect to");
  }
  auto handshake = Handshake::initiate(now, handshake_, remote, peer);
  if (!handshake) return std::unexpected(handshake.error());
  if (const auto old = by_address_.find(remote)) {
    // A local dial supersedes what was there (wire spec 4.6); the peer follows the new intro.
    routes_[*old].connection->close(now, CloseReason::kReplaced, {});
    retire(*old);
  }
  const auto slot = take_slot(remote);
  if (!slot) return failure(ErrorCode::kWouldBlock, "the connection table is full");
  ++statistics_.handshakes_started;
  Route& route = routes_[*slot];
  route.connection = std::make_unique<Connection>(*context_, id_of(*slot), remote, std::move(*handshake));
  settle(now, *slot);
  return id_of(*slot);
}

Result<MessageId> Endpoint::send(Instant now, ConnectionId connection, Body body, SendOptions options) {
  const auto slot = slot_of(connection);
  if (!slot) return failure(ErrorCode::kNotFound, "no such connection");
  auto result = routes_[*slot].connection->send(now, std::move(body), std::move(options));
  if (result) settle(now, *slot);
  return result;
}

bool Endpoint::extend_send_limit(Instant now, ConnectionId connection, MessageId message, std::uint64_t limit_bytes) {
  const auto slot = slot_of(connection);
  if (!slot || !routes_[*slot].connection->extend_send_limit(message, limit_bytes)) return false;
  settle(now, *slot);
  return true;
}

bool Endpoint::cancel(Instant now, ConnectionId connection, MessageId message) {
  const auto slot = slot_of(connection);
  if (!slot) return false;
  const bool cancelled = routes_[*slot].connection->cancel(now, message);
  settle(now, *slot);
  return cancelled;
}

std::uint32_t Endpoint::stream_id(ConnectionId connection, MessageId message) const {
  const Connection* found = find(connection);
  return found == nullptr ? 0 : found->stream_id(message);
}

bool Endpoint::touch_stream(Instant now, ConnectionId connection, std::uint32_t stream_id) {
  Connection* found = find(connection);
  return found != nullptr && found->touch_stream(now, stream_id);
}

bool Endpoint::refuse_stream(ConnectionId connection, std::uint32_t stream_id) {
  Connection* found = find(connection);
  return found != nullptr && found->refuse_stream(stream_id);
}

Status Endpoint::ping(Instant now, ConnectionId connection) {
  const auto slot = slot_of(connection);
  if (!slot) return failure(ErrorCode::kNotFound, "no such connection");
  const Status status = routes_[*slot].connection->ping(now);
  settle(now, *slot);
  return status;
}

void Endpoint::close(Instant now, ConnectionId connection, std::string_view text) {
  const auto slot = slot_of(connection);
  if (!slot) return;
  routes_[*slot].connection->close(now, CloseReason::kLocal, text);
  routes_[*slot].challenger.reset();
  settle(now, *slot);
}

void Endpoint::close_all(Instant now, std::string_view text) {
  for (const ConnectionId connection : connections()) close(now, connection, text);
}

void Endpoint::set_congestion(Instant now, ConnectionId connection, CongestionKind kind) {
  if (Connection* found = find(connection)) found->set_congestion(now, kind);
}

void Endpoint::set_rate_limit(Instant now, ConnectionId connection, std::optional<Bandwidth> limit) {
  if (Connection* found = find(connection)) found->set_rate_limit(now, limit);
}

// --- Datagrams ---

void Endpoint::receive(Instant now, const DatagramRun& run) {
  GODWIT_MARK(cost_, kRoute);
  ++statistics_.runs_received;
  statistics_.datagrams_received += run.segment_count();
  if (run.bytes.empty()) return drop(now, trace::DropReason::kEmpty, 0);
  if (reassembly_.nearly_full()) [[unlikely]]
    relieve_memory(now);
  std::optional<std::uint32_t> slot;
  if (run.remote == last_remote_) [[likely]] {
    slot = last_slot_;
  } else {
    slot = by_address_.find(run.remote);
    if (slot) {
      last_remote_ = run.remote;
      last_slot_ = *slot;
    }
  }
  if (!slot) {
    for (std::size_t i = 0; i < run.segment_count(); ++i) receive_datagram(now, run, run.segment(i));
    return;
  }
  Route& route = routes_[*slot];
  route.local = run.local;
  if (route.challenger) return receive_beside_challenger(now, *slot, run);
  const bool others = route.connection->receive(now, run);
  GODWIT_MARK(cost_, kBookkeeping);
  settle(now, *slot);
  if (!others) [[likely]]
    return;
  for (std::size_t i = 0; i < run.segment_count(); ++i) {
    if (wire::classify(run.segment(i)) != wire::DatagramClass::kSymmetric) receive_datagram(now, run, run.segment(i));
  }
}

// Anything that is not a symmetric datagram of a known route.
void Endpoint::receive_datagram(Instant now, const DatagramRun& run, MutableBytes datagram) {
  const wire::DatagramClass kind = wire::classify(datagram);
  if (kind == wire::DatagramClass::kIntro) return receive_intro(now, run, datagram);
  if (kind == wire::DatagramClass::kSymmetric) return drop(now, trace::DropReason::kUnknownSource, datagram.size());
  drop(now, drop_reason(kind), datagram.size());
}

void Endpoint::receive_intro(Instant now, const DatagramRun& run, MutableBytes datagram) {
  const auto slot = by_address_.find(run.remote);
  if (!slot && !config_.accept_incoming) return drop(now, trace::DropReason::kUnknownSource, datagram.size());
  if (slot) {
    Route& route = routes_[*slot];
    // A repeat costs no decryption: the handshake that answers it may repeat its ack.
    const Handshake* pending = route.challenger ? route.challenger.get() : route.connection->handshake();
    if (pending != nullptr && pending->repeats_intro(datagram)) {
      std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
      if (route.challenger) {
        advance_challenger(now, *slot, route.challenger->receive(now, datagram, scratch), datagram);
      } else {
        route.connection->receive_handshake_datagram(now, datagram);
      }
      return settle(now, *slot);
    }
    const Session* session = route.connection->session();
    if (session != nullptr && session->knows_intro(IntroFingerprint::of(datagram))) {
      return drop(now, trace::DropReason::kReplayedIntro, datagram.size());
    }
  }
  // A half-open route proves nothing about its address.
  const bool known = slot && !routes_[*slot].half_open;
  const IntroSource source = known ? IntroSource::kKnown : IntroSource::kStranger;
  switch (admission_.admit_intro(now, run.remote, datagram, source)) {
    case AdmissionVerdict::kDecrypt: break;
    case AdmissionVerdict::kReplay: return drop(now, trace::DropReason::kReplayedIntro, datagram.size());
    default: return drop(now, trace::DropReason::kRateLimited, datagram.size());
  }
  const auto intro = open_intro_datagram(keys_, datagram);
  if (!intro) return drop(now, trace::DropReason::kAuthenticationFailed, datagram.size());
  if (!slot) return answer_intro(now, run, *intro);
  Route& route = routes_[*slot];
  route.local = run.local;
  if (route.connection->is_handshaking()) {
    // An intro that the handshake had no use for may be of use to the next attempt.
    if (route.connection->receive_intro(now, *intro)) admission_.on_answered(intro->fingerprint);
  } else if (const Session* session = route.connection->session()) {
    if (session->is_stale_intro(now, *intro)) {
      return drop(now, trace::DropReason::kReplayedIntro, datagram.size());
    }
    challenge(now, *slot, *intro);
  } else {
    // The connection has ended and only waits to send its farewell.
    retire(*slot);
    return answer_intro(now, run, *intro);
  }
  settle(now, *slot);
}

// A stranger's intro becomes a half-open connection.
void Endpoint::answer_intro(Instant now, const DatagramRun& run, const IntroSeen& intro) {
  auto handshake = Handshake::accept(now, handshake_, run.remote, intro);
  if (!handshake) {
    if (handshake.error() == trace::DropReason::kIncompatibleVersion) queue_error_ack(now, run, intro);
    return drop(now, handshake.error(), intro.datagram_bytes);
  }
  const auto slot = take_slot(run.remote);
  if (!slot) return drop(now, trace::DropReason::kConnectionTableFull, intro.datagram_bytes);
  admission_.on_answered(intro.fingerprint);
  ++statistics_.handshakes_started;
  Route& route = routes_[*slot];
  route.local = run.local;
  route.connection = std::make_unique<Connection>(*context_, id_of(*slot), run.remote, std::move(*handshake));
  route.half_open = true;
  if (const auto oldest = admission_.on_half_open(id_of(*slot))) {
    if (const auto victim = slot_of(*oldest)) {
      routes_[*victim].half_open = false;
      retire(*victim);
      drop(now, trace::DropReason::kHandshakeTableFull, 0);
    }
  }
  settle(now, *slot);
}

void Endpoint::queue_error_ack(Instant now, const DatagramRun& run, const IntroSeen& intro) {
  if (loose_.size() >= kMaxLooseDatagrams || !admission_.may_send_error_ack(now)) return;
  std::vector<std::uint8_t> datagram(wire::kMaxDatagram);
  datagram.resize(write_error_ack(handshake_, intro.intro, datagram));
  if (datagram.empty()) return;
  admission_.on_answered(intro.fingerprint);
  loose_.push_back({run.local, run.remote, std::move(datagram)});
  ++statistics_.error_acknowledgements_sent;
}

// A new intro from the address of a session: the handshake runs beside it (wire spec W5).
void Endpoint::challenge(Instant now, std::uint32_t slot, const IntroSeen& intro) {
  Route& route = routes_[slot];
  const Session& session = *route.connection->session();
  if (config_.handshake.require_authenticated_peer && session.dialled_key()) {
    // A session that proves the peer yields to nobody who does not: a peer that has restarted is dialled again. One
    // that answers pings has not restarted, and the intro is a late or a forged one.
    const Duration unanswered = route.connection->unanswered_for(now);
    if (unanswered < kRestartPatience) {
      if (unanswered == Duration::zero()) static_cast<void>(route.connection->ping(now));
      return drop(now, trace::DropReason::kReplayedIntro, intro.datagram_bytes);
    }
    auto redial = Handshake::initiate(now, handshake_, route.remote, *session.dialled_key());
    if (!redial) return drop(now, trace::DropReason::kAuthenticationFailed, intro.datagram_bytes);
    ++statistics_.handshakes_started;
    route.challenger = std::make_unique<Handshake>(std::move(*redial));
    route.challenger->receive_intro(now, intro);
    return route.connection->hold_data(now);
  }
  auto handshake = Handshake::accept(now, handshake_, route.remote, intro);
  if (!handshake) return drop(now, handshake.error(), intro.datagram_bytes);
  admission_.on_answered(intro.fingerprint);
  ++statistics_.handshakes_started;
  route.challenger = std::make_unique<Handshake>(std::move(*handshake));
  route.connection->hold_data(now);
}

// While a challenger lives, a datagram may be either's: the session tries on a copy, so that a wrong key destroys
// nothing (decisions 2).
void Endpoint::receive_beside_challenger(Instant now, std::uint32_t slot, const DatagramRun& run) {
  for (std::size_t i = 0; i < run.segment_count(); ++i) {
    const MutableBytes datagram = run.segment(i);
    if (wire::classify(datagram) != wire::DatagramClass::kSymmetric) {
      receive_datagram(now, run, datagram);
      continue;
    }
    Route& route = routes_[slot];
    if (!route.connection) return;
    if (!route.challenger) {
      const DatagramRun single{
          .local = run.local, .remote = run.remote, .bytes = datagram, .segment_size = datagram.size()};
      static_cast<void>(route.connection->receive(now, single));
      continue;
    }
    if (route.connection->receive_if_authentic(now, datagram)) continue;
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    advance_challenger(now, slot, route.challenger->receive(now, datagram, scratch), datagram);
  }
  settle(now, slot);
}

void Endpoint::advance_challenger(Instant now, std::uint32_t slot, const HandshakeStep& step, ByteView datagram) {
  switch (step.kind) {
    case HandshakeStep::Kind::kNothing:
      if (step.drop) drop(now, *step.drop, datagram.size());
      return;
    case HandshakeStep::Kind::kProgress: return;
    case HandshakeStep::Kind::kFailed:
      routes_[slot].challenger.reset();
      ++statistics_.handshakes_failed;
      return;
    case HandshakeStep::Kind::kEstablished: return replace_connection(now, slot, step, datagram);
  }
}

// The challenger has proved itself: the peer restarted, and its old session is gone (wire spec 4.6).
void Endpoint::replace_connection(Instant now, std::uint32_t slot, const HandshakeStep& step, ByteView datagram) {
  Route& route = routes_[slot];
  auto leftovers = drain_datagrams(now, *route.challenger);
  Session session = route.challenger->take_session();
  route.challenger.reset();
  ++statistics_.sessions_replaced;
  // Told to nobody but the application: the peer that would hear it is gone.
  route.connection->abandon(now, CloseReason::kReplaced);
  ++route.generation;
  ++statistics_.connections_opened;
  ++statistics_.connections_closed;
  route.connection =
      std::make_unique<Connection>(now, *context_, id_of(slot), route.remote, std::move(session), std::move(leftovers));
  route.connection->process_first(now, step, datagram);
  timers_.cancel(slot);
}

void Endpoint::drop(Instant now, trace::DropReason reason, std::size_t bytes) {
  statistics_.drops.add(reason);
  if (sink_ == nullptr) return;
  sink_->on_event({.at = now,
                   .connection = 0,
                   .data = trace::PacketDropped{.reason = reason, .bytes = static_cast<std::uint32_t>(bytes)}});
}

}  // namespace godwit
