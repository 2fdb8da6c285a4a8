// A simulated machine (host.h). Datagrams: on_datagram() -> read_inbox() -> Endpoint -> drain_events(). A turn():
// timers, flush() of what is to be sent, arm() of the next wake-up.
#include "sim/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/key_cache.h"
#include "sim/simulator.h"
#include "transport/connection.h"

namespace godwit::sim {
namespace {

// An attempt that has failed is repeated after this long.
constexpr Duration kReconnectAfter = 1s;
// More batches than this in one turn are a loop without end.
constexpr std::size_t kMostBatchesPerTurn = 20'000;
// More rounds of timers at one instant are a spin.
constexpr std::size_t kMostRoundsPerTurn = 8;
constexpr std::size_t kMostBatchBytes = 64 * 1024;

}  // namespace

Host::Host(Simulator& simulator, std::uint32_t index, const HostSpec& spec, std::uint64_t seed)
    : simulator_(simulator),
      index_(index),
      spec_(&spec),
      random_(seed),
      address_(simulator.inside_address(index)),
      other_address_(SocketAddress::ipv4({172, 16, 0, 1}, address_.port())),
      keys_(make_keys()),
      buffer_(64 * 1024 + 2048),
      // Every machine has been up for another while.
      offset_(Duration{static_cast<Duration::rep>(random_.below(1'000'000'000'000'000))}),
      peers_(simulator.scenario().hosts.size()) {
  if (spec.seal_delay > Duration::zero()) {
    sealing_ = std::make_unique<DelayedSealing>(spec.seal_delay, splitmix64(seed ^ 0x7365616c));
  }
}

Host::~Host() {
  if (sealing_) sealing_->clear();
}

KeyPair Host::make_keys() {
  if (simulator_.scenario().attacks.empty()) return *KeyPair::generate(random_);
  // Another one for each host.
  key_index_ = static_cast<std::uint32_t>(random_.below(kCachedKeys / 8)) * 8 + index_ % 8;
  return cached_key_pair(key_index_);
}

// --- Life ---

void Host::start(Instant now) {
  Config config = spec_->config;
  config.send_queue.readers = sealing_.get();
  endpoint_ = std::make_unique<Endpoint>(config, *KeyPair::from_secret(keys_.secret().bytes()), random_,
                                         static_cast<trace::Sink*>(this));
  memory_ = 0;
  turn(now);
}

void Host::kill(Instant now) {
  if (sealing_) sealing_->clear();
  endpoint_.reset();
  for (Peer& peer : peers_) peer = {};
  hostile_.clear();
  drop_replies(now, std::nullopt);
  for (const std::uint32_t packet : inbox_) simulator_.release(packet);
  inbox_.clear();
  inbox_bytes_ = 0;
  wake_at_ = Instant::max();
}

void Host::renew_keys() {
  keys_ = make_keys();
}

void Host::resume(Instant now) {
  stalled_ = false;
  on_sealed(now);
  read_inbox(now);
}

void Host::jump_clock(Instant now, Duration by) {
  offset_ += by;
  turn(now);
}

void Host::close_all(Instant now) {
  if (!endpoint_) return;
  endpoint_->close_all(local(now), "the scenario has ended");
  turn(now);
}

void Host::leave(Instant now) {
  leaving_ = true;
  close_all(now);
}

void Host::reconnect(Instant now) {
  if (!endpoint_) return;
  for (std::uint32_t peer = 0; peer < peers_.size(); ++peer) {
    if (peers_[peer].connection == 0 || simulator_.scenario().hosts[peer].nat) continue;
    const auto started = initiate(now, peer);
    drain_events(now);
    if (started) peers_[peer].connection = *started;
  }
  turn(now);
}

std::optional<ConnectionId> Host::initiate(Instant now, std::uint32_t peer) {
  const SocketAddress remote = simulator_.outside_address(peer);
  const auto started = [&] {
    const MemoryMeter meter(memory_);
    return endpoint_->connect(local(now), remote, simulator_.host(peer).public_key());
  }();
  if (!started) {
    simulator_.on_refused_attempt(now, index_, started.error().message);
    return std::nullopt;
  }
  simulator_.on_initiated(now, index_, remote, *started);
  return *started;
}

// --- Network and time ---

SocketAddress Host::local_of(const Packet& packet) const {
  return packet.other_interface ? other_address_ : address_;
}

void Host::on_datagram(Instant now, std::uint32_t packet) {
  Packet& arrived = simulator_.packet(packet);
  if (!endpoint_) return simulator_.release(packet);
  if (!stalled_ && spec_->receive_interval == Duration::zero()) {
    receive(now,
            {.local = local_of(arrived),
             .remote = arrived.source,
             .bytes = arrived.view(),
             .segment_size = arrived.size,
             .ecn = arrived.ecn},
            arrived.forged ? 1 : 0, arrived.sent_at);
    simulator_.release(packet);
    return turn(now);
  }
  if (inbox_bytes_ + arrived.size > spec_->socket_buffer) {
    ++statistics_.socket_overflows;
    return simulator_.release(packet);
  }
  inbox_bytes_ += arrived.size;
  inbox_.push_back(packet);
  if (stalled_ || inbox_scheduled_) return;
  inbox_scheduled_ = true;
  simulator_.schedule(now + spec_->receive_interval, EventKind::kInbox, index_);
}

// Datagrams of one peer, one size and one mark travel as one batch, as a kernel's receive offload hands them over.
void Host::read_inbox(Instant now) {
  inbox_scheduled_ = false;
  if (!endpoint_ || stalled_) return;
  std::vector<std::uint32_t> arrived;
  arrived.swap(inbox_);
  inbox_bytes_ = 0;
  for (std::size_t at = 0; at < arrived.size();) {
    const Packet& first = simulator_.packet(arrived[at]);
    const SocketAddress remote = first.source;
    const Instant sent_at = first.sent_at;
    const std::size_t segment = first.size;
    const SocketAddress local = local_of(first);
    const Ecn ecn = first.ecn;
    std::size_t forged = 0;
    arena_.clear();
    while (at < arrived.size() && endpoint_) {
      Packet& next = simulator_.packet(arrived[at]);
      if (next.source != remote || next.size > segment || arena_.size() + next.size > kMostBatchBytes) break;
      if (local_of(next) != local || next.ecn != ecn) break;
      forged += next.forged ? 1 : 0;
      arena_.insert(arena_.end(), next.bytes.begin(), next.bytes.begin() + next.size);
      const bool last = next.size < segment;
      simulator_.release(arrived[at++]);
      if (last) break;
    }
    receive(now, {.local = local, .remote = remote, .bytes = arena_, .segment_size = segment, .ecn = ecn}, forged,
            sent_at);
  }
  turn(now);
}

void Host::receive(Instant now, const DatagramBatch& batch, std::size_t forged, Instant sent_at) {
  worked_ = true;
  statistics_.datagrams_read += batch.segment_count();
  const auto peer = simulator_.public_host_at(batch.remote);
  const bool established = peer && has_session_with(*peer);
  const std::uint64_t unopened = unopened_ + forged;
  {
    const MemoryMeter meter(memory_);
    endpoint_->receive(local(now), batch);
  }
  if (established && unopened_ > unopened && simulator_.host(*peer).had_session_with(index_, sent_at))
    simulator_.on_unopened(now, index_, *peer, unopened_ - unopened);
  drain_events(now);
}

bool Host::has_session_with(std::uint32_t peer) const {
  const ConnectionId connection = peers_[peer].connection;
  const Connection* session = connection != 0 ? endpoint_->inspect(connection) : nullptr;
  return session != nullptr && session->is_established();
}

void Host::wake(Instant at) {
  if (at != wake_at_) return;  // an earlier one has taken its place
  wake_at_ = Instant::max();
  ++statistics_.wakes;
  turn(at);
}

void Host::turn(Instant now) {
  if (!endpoint_ || stalled_) return;
  // What one timer does may make another one due at once; a driver would come back without waiting.
  for (std::size_t round = 0; round < kMostRoundsPerTurn; ++round) {
    const auto due = endpoint_->next_timeout();
    const bool expired = due && *due <= local(now);
    if (!expired && round > 0) break;
    if (expired) {
      {
        const MemoryMeter meter(memory_);
        endpoint_->handle_timeout(local(now));
      }
      drain_events(now);
    }
    flush(now);
    while (!replies_.empty()) {
      const std::size_t before = replies_.size();
      send_replies(now);
      flush(now);
      if (replies_.size() >= before) break;
    }
  }
  simulator_.after_turn(now, index_, worked_, memory_);
  worked_ = false;
  arm(now);
}

void Host::on_sealed(Instant now) {
  if (!endpoint_ || stalled_ || !sealing_) return;
  const bool was_full = sealing_->full();
  sealing_->run_due(now);
  send_sealed(now);
  if (was_full && !sealing_->full()) turn(now);
}

void Host::arm(Instant now) {
  // What is due may be waiting for room, which a batch on its way will make.
  if (sealing_ && sealing_->full()) return;
  const auto next = endpoint_->next_timeout();
  if (!next) return;
  const Instant at = std::max(now, *next - offset_);
  if (at >= wake_at_) return;
  wake_at_ = at;
  simulator_.schedule(at, EventKind::kHostWake, index_);
}

void Host::flush(Instant now) {
  drain_events(now);
  for (std::size_t batches = 0;; ++batches) {
    buffer_.reset();
    TransmitBuffer* const buffer = sealing_ ? sealing_->begin() : &buffer_;
    if (buffer == nullptr) return;
    sent_data_.clear();
    traced_datagrams_ = traced_bytes_ = 0;
    const auto batch = [&] {
      const MemoryMeter meter(memory_);
      return endpoint_->poll_transmit(local(now), *buffer);
    }();
    simulator_.on_handed_out(index_, batch, traced_datagrams_, traced_bytes_);
    if (batch) {
      worked_ = true;
      ++statistics_.batches_sent;
      statistics_.datagrams_sent += batch->segment_count();
      statistics_.bytes_sent += batch->bytes.size();
      std::uint64_t fresh = 0;
      ConnectionId owner = 0;
      for (const SentData& data : sent_data_) {
        if (data.retransmission) {
          simulator_.on_data(local(now), index_, data.connection, data.bytes, true);
        } else {
          fresh += data.bytes;
          owner = data.connection;
        }
      }
      if (fresh > 0) simulator_.on_data(local(now), index_, owner, fresh, false);
      if (sealing_) {
        if (const Instant sealed = sealing_->submit(now, *batch); sealed > now) {
          simulator_.schedule(sealed, EventKind::kSealed, index_);
        }
        send_sealed(now);
      } else {
        send_batch(now, *batch);
      }
    }
    drain_events(now);
    if (!batch) return;
    if (batches > kMostBatchesPerTurn) {
      return simulator_.check_log().report(Rule::kTimer, now, "a host transmits without end");
    }
  }
}

void Host::send_batch(Instant now, const DatagramBatch& batch) {
  for (std::size_t i = 0; i < batch.segment_count(); ++i) {
    const bool nowhere = batch.local.is_specified() && batch.local != address_;
    simulator_.transmit(now, index_, batch.remote, batch.segment(i), batch.ecn, nowhere);
  }
}

// In the order in which they were put together, as far as they have been sealed.
void Host::send_sealed(Instant now) {
  while (const DatagramBatch* const batch = sealing_->front()) {
    send_batch(now, *batch);
    sealing_->pop();
  }
}

// --- What the endpoint says ---

void Host::on_event(const trace::Event& event) {
  if (const auto* sent = std::get_if<trace::PacketSent>(&event.data)) {
    ++traced_datagrams_;
    traced_bytes_ += sent->bytes;
    if (sent->kind == trace::PacketKind::kStreamFragment || sent->kind == trace::PacketKind::kShortMessage) {
      sent_data_.push_back({event.connection, sent->bytes, sent->retransmission});
    }
  } else if (const auto* metrics = std::get_if<trace::MetricsUpdated>(&event.data)) {
    simulator_.on_metrics(event.at, index_, event.connection, metrics->pacing_rate, metrics->window_bytes);
  } else if (const auto* dropped = std::get_if<trace::PacketDropped>(&event.data)) {
    if (dropped->reason == trace::DropReason::kAuthenticationFailed) ++unopened_;
  }
  simulator_.on_trace(index_, event);
}

void Host::drain_events(Instant now) {
  while (endpoint_) {
    EndpointEvent* event = [&] {
      const MemoryMeter meter(memory_);
      return endpoint_->poll_event();
    }();
    if (event == nullptr) return;
    worked_ = true;
    handle(now, *event);
  }
}

void Host::handle(Instant now, EndpointEvent& event) {
  MessageChecker& messages = simulator_.messages();
  const Instant clock = local(now);
  const ConnectionId id = event.connection;
  simulator_.note_event(now, index_, event);
  if (handle_hostile(now, event)) return;
  const Mutation mutation = simulator_.take_mutation(event.event);
  if (auto* chunk = std::get_if<StreamChunk>(&event.event)) {
    statistics_.payload_received += chunk->bytes.size();
    std::vector<std::uint8_t> altered;
    if (mutation == Mutation::kAlterPayload) {
      altered.assign(chunk->bytes.begin(), chunk->bytes.end());
      altered.back() ^= 1;
      chunk->bytes = altered;
    }
    const auto number = messages.on_chunk(clock, index_, id, *chunk);
    if (number) on_delivered(now, id, *number);
  } else if (auto* message = std::get_if<MessageReceived>(&event.event)) {
    statistics_.payload_received += message->payload.size();
    std::vector<std::uint8_t> bytes;
    ByteView payload = message->payload;
    if (mutation == Mutation::kAlterPayload) {
      bytes.assign(payload.begin(), payload.end());
      bytes.back() ^= 1;
      payload = bytes;
    }
    const auto number = messages.on_message(clock, index_, payload);
    if (mutation == Mutation::kDeliverTwice) static_cast<void>(messages.on_message(clock, index_, payload));
    if (number) on_delivered(now, id, *number);
  } else if (auto* whole = std::get_if<StreamMessage>(&event.event)) {
    statistics_.payload_received += whole->payload.size();
    if (mutation == Mutation::kAlterPayload) whole->payload.back() ^= 1;
    const auto number = messages.on_message(clock, index_, whole->payload);
    if (mutation == Mutation::kDeliverTwice) static_cast<void>(messages.on_message(clock, index_, whole->payload));
    if (number) on_delivered(now, id, *number);
  } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&event.event)) {
    if (mutation == Mutation::kHideConfirmation) return;
    if (mutation == Mutation::kClaimUndelivered) {
      static_cast<void>(messages.on_failed(clock, index_, id, confirmed->message, false));
      return;
    }
    const std::uint64_t number = messages.on_confirmed(clock, index_, id, confirmed->message);
    if (number != 0) simulator_.on_ended(now, number);
  } else if (const auto* failed = std::get_if<MessageFailed>(&event.event)) {
    const std::uint64_t number = messages.on_failed(clock, index_, id, failed->message, failed->may_have_arrived);
    if (number != 0) simulator_.on_ended(now, number);
  } else if (const auto* aborted = std::get_if<StreamAborted>(&event.event)) {
    if (mutation != Mutation::kHideHalfReceived) messages.on_aborted(clock, index_, id, *aborted);
  } else if (const auto* connected = std::get_if<Connected>(&event.event)) {
    ++statistics_.connected;
    simulator_.on_connected(now, index_, connected->remote, id);
    simulator_.check_form(now, index_, connected->remote, connected->form);
    const auto peer = simulator_.public_host_at(connected->remote);
    if (peer) peers_[*peer] = {.connection = id, .reconnect_at = peers_[*peer].reconnect_at, .connected_at = now};
    if (leaving_) endpoint_->close(clock, id, "the scenario has ended");
  } else if (const auto* closed = std::get_if<Closed>(&event.event)) {
    simulator_.state().on_close_reason(
        clock, index_, mutation == Mutation::kAccusePeer ? CloseReason::kProtocolViolation : closed->reason);
    handle_end(now, id, closed->reason);
  } else if (std::holds_alternative<Writable>(event.event)) {
    simulator_.on_writable(now, index_);
  }
}

void Host::handle_end(Instant now, ConnectionId connection, CloseReason reason) {
  ++statistics_.closed;
  simulator_.messages().on_closed(local(now), index_, connection);
  simulator_.on_closed(now, index_, connection, reason);
  drop_replies(now, connection);
  for (std::uint32_t peer = 0; peer < peers_.size(); ++peer) {
    if (peers_[peer].connection != connection) continue;
    peers_[peer] = {.connection = 0, .reconnect_at = now + kReconnectAfter, .connected_at = {}};
    simulator_.on_disconnected(now, index_, peer);
  }
}

bool Host::handle_hostile(Instant now, const EndpointEvent& event) {
  if (const auto* connected = std::get_if<Connected>(&event.event)) {
    if (simulator_.is_host_address(connected->remote)) return false;
    hostile_.insert(event.connection);
    simulator_.on_connected(now, index_, connected->remote, event.connection);
    if (leaving_) endpoint_->close(local(now), event.connection, "the scenario has ended");
  }
  if (!hostile_.contains(event.connection)) return false;
  if (const auto* closed = std::get_if<Closed>(&event.event)) {
    simulator_.on_closed(now, index_, event.connection, closed->reason);
    hostile_.erase(event.connection);
  }
  return true;
}

void Host::on_delivered(Instant now, ConnectionId connection, std::uint64_t number) {
  const std::uint64_t reply = simulator_.on_delivered(now, number);
  if (reply != 0) replies_.push_back({connection, reply});
}

// --- The application ---

void Host::send_replies(Instant now) {
  while (!replies_.empty() && endpoint_) {
    const Reply reply = replies_.front();
    const SendOutcome outcome = post(now, reply.connection, reply.number);
    if (outcome == SendOutcome::kBlocked) return;
    replies_.pop_front();
    if (outcome == SendOutcome::kAccepted) continue;
    simulator_.messages().on_refused(reply.number);
    simulator_.on_ended(now, reply.number);
  }
}

void Host::drop_replies(Instant now, std::optional<ConnectionId> connection) {
  std::vector<std::uint64_t> dropped;
  std::erase_if(replies_, [&](const Reply& reply) {
    if (connection && reply.connection != *connection) return false;
    dropped.push_back(reply.number);
    return true;
  });
  for (const std::uint64_t number : dropped) {
    simulator_.messages().on_refused(number);
    simulator_.on_ended(now, number);
  }
}

Host::SendOutcome Host::send(Instant now, std::uint64_t number) {
  if (!endpoint_) return SendOutcome::kNoConnection;
  const std::uint32_t to = simulator_.messages().record(number).to;
  Peer& peer = peers_[to];
  if (peer.connection == 0) {
    if (now < peer.reconnect_at) return SendOutcome::kNoConnection;
    const auto started = initiate(now, to);
    if (!started) return SendOutcome::kNoConnection;
    peer.connection = *started;
  }
  return post(now, peer.connection, number);
}

Host::SendOutcome Host::post(Instant now, ConnectionId connection, std::uint64_t number) {
  MessageChecker& messages = simulator_.messages();
  const std::uint64_t size = messages.record(number).size;
  Body body = messages.payload().body(number, size);
  if (sealing_) {
    body = watched(std::move(body), [this, now, number](ByteView bytes) {
      if (!sealing_->reads(bytes)) return;
      simulator_.check_log().report(Rule::kIntact, now, fmt::format("message {} is released unsealed", number));
    });
  }
  const auto id = [&] {
    const MemoryMeter meter(memory_);
    return endpoint_->send(local(now), connection, std::move(body));
  }();
  if (id) {
    messages.on_accepted(index_, connection, *id, number, endpoint_->stream_id(connection, *id));
    worked_ = true;
    return SendOutcome::kAccepted;
  }
  return id.error().code == ErrorCode::kWouldBlock ? SendOutcome::kBlocked : SendOutcome::kRefused;
}

std::optional<ConnectionStatistics> Host::connection_statistics(std::uint32_t peer) const {
  if (!endpoint_ || peers_[peer].connection == 0) return std::nullopt;
  return endpoint_->statistics(peers_[peer].connection);
}

}  // namespace godwit::sim
