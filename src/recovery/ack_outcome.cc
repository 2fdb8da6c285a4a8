#include "recovery/ack_outcome.h"

namespace godwit {

void LossOutcome::reset_losses() {
  lost.clear();
  lost_bytes = 0;
  lost_packets = 0;
  latest_lost_sent_at = {};
  persistent_congestion = false;
}

void AckOutcome::reset(std::uint64_t bytes_in_flight) {
  reset_losses();
  acked.clear();
  acked_bytes = 0;
  acked_packets = 0;
  largest_acked_bytes = 0;
  prior_bytes_in_flight = bytes_in_flight;
  latest_acked_sent_at = {};
  rtt_sample.reset();
  ack_delay = {};
  rate = {};
  spurious_packets = 0;
  withdrawn_packets = 0;
  spurious_bytes = 0;
  probe_repaired_loss.reset();
  spurious_loss_undone = false;
  stale_acks = 0;
  untracked_acks = 0;
  misbehaving_acks = 0;
}

void TimeoutOutcome::reset(std::uint64_t bytes_in_flight) {
  reset_losses();
  prior_bytes_in_flight = bytes_in_flight;
  probe_wanted = false;
  timed_out = false;
  abandoned.clear();
}

}  // namespace godwit
