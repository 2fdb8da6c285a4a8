// Notices that the peer of a run has gone, long before the idle time-out: asks for a sign of life after two seconds
// without one, and gives up when the peer's port is said to be closed and the peer stays silent as well, or after ten
// seconds of silence. Owned by a PerfRun, asked once a turn; looks once a second. Beside it: how a deadline that a
// silent peer has missed is put into words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "transport/endpoint.h"

namespace godwit {

class PeerWatch {
 public:
  static constexpr Duration kAskAfter = 2s;
  static constexpr Duration kGoneAfter = 10s;
  static constexpr Duration kInterval = 1s;

  // Why the peer counts as gone; nothing while it does not.
  [[nodiscard]] std::optional<std::string> check(Instant now, Endpoint& endpoint, ConnectionId connection);
  [[nodiscard]] Instant next_timeout() const { return next_check_; }

 private:
  ConnectionId connection_ = 0;
  std::uint64_t packets_received_ = 0;
  Instant heard_at_{};
  Instant next_check_{};
};

// Why a deadline for a word of the peer has passed: that the peer is known to have gone explains more than `otherwise`,
// which is what the deadline means of a peer that is there, and what the network says of the path goes behind it.
[[nodiscard]] std::string silence_reason(const Endpoint& endpoint, ConnectionId connection, std::string_view otherwise);

}  // namespace godwit
