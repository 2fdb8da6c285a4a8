// Notices that the peer of a run has gone, long before the idle time-out: asks for a sign of life after two seconds
// without one, and gives up when the peer's port is said to be closed and the peer stays silent as well, or after ten
// seconds of silence. Owned by a PerfRun, asked once a turn; looks once a second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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

}  // namespace godwit
