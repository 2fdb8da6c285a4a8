#include "runtime/statistics_sum.h"

namespace godwit {
namespace {

// `Others` are the types of the members of T that are no plain counters. A counter that is missing here does not
// compile: the sizes differ.
template <typename T, typename... Others, std::size_t N>
void add_members(T& sum, const T& more, std::uint64_t T::* const (&counters)[N]) {
  static_assert(sizeof(T) == N * sizeof(std::uint64_t) + (std::size_t{0} + ... + sizeof(Others)),
                "every counter is summed, and every other member named");
  for (const auto counter : counters) sum.*counter += more.*counter;
}

void add(ErrnoCounts& sum, const ErrnoCounts& more) {
  for (const ErrnoCounts::Entry& entry : more.entries()) sum.add(entry.error, entry.count);
  sum.add_other(more.other());
}

void add(CallOccupancy& sum, const CallOccupancy& more) {
  for (std::size_t i = 0; i < CallOccupancy::kClasses; ++i) sum.add(CallOccupancy::most_of(i), more.calls(i));
}

}  // namespace

void add_counters(ConnectionStatistics& sum, const ConnectionStatistics& more) {
  using S = ConnectionStatistics;
  struct State {
    Duration round_trips[4];
    std::uint64_t bytes_in_flight;
    std::uint64_t window_bytes;
    std::uint64_t key_packets_sealed;
    Bandwidth pacing_rate;
    std::string_view names[5];
  };
  S result = more;
  add_members<S, State, DropCounts>(result, sum,
                                    {&S::packets_sent,
                                     &S::bytes_sent,
                                     &S::payload_bytes_sent,
                                     &S::receipt_packets_sent,
                                     &S::runs_sent,
                                     &S::packets_received,
                                     &S::bytes_received,
                                     &S::payload_bytes_received,
                                     &S::receipts_received,
                                     &S::runs_received,
                                     &S::path_changes,
                                     &S::path_changes_refused,
                                     &S::path_responses_unsolicited,
                                     &S::packets_retransmitted,
                                     &S::packets_lost,
                                     &S::losses_spurious,
                                     &S::packets_abandoned,
                                     &S::tail_probes,
                                     &S::timeouts,
                                     &S::receipts_sent,
                                     &S::receipts_repeated,
                                     &S::receipts_unknown,
                                     &S::key_updates});
  result.drops.add(sum.drops);
  sum = result;
}

void add_counters(EndpointStatistics& sum, const EndpointStatistics& more) {
  using S = EndpointStatistics;
  add_members<S, CloseCounts, DropCounts>(
      sum, more,
      {&S::datagrams_received, &S::runs_received, &S::connections_opened, &S::handshakes_started,
       &S::handshakes_succeeded, &S::handshakes_failed, &S::handshakes_given_up, &S::sessions_replaced,
       &S::error_acknowledgements_sent, &S::evicted_for_memory, &S::reassembly_bytes, &S::reassembly_refused,
       &S::connections_evicted, &S::replies_withheld, &S::unopenable_withheld});
  sum.connections_closed.add(more.connections_closed);
  sum.drops.add(more.drops);
}

void add_counters(BackendStatistics& sum, const BackendStatistics& more) {
  using S = BackendStatistics;
  add_members<S, CallOccupancy, CallOccupancy, ErrnoCounts, ErrnoCounts>(
      sum, more, {&S::runs_sent,           &S::datagrams_sent,    &S::bytes_sent,
                  &S::send_calls,          &S::blocked_sends,     &S::datagrams_discarded,
                  &S::offloaded_datagrams, &S::offload_fallbacks, &S::offload_resent_runs,
                  &S::batch_fallbacks,     &S::runs_received,     &S::datagrams_received,
                  &S::bytes_received,      &S::receive_calls,     &S::failed_receive_calls,
                  &S::truncated_datagrams, &S::empty_datagrams,   &S::foreign_datagrams,
                  &S::kernel_drops,        &S::path_errors,       &S::path_reports_dropped,
                  &S::wait_calls});
  add(sum.send_occupancy, more.send_occupancy);
  add(sum.receive_occupancy, more.receive_occupancy);
  add(sum.send_refusals, more.send_refusals);
  add(sum.receive_errors, more.receive_errors);
}

void add_counters(NodeStatistics& sum, const NodeStatistics& more) {
  using S = NodeStatistics;
  add_members<S>(sum, more, {&S::turns, &S::waits, &S::posted_calls});
}

void add_counters(ShardLinkStatistics& sum, const ShardLinkStatistics& more) {
  using S = ShardLinkStatistics;
  add_members<S>(sum, more, {&S::forwarded_runs, &S::forwarded_datagrams, &S::refused_datagrams, &S::received_runs});
}

}  // namespace godwit
