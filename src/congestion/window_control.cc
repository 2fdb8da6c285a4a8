#include "congestion/window_control.h"

#include <algorithm>

namespace godwit {

bool RoundTripCounter::on_congestion_event(const CongestionEvent& event) {
  if (event.acked_bytes == 0) return false;
  if (started_ && event.latest_acked_sent_at < round_start_) return false;
  const bool ended = started_;
  started_ = true;
  round_start_ = event.now;
  if (ended) ++completed_;
  return ended;
}

bool LossEpisode::begins_with(const CongestionEvent& event) const {
  // A mark is answered like a loss, as one of the packet that was acknowledged last (RFC 9002 section 7.1, B.8).
  const bool marked = event.marked_packets > 0;
  if (event.lost.packets == 0 && !marked) return false;
  const bool newer_loss = event.lost.packets > 0 && (!start_ || event.lost.newest_sent_at > *start_);
  const bool newer_mark = marked && (!start_ || event.latest_acked_sent_at > *start_);
  if (!newer_loss && !newer_mark) return false;
  return !open_ || acknowledges_newer(event);
}

bool LossEpisode::on_acknowledgement(const CongestionEvent& event) {
  if (!acknowledges_newer(event)) return false;
  open_ = false;
  return true;
}

void WindowUsage::on_packet_sent(const SentInfo& sent) {
  peak_ = std::max(peak_, sent.bytes_in_flight);
}

void WindowUsage::on_congestion_event(const CongestionEvent& event, bool round_ended) {
  peak_ = std::max(peak_, event.prior_in_flight);
  if (!round_ended) return;
  previous_peak_ = peak_;
  peak_ = event.bytes_in_flight;
}

bool WindowUsage::permits_growth(const CongestionEvent& event, std::uint64_t window, std::uint32_t datagram_bytes,
                                 bool slow_start) const {
  const std::uint64_t used = std::max(peak_, previous_peak_);
  if (slow_start && !event.application_limited) return used >= window / 2;
  return used + std::max<std::uint64_t>(3 * std::uint64_t{datagram_bytes}, window / 8) >= window;
}

Bandwidth window_pacing_rate(std::uint64_t window, Duration smoothed_rtt, double gain) {
  if (smoothed_rtt <= Duration::zero()) return Bandwidth::unlimited();
  const Bandwidth rate = Bandwidth::from_bytes_and_time(window, smoothed_rtt).scaled(gain);
  return std::max(rate, Bandwidth::from_bytes_per_second(1));
}

std::uint64_t window_after_idle(std::uint64_t window, Duration idle, std::uint64_t initial_window) {
  while (idle > kWindowValidity && window > initial_window) {
    window = std::max(window / 2, initial_window);
    idle -= kWindowValidity;
  }
  return window;
}

}  // namespace godwit
