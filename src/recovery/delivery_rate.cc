#include "recovery/delivery_rate.h"

#include <algorithm>

namespace godwit {

// Until all that is in flight now is delivered, samples show the application's rate. Never 0, which means "not
// limited".
void DeliveryRate::on_application_limited(std::uint64_t in_flight) {
  limited_until_ = std::max<std::uint64_t>(delivered_ + in_flight, 1);
}

RateSample DeliveryRate::on_acked(Instant now, const SentPacket* newest, std::uint64_t acked_bytes,
                                  std::uint64_t lost_bytes, Duration minimum_rtt) {
  delivered_ += acked_bytes;
  delivered_at_ = now;
  if (limited_until_ != 0 && delivered_ > limited_until_) limited_until_ = 0;

  RateSample sample{.total_delivered = delivered_, .newly_acked = acked_bytes, .newly_lost = lost_bytes};
  if (newest == nullptr) return sample;
  // The next flight's send interval starts where the packet that ends this one was sent.
  first_sent_at_ = newest->sent_at;
  sample.is_app_limited = newest->application_limited;
  sample.rtt = now - newest->sent_at;
  sample.prior_delivered = newest->delivered;
  sample.delivered = delivered_ - newest->delivered;
  sample.lost = static_cast<std::uint32_t>(lost_) - newest->lost_before;
  sample.tx_in_flight = newest->in_flight_at_send;

  // The longer of the two intervals: neither acknowledgements compressed on their way nor a burst of sending may feign
  // a rate (draft-ietf-ccwg-bbr section 4.1.1.3). Below the least round trip it is no measure at all.
  const Duration send_elapsed = newest->sent_at - newest->first_sent_at;
  const Duration ack_elapsed = now - newest->delivered_at;
  sample.interval = std::max(send_elapsed, ack_elapsed);
  if (sample.interval <= Duration::zero() || sample.interval < minimum_rtt) return sample;
  sample.has_rate = true;
  sample.delivery_rate = Bandwidth::from_bytes_and_time(sample.delivered, sample.interval);
  return sample;
}

}  // namespace godwit
