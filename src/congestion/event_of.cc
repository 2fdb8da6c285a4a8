#include "congestion/event_of.h"

namespace godwit {
namespace {

CongestionEvent state_of(Instant now, const Recovery& recovery) {
  CongestionEvent event;
  event.now = now;
  event.latest_rtt = recovery.rtt().latest();
  event.smoothed_rtt = recovery.rtt().smoothed();
  event.minimum_rtt = recovery.rtt().minimum();
  event.delivered = recovery.total_delivered();
  event.bytes_in_flight = recovery.bytes_in_flight();
  event.application_limited = recovery.application_limited();
  return event;
}

// The loss that a tail-loss probe made good before it was declared: a reason to reduce like any other (RFC 8985 section
// 7.4.2). A tail is what is left when the application has no more, so it says nothing about how much is too much.
void add_repaired_tail(CongestionEvent& event, Instant sent_at) {
  const std::uint64_t bytes = event.acked_packets > 0 ? event.acked_bytes / event.acked_packets : 0;
  event.lost = {.packets = 1,
                .ranges = 1,
                .bytes = bytes,
                .newest_sent_at = sent_at,
                .tx_in_flight = event.prior_in_flight,
                .lost_since_sent = bytes,
                .is_app_limited = true};
}

}  // namespace

LossSample loss_sample_of(std::span<const LostRecord> lost) {
  LossSample sample;
  if (lost.empty()) return sample;
  for (std::size_t i = 0; i < lost.size(); ++i) {
    sample.bytes += lost[i].bytes;
    if (i == 0 || lost[i].id != lost[i - 1].id + 1) ++sample.ranges;
  }
  const LostRecord& newest = lost.back();
  sample.packets = static_cast<std::uint32_t>(lost.size());
  sample.newest_sent_at = newest.sent_at;
  sample.tx_in_flight = newest.tx_in_flight;
  sample.lost_since_sent = newest.lost_since;
  sample.is_app_limited = newest.is_app_limited;
  return sample;
}

CongestionEvent congestion_event_of(Instant now, const AckOutcome& outcome, const Recovery& recovery) {
  CongestionEvent event = state_of(now, recovery);
  event.acked_bytes = outcome.acked_bytes;
  event.acked_packets = static_cast<std::uint32_t>(outcome.acked_packets);
  event.lost = loss_sample_of(outcome.lost);
  event.rtt_sample = outcome.rtt_sample;
  event.rate = outcome.rate;
  event.prior_in_flight = outcome.prior_bytes_in_flight;
  event.latest_acked_sent_at = outcome.latest_acked_sent_at;
  event.spurious_loss = outcome.spurious_loss_undone;
  if (outcome.probe_repaired_loss && event.lost.packets == 0) add_repaired_tail(event, *outcome.probe_repaired_loss);
  return event;
}

CongestionEvent congestion_event_of(Instant now, const TimeoutOutcome& outcome, const Recovery& recovery) {
  CongestionEvent event = state_of(now, recovery);
  event.lost = loss_sample_of(outcome.lost);
  event.prior_in_flight = outcome.prior_bytes_in_flight;
  return event;
}

}  // namespace godwit
