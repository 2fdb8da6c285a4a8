// From what Recovery found out to what a congestion controller is told: one place that fills CongestionEvent, used by
// Connection after each received batch and each time-out. Pure; reads Recovery, changes nothing.
#pragma once

#include <span>

#include "base/time.h"
#include "congestion/controller.h"
#include "recovery/ack_outcome.h"
#include "recovery/recovery.h"

namespace godwit {

// `lost` in send order. Packets whose ids follow one another make one range.
[[nodiscard]] LossSample loss_sample_of(std::span<const LostRecord> lost);

// After Recovery::finish_acks. A loss that a probe repaired counts as one lost packet, whose bytes never left the
// flight as lost. Worth telling a controller if acked_bytes > 0, lost.packets > 0 or spurious_loss.
[[nodiscard]] CongestionEvent congestion_event_of(Instant now, const AckOutcome& outcome, const Recovery& recovery);

// After Recovery::handle_timeout: losses only. Worth telling a controller if lost.packets > 0; on_persistent_timeout
// follows if outcome.persistent_congestion.
[[nodiscard]] CongestionEvent congestion_event_of(Instant now, const TimeoutOutcome& outcome, const Recovery& recovery);

}  // namespace godwit
