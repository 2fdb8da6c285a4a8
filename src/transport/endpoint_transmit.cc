// The endpoint's timers, its way out and its numbers (endpoint.h).

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "transport/batch_writer.h"
#include "transport/connection.h"
#include "transport/endpoint.h"
#include "transport/route.h"

namespace godwit {

// --- Time ---

std::optional<Instant> Endpoint::next_timeout() const {
  arm_used();
  return earliest(timers_.next(), closing_.next_timeout());
}

bool Endpoint::timer_is_due(Instant now) {
  // A handshake that has ended may want to send its first ping at once, and its peer may not live long.
  if (std::exchange(arms_before_asking_, false)) arm_used();
  const auto next = earliest(timers_.next(), closing_.next_timeout());
  return next && *next <= now;
}

void Endpoint::handle_timeout(Instant now) {
  settle();
  arm_used();
  while (const auto slot = timers_.pop_due(now)) {
    Route& route = routes_[*slot];
    if (!route.in_use()) continue;
    route.handle_timeout(now);
    if (!route.has_place) take_place(now, *slot);
    note_tag(*slot);
    // Not armed again here, because what is due now may be due for transmission: poll_transmit() arms the timer when
    // nothing is left to send.
    mark_ready(*slot);
  }
}

// --- Transmission ---

void Endpoint::settle() {
  if (unsettled_ == kNobody) return;
  const std::uint32_t slot = std::exchange(unsettled_, kNobody);
  if (Connection* const connection = routes_[slot].connection()) connection->settle(unsettled_at_);
  update_after_use(slot);
}

void Endpoint::share_budget(Instant now, std::uint32_t slot) {
  Route& route = routes_[slot];
  if (!route.member || route.connection() == nullptr) return;
  budget_.set_demand(*route.member, route.connection()->demand());
  route.connection()->set_rate_cap(now, budget_.share(now, *route.member));
}

// The route keeps its place among the ready: what else it has to send comes out of poll_transmit().
std::optional<DatagramBatch> Endpoint::poll_reply(Instant now, TransmitBuffer& buffer) {
  if (unsettled_ == kNobody || buffer.space().size() < BatchWriter::kMaxBytes) return std::nullopt;
  Route& route = routes_[unsettled_];
  if (route.member) return std::nullopt;
  unsettled_at_ = std::max(unsettled_at_, now);
  return route.poll_reply(now, buffer);
}

std::optional<DatagramBatch> Endpoint::poll_transmit(Instant now, TransmitBuffer& buffer) {
  settle();
  if (!stateless_.empty() && buffer.space().size() >= stateless_.front().bytes.size()) {
    const StatelessDatagram datagram = std::move(stateless_.front());
    stateless_.pop_front();
    std::copy(datagram.bytes.begin(), datagram.bytes.end(), buffer.space().begin());
    context_->record_close_sent(now, 0, datagram.bytes.size());
    return DatagramBatch{.local = datagram.local,
                         .remote = datagram.remote,
                         .bytes = buffer.commit(datagram.bytes.size()),
                         .segment_size = datagram.bytes.size(),
                         .hop_limit = datagram.hop_limit};
  }
  if (auto batch = closing_.poll_transmit(now, buffer)) {
    context_->record_close_sent(now, 0, batch->bytes.size());
    return batch;
  }
  while (!ready_.empty()) {
    // A batch needs room for itself; what is left over is not worth a cut one.
    if (buffer.space().size() < BatchWriter::kMaxBytes) return std::nullopt;
    const std::uint32_t slot = ready_.front();
    ready_.pop_front();
    Route& route = routes_[slot];
    route.ready = false;
    if (!route.in_use()) continue;
    share_budget(now, slot);
    if (auto batch = route.poll_transmit(now, buffer)) {
      // Its next batch waits until the others had one.
      mark_ready(slot);
      return batch;
    }
    if (route.finished()) {
      std::optional<Connection::ClosePacket> packet;
      if (route.connection() != nullptr) packet = route.connection()->take_close_packet();
      const SocketAddress local = route.local();
      const SocketAddress remote = route.remote();
      retire(slot);
      if (packet) closing_.add(now, local, remote, std::move(packet->datagram), std::move(packet->session));
    } else {
      arm(slot);
    }
  }
  return std::nullopt;
}

// --- Numbers ---

std::vector<ConnectionId> Endpoint::connections() const {
  std::vector<ConnectionId> result;
  for (std::uint32_t slot = 0; slot < routes_.size(); ++slot) {
    if (routes_[slot].connection() != nullptr) result.push_back(routes_[slot].id());
  }
  return result;
}

std::size_t Endpoint::pending_handshakes() const {
  std::size_t sum = 0;
  for (const Route& route : routes_) {
    sum += route.pending_handshakes();
    if (route.connection() != nullptr && route.connection()->is_handshaking()) ++sum;
  }
  return sum;
}

// A packet of no session: one that this process, or the one before it, has lost. The reset is shorter than what it
// answers, so that two endpoints do not answer each other for ever.
void Endpoint::queue_reset(Instant now, const DatagramBatch& batch, ByteView datagram) {
  if (config_.handshake.extended == ExtendedPolicy::kOff ||
      (config_.handshake.capabilities & wire::capability::kReset) == 0) {
    return;
  }
  // Whom this process has had a session with has been told of its end, and a deployed peer expects nothing more.
  if (former_peers_.contains(batch.remote.hash(known_key_))) return;
  if (datagram.size() <= wire::kResetDatagram || stateless_.size() >= kMaxStatelessDatagrams) return;
  wire::ConnectionTag tag;
  std::ranges::copy(datagram.subspan(1, tag.size()), tag.begin());
  // A session with this tag is alive at another address.
  if (by_tag_.find(load_le<std::uint32_t>(tag.data())) != IdMap::kNone) return;
  if (!reset_budget_.take(now, batch.remote)) return;
  std::vector<std::uint8_t> reset(wire::kResetDatagram);
  resets_.write(std::span<std::uint8_t, wire::kResetDatagram>(reset), resets_.token(tag, batch.remote), random_);
  stateless_.push_back({batch.local, batch.remote, std::move(reset)});
  ++statistics_.resets_sent;
}

std::optional<ConnectionStatistics> Endpoint::statistics(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return std::nullopt;
  return found->statistics();
}

std::optional<FlowWindows> Endpoint::flow_windows(ConnectionId connection) const {
  const Connection* const found = find(connection);
  const Session* const session = found == nullptr ? nullptr : found->session();
  if (session == nullptr || !session->has(wire::capability::kFlowControl)) return std::nullopt;
  return config_.handshake.flow;
}

void Endpoint::set_flow_windows(const FlowWindows& windows) {
  GODWIT_ASSERT(open_ == 0);
  config_.handshake.flow = windows;
}

Endpoint::Liveness Endpoint::liveness(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return {};
  return {.suspect = found->is_suspect(), .problem = found->path_problem()};
}

std::optional<SocketAddress> Endpoint::remote_address(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return std::nullopt;
  return found->remote();
}

}  // namespace godwit
