// The endpoint's timers, its way out and its numbers (endpoint.h).

#include <algorithm>
#include <array>
#include <utility>

#include "transport/connection.h"
#include "transport/endpoint.h"
#include "transport/run_writer.h"

namespace godwit {

// --- Time ---

std::optional<Instant> Endpoint::next_timeout() const {
  return timers_.next();
}

void Endpoint::handle_timeout(Instant now) {
  while (const auto slot = timers_.pop_due(now)) {
    Route& route = routes_[*slot];
    if (!route.connection) continue;
    if (route.challenger) {
      if (const auto deadline = route.challenger->next_timeout(); deadline && *deadline <= now) {
        advance_challenger(now, *slot, route.challenger->handle_timeout(now), {});
      }
    }
    if (const auto deadline = route.connection->next_timeout(); deadline && *deadline <= now) {
      const bool was_handshaking = route.connection->is_handshaking();
      route.connection->handle_timeout(now);
      if (was_handshaking && route.connection->is_finished()) ++statistics_.handshakes_failed;
    }
    // What is due now may be due for transmission: poll_transmit() arms the timer again when nothing is left to send.
    if (route.half_open && !route.connection->is_handshaking()) end_half_open(*slot);
    mark_ready(*slot);
  }
}

// --- Transmission ---

void Endpoint::share_budget(Instant now, std::uint32_t slot) {
  Route& route = routes_[slot];
  if (!route.member) return;
  budget_.set_demand(*route.member, route.connection->demand());
  route.connection->set_rate_cap(now, budget_.share(now, *route.member));
}

std::optional<DatagramRun> Endpoint::poll_transmit(Instant now, TransmitBuffer& buffer) {
  if (!loose_.empty() && buffer.space().size() >= loose_.front().bytes.size()) {
    const LooseDatagram datagram = std::move(loose_.front());
    loose_.pop_front();
    std::copy(datagram.bytes.begin(), datagram.bytes.end(), buffer.space().begin());
    return DatagramRun{.local = datagram.local,
                       .remote = datagram.remote,
                       .bytes = buffer.commit(datagram.bytes.size()),
                       .segment_size = datagram.bytes.size()};
  }
  while (!ready_.empty()) {
    // A run needs room for itself; what is left over is not worth a cut one.
    if (buffer.space().size() < RunWriter::kMaxBytes) return std::nullopt;
    const std::uint32_t slot = ready_.front();
    ready_.pop_front();
    Route& route = routes_[slot];
    route.ready = false;
    if (!route.connection) continue;
    share_budget(now, slot);
    if (route.challenger) {
      const MutableBytes space = buffer.space();
      if (const std::size_t size = route.challenger->poll_transmit(now, space.first(wire::kMaxDatagram))) {
        mark_ready(slot);
        return DatagramRun{
            .local = route.local, .remote = route.remote, .bytes = buffer.commit(size), .segment_size = size};
      }
    }
    auto run = route.connection->poll_transmit(now, buffer);
    if (run) {
      // Its next run waits until the others had one.
      run->local = route.local;
      mark_ready(slot);
      return run;
    }
    if (route.connection->is_finished()) {
      retire(slot);
      continue;
    }
    arm(slot);
  }
  return std::nullopt;
}

// --- Numbers ---

std::vector<ConnectionId> Endpoint::connections() const {
  std::vector<ConnectionId> result;
  for (std::uint32_t slot = 0; slot < routes_.size(); ++slot) {
    if (routes_[slot].connection) result.push_back(id_of(slot));
  }
  return result;
}

std::optional<ConnectionStatistics> Endpoint::statistics(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return std::nullopt;
  return found->statistics();
}

std::optional<SocketAddress> Endpoint::remote_address(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return std::nullopt;
  return found->remote();
}

}  // namespace godwit
