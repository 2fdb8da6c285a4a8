#include "transfer/statistics_sum.h"

namespace godwit {

void add_counters(ConnectionStatistics& sum, const ConnectionStatistics& more) {
  constexpr std::uint64_t ConnectionStatistics::* kCounters[] = {
      &ConnectionStatistics::packets_sent,       &ConnectionStatistics::bytes_sent,
      &ConnectionStatistics::payload_bytes_sent, &ConnectionStatistics::packets_retransmitted,
      &ConnectionStatistics::packets_lost,       &ConnectionStatistics::losses_spurious,
      &ConnectionStatistics::packets_abandoned,  &ConnectionStatistics::tail_probes,
      &ConnectionStatistics::timeouts,           &ConnectionStatistics::receipt_packets_sent,
      &ConnectionStatistics::receipts_sent,      &ConnectionStatistics::receipts_repeated,
      &ConnectionStatistics::runs_sent,          &ConnectionStatistics::packets_received,
      &ConnectionStatistics::bytes_received,     &ConnectionStatistics::payload_bytes_received,
      &ConnectionStatistics::receipts_received,  &ConnectionStatistics::receipts_unknown,
      &ConnectionStatistics::runs_received,
  };
  ConnectionStatistics result = more;
  for (const auto counter : kCounters) result.*counter += sum.*counter;
  for (std::size_t i = 0; i < static_cast<std::size_t>(trace::DropReason::kCount); ++i) {
    const auto reason = static_cast<trace::DropReason>(i);
    result.drops.add(reason, sum.drops.of(reason));
  }
  sum = result;
}

}  // namespace godwit
