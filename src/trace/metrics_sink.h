// Events added up: what an endpoint has done, as text in the Prometheus exposition format (version 0.0.4) whenever the
// driver asks for it, and the state of each connection's path for a bounded number of connections. Serving the text to
// a scraper is the driver's business.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "trace/events.h"

namespace godwit::trace {

class MetricsSink final : public Sink {
 public:
  // Connections whose path is shown one by one; of more, the first are.
  explicit MetricsSink(std::size_t max_connections = 64) : max_connections_(max_connections) {}

  void on_event(const Event& event) override;

  // The whole exposition. Costs allocations: ask every few seconds, not for every packet.
  [[nodiscard]] std::string text() const;

 private:
  static constexpr std::size_t kKinds = static_cast<std::size_t>(PacketKind::kUnknown) + 1;
  static constexpr std::size_t kReasons = static_cast<std::size_t>(DropReason::kCount);
  struct Traffic {
    std::array<std::uint64_t, kKinds> packets{};
    std::array<std::uint64_t, kKinds> bytes{};
    void add(PacketKind kind, std::uint64_t size);
  };

  std::size_t max_connections_;
  Traffic sent_;
  Traffic received_;
  std::uint64_t retransmitted_ = 0;
  std::uint64_t lost_by_receipts_ = 0;
  std::uint64_t lost_by_time_ = 0;
  std::uint64_t acknowledged_packets_ = 0;
  std::uint64_t acknowledged_bytes_ = 0;
  std::array<std::uint64_t, kReasons> dropped_{};
  std::uint64_t streams_opened_ = 0;
  std::uint64_t streams_finished_ = 0;
  std::uint64_t streams_failed_ = 0;
  std::uint64_t connections_closed_ = 0;
  std::map<std::uint64_t, MetricsUpdated> paths_;  // by connection
};

}  // namespace godwit::trace
