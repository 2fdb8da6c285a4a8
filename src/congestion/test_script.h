// Test only: drives one controller by hand on a path without a queue: what is sent in a round is acknowledged or lost a
// round trip later. Keeps the times and counters of events consistent, so that a test states only what matters to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "congestion/controller.h"

namespace godwit {

class ControllerScript {
 public:
  explicit ControllerScript(CongestionController& controller, Duration round_trip = 100ms)
      : controller_(&controller), round_trip_(round_trip) {}

  Instant now{1s};
  std::uint64_t in_flight = 0;
  bool application_limited = false;

  void set_round_trip(Duration round_trip) { round_trip_ = round_trip; }
  [[nodiscard]] Duration round_trip() const { return round_trip_; }
  [[nodiscard]] std::uint64_t window() const { return controller_->window_bytes(); }
  [[nodiscard]] std::uint64_t datagrams() const { return window() / 1200; }
  void wait(Duration time) { now += time; }

  void send(std::uint64_t bytes) {
    in_flight += bytes;
    controller_->on_packet_sent({.now = now,
                                 .bytes = bytes,
                                 .packets = static_cast<std::uint32_t>(bytes / 1200),
                                 .bytes_in_flight = in_flight});
  }
  void fill_window() {
    if (window() > in_flight) send(window() - in_flight);
  }

  // An event now that acknowledges `acked` and loses `lost` bytes, all sent at `sent_at`.
  CongestionEvent event(std::uint64_t acked, std::uint64_t lost, Instant sent_at) {
    CongestionEvent event;
    event.now = now;
    event.prior_in_flight = in_flight;
    event.acked_bytes = acked;
    event.acked_packets = static_cast<std::uint32_t>(acked / 1200);
    if (lost > 0) {
      event.lost = {.packets = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, lost / 1200)),
                    .ranges = 1,
                    .bytes = lost,
                    .newest_sent_at = sent_at,
                    .tx_in_flight = in_flight,
                    .lost_since_sent = lost,
                    .is_app_limited = application_limited};
    }
    in_flight -= std::min(in_flight, acked + lost);
    if (acked > 0) {
      event.rtt_sample = now - sent_at;
      event.latest_acked_sent_at = sent_at;
      event.rate = {.has_rate = true,
                    .is_app_limited = application_limited,
                    .delivery_rate = Bandwidth::from_bytes_and_time(acked, now - sent_at),
                    .interval = now - sent_at,
                    .rtt = now - sent_at,
                    .delivered = acked,
                    .prior_delivered = delivered_,
                    .total_delivered = delivered_ + acked,
                    .lost = lost,
                    .tx_in_flight = event.prior_in_flight,
                    .newly_acked = acked,
                    .newly_lost = lost};
      delivered_ += acked;
    }
    event.latest_rtt = round_trip_;
    event.smoothed_rtt = round_trip_;
    event.minimum_rtt = round_trip_;
    event.delivered = delivered_;
    event.bytes_in_flight = in_flight;
    event.application_limited = application_limited;
    return event;
  }
  void acknowledge(std::uint64_t bytes, Instant sent_at) { controller_->on_congestion_event(event(bytes, 0, sent_at)); }
  void lose(std::uint64_t bytes, Instant sent_at) { controller_->on_congestion_event(event(0, bytes, sent_at)); }
  // Acknowledges `acked` bytes, of which routers have marked some.
  void mark(std::uint64_t acked, Instant sent_at) {
    CongestionEvent marked = event(acked, 0, sent_at);
    marked.marked_packets = 1;
    controller_->on_congestion_event(marked);
  }
  void prove_spurious(Instant sent_at) {
    CongestionEvent proof = event(1200, 0, sent_at);
    proof.spurious_loss = true;
    controller_->on_congestion_event(proof);
  }

  // A window is sent now and acknowledged a round trip later, in `events` parts.
  void round(int events = 1) {
    fill_window();
    const Instant sent_at = now;
    const std::uint64_t flight = in_flight;
    now += round_trip_;
    std::uint64_t left = flight;
    for (int i = 0; i < events; ++i) {
      const std::uint64_t part = i + 1 == events ? left : flight / static_cast<std::uint64_t>(events);
      left -= part;
      if (part > 0) acknowledge(part, sent_at);
    }
  }
  void rounds(int count, int events = 1) {
    for (int i = 0; i < count; ++i) round(events);
  }
  // A window is sent now; a round trip later one datagram of it is lost and the rest acknowledged.
  void lossy_round() {
    fill_window();
    const Instant sent_at = now;
    const std::uint64_t flight = in_flight;
    now += round_trip_;
    controller_->on_congestion_event(event(flight - 1200, 1200, sent_at));
  }

 private:
  CongestionController* controller_;
  Duration round_trip_;
  std::uint64_t delivered_ = 0;
};

}  // namespace godwit
