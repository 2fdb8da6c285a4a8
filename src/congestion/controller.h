// The congestion controller of one connection: three events in, two numbers out (a window in bytes, a pacing rate).
// Connection tells it what was sent, what one received batch acknowledged and lost, and asks for the numbers before it
// fills the next batch. Owned by Connection; one object per connection, chosen at run time by CongestionKind.
// Invariants, kept by every controller whatever the events: config.minimum_window() <= window_bytes() <=
// config.maximum_window_bytes, pacing_rate() > 0, no clock, no allocation after construction.
// Bytes in flight belong to Recovery; controllers are told them and never count packets themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/bandwidth.h"
#include "base/time.h"
#include "recovery/delivery_rate.h"

namespace godwit {

// The values travel in the start of a performance run (docs/file_transfer.md), where 0 is "the server's own choice":
// a value is never changed and never used again. What belongs to a kind beside its value stands in one table in
// controller.cc.
enum class CongestionKind : std::uint8_t { kCubic = 1, kNewReno = 2, kBbr = 3, kLedbat = 4, kFixedRate = 5 };

// All kinds, in the order of the table; and those among them that find the rate of a path by themselves.
[[nodiscard]] std::span<const CongestionKind> congestion_kinds();
[[nodiscard]] std::span<const CongestionKind> adaptive_congestion_kinds();

// The words of --congestion, in the same order: "cubic", "newreno", "bbr", "ledbat", "fixed".
[[nodiscard]] std::span<const std::string_view> congestion_names();
[[nodiscard]] std::string_view to_string(CongestionKind kind);
// Nothing for any other word.
[[nodiscard]] std::optional<CongestionKind> parse_congestion_kind(std::string_view text);
// Nothing for a value that no kind has.
[[nodiscard]] std::optional<CongestionKind> congestion_kind_of(std::uint8_t value);

// Plain values; the same for every kind, so that a user may change the kind and nothing else.
struct ControllerConfig {
  std::uint32_t datagram_bytes = 1200;                             // the segment size of all formulas
  std::uint32_t initial_window_datagrams = 10;                     // RFC 6928, RFC 9002 section 7.2
  std::uint32_t minimum_window_datagrams = 2;                      // RFC 9002 section 7.2; BBR never goes below 4
  std::uint64_t maximum_window_bytes = std::uint64_t{1200} << 16;  // what the ring of sent packets can hold
  Bandwidth fixed_rate = 10_mbps;                                  // of CongestionKind::kFixedRate
  std::uint64_t seed = 0;                                          // of the jitter in BBR's probing schedule; any value

  [[nodiscard]] std::uint64_t initial_window() const { return window_of(initial_window_datagrams); }
  [[nodiscard]] std::uint64_t minimum_window() const { return window_of(minimum_window_datagrams); }

 private:
  [[nodiscard]] std::uint64_t window_of(std::uint64_t datagrams) const { return datagrams * datagram_bytes; }
};

// One transmitted batch: new packets and retransmissions alike, whatever counts as bytes in flight.
struct SentInfo {
  Instant now{};
  std::uint64_t bytes = 0;  // datagram bytes of the batch
  std::uint32_t packets = 0;
  std::uint64_t bytes_in_flight = 0;  // after the batch
};

// What a series of losses says. Zero packets: nothing was declared lost and the other fields mean nothing.
struct LossSample {
  std::uint32_t packets = 0;
  std::uint32_t ranges = 0;  // groups of neighbouring packets lost together
  std::uint64_t bytes = 0;
  // Of the lost packet that was sent last:
  Instant newest_sent_at{};
  std::uint64_t tx_in_flight = 0;     // bytes in flight just after it was sent, itself included
  std::uint64_t lost_since_sent = 0;  // bytes declared lost between its transmission and now, itself included
  bool is_app_limited = false;
};

// Acknowledgements and losses of one received batch, or the losses of one timer, together.
struct CongestionEvent {
  Instant now{};
  std::uint64_t acked_bytes = 0;  // newly acknowledged
  std::uint32_t acked_packets = 0;
  LossSample lost{};
  std::optional<Duration> rtt_sample{};  // of this batch; nothing when no packet of it gives a valid one
  Duration latest_rtt{};                 // the estimator after this batch; zero before the first sample
  Duration smoothed_rtt{};
  Duration minimum_rtt{};
  std::uint64_t delivered = 0;        // bytes acknowledged in the life of the connection
  RateSample rate{};                  // of the acknowledged packet sent last; only when acked_bytes > 0
  std::uint64_t prior_in_flight = 0;  // bytes in flight before this batch
  std::uint64_t bytes_in_flight = 0;  // and after it
  bool application_limited = false;   // the sender has run out of data, not of window or pacing credit
  Instant latest_acked_sent_at{};     // of the acknowledged packet sent last; only when acked_bytes > 0
  bool spurious_loss = false;         // every loss of the latest loss episode has proved to be a late arrival
  // Packets that a router has marked instead of dropping them (RFC 3168), as the acknowledgements of this batch tell
  // for the first time; only when acked_bytes > 0.
  std::uint64_t marked_packets = 0;
};

// For traces, statistics and plots. A value that a controller has no notion of stays at its default.
struct ControllerSnapshot {
  std::string_view controller{};  // equal to to_string(kind)
  std::string_view state{};       // "slow_start", "recovery", "congestion_avoidance", "probe_bw_up", …
  std::uint64_t window_bytes = 0;
  Bandwidth pacing_rate{};
  std::optional<std::uint64_t> slow_start_threshold{};
  std::optional<Bandwidth> bandwidth{};   // BBR: the model's maximum
  std::optional<Duration> minimum_rtt{};  // BBR: of its window; LEDBAT++: the base delay
};

class CongestionController {
 public:
  virtual ~CongestionController() = default;

  // Once a transmitted batch.
  virtual void on_packet_sent(const SentInfo& sent) = 0;
  // Once a received batch that acknowledged or lost anything, and once a timer that declared losses.
  virtual void on_congestion_event(const CongestionEvent& event) = 0;
  // The retransmission time-out found persistent congestion: nothing sent over several round trips arrived, so
  // everything in flight is lost and the path unknown (RFC 9002 section 7.6, RFC 5681 section 3.1). After the event
  // with the losses of the same time-out; again for each further time-out of an outage.
  virtual void on_persistent_timeout(Instant now) = 0;
  // Before the first packet after a time with nothing in flight for want of data.
  virtual void on_idle_restart(Instant now) = 0;

  // Most bytes in flight.
  [[nodiscard]] virtual std::uint64_t window_bytes() const = 0;
  // Never zero. Unlimited where only the window limits.
  [[nodiscard]] virtual Bandwidth pacing_rate() const = 0;

  [[nodiscard]] virtual CongestionKind kind() const = 0;
  [[nodiscard]] std::string_view name() const { return to_string(kind()); }
  [[nodiscard]] virtual ControllerSnapshot snapshot() const = 0;
};

[[nodiscard]] std::unique_ptr<CongestionController> make_controller(CongestionKind kind,
                                                                    const ControllerConfig& config);

}  // namespace godwit
