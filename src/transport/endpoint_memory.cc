// The endpoint's bound on the memory of inbound streams (endpoint.h): who has to go when it is nearly used up.

#include <algorithm>
#include <functional>
#include <vector>

#include "transport/connection.h"
#include "transport/endpoint.h"
#include "transport/route.h"

namespace godwit {
namespace {

struct Holder {
  ConnectionId connection;
  std::uint64_t held;
  double per_byte_received;
};

}  // namespace

// Between the marks lies an eighth of the bound: one look at all connections frees so much that a stranger has to send
// as many bytes as that holds before the next look.
void Endpoint::relieve_memory(Instant now) {
  const std::uint64_t limit = reassembly_.limit();
  const std::uint64_t low = limit - limit / 4;
  // What ended connections still hold is on its way back.
  const auto remaining = [this] { return reassembly_.held() - std::min(reassembly_.held(), events_.ended_bytes()); };
  if (remaining() <= limit - limit / 8) return;
  // Small holders are spared: all of them together hold at most half of the bound.
  const std::uint64_t spared = limit / 2 / std::max<std::size_t>(config_.max_connections, 1);
  std::vector<Holder> holders;
  for (const ConnectionId id : connections()) {
    const Connection& connection = *find(id);
    const RecvStreams* const streams = connection.inbound_streams();
    if (streams == nullptr || streams->held_bytes() <= spared) continue;
    const auto received = static_cast<double>(std::max<std::uint64_t>(connection.bytes_received(), 1));
    holders.push_back({id, streams->held_bytes(), static_cast<double>(streams->held_bytes()) / received});
  }
  std::ranges::sort(holders, std::ranges::greater{}, &Holder::per_byte_received);
  for (const Holder& holder : holders) {
    if (remaining() <= low) break;
    ++statistics_.evicted_for_memory;
    end_connection(now, *slot_of(holder.connection), CloseReason::kMemory, {});
  }
}

EndpointStatistics Endpoint::statistics() const {
  EndpointStatistics result = statistics_;
  result.reassembly_bytes = reassembly_.held();
  result.reassembly_refused = reassembly_.refused();
  result.keys_taken = ephemeral_keys_.taken();
  result.keys_taken_ready = ephemeral_keys_.taken_ready();
  result.port_openers_sent = port_searches_.openers;
  result.ports_asked = port_searches_.asked;
  result.agreements_found = static_agreements_.found();
  return result;
}

}  // namespace godwit
