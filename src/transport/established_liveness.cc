// Whether the peer of a connection is still there, and what it is asked and not sent meanwhile
// (established_connection.h).

#include <algorithm>
#include <memory>

#include "transport/established_connection.h"

namespace godwit {
namespace {

// Without any sign of life while packets are outstanding, the peer is asked for one after this long.
constexpr Duration kOverdue = 1s;

}  // namespace

Duration EstablishedConnection::patience() const {
  constexpr int kRoundTrips = 2;
  constexpr Duration kLeast = 100ms;
  return std::max(recovery_.rtt().smoothed() * kRoundTrips, kLeast);
}

void EstablishedConnection::hold_data(Instant now) {
  hold_ = std::make_unique<Hold>(Hold{.until = now + core_.context.config.handshake.confirmation_wait,
                                      .since = now,
                                      .ping_at = now + patience(),
                                      .pings_before = keepalive_.pings_sent()});
  ping_due_ = true;
}

// Who answers a ping of now is in this session. Data that came before the intro and was overtaken by it says nothing,
// and a copy of it neither.
void EstablishedConnection::release_if_alive(Instant now) {
  if (hold_ == nullptr) [[likely]]
    return;
  constexpr int kReordering = 4;  // packets overtake each other by less than such a part of a round trip
  const Duration overtaken = std::max<Duration>(recovery_.rtt().smoothed() / kReordering, 5ms);
  const bool answered = keepalive_.answered_after(hold_->pings_before);
  if (answered || (newer_packet_ && now - hold_->since >= overtaken)) hold_.reset();
}

// Packets that nobody acknowledges, and no other sign of life: the peer may have gone, or the path has changed. It is
// asked, long before the idle time-out.
void EstablishedConnection::watch_for_silence(Instant now) {
  if (!recovery_.outstanding()) return;
  constexpr int kProbeTimeouts = 3;
  const Duration patience = recovery_.rtt().probe_timeout() * kProbeTimeouts;
  if (keepalive_.silent_for(now) < std::max(kOverdue, patience)) return;
  keepalive_.expect_answer(now, patience);
}

}  // namespace godwit
