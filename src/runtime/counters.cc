#include "runtime/counters.h"

namespace godwit {
namespace {

using C = ConnectionStatistics;
using E = EndpointStatistics;
using B = BackendStatistics;
using N = NodeStatistics;
using L = ShardLinkStatistics;

// `Others` are the types of the members of T that are no counters of the list. A counter that is missing there does not
// compile: the sizes differ.
template <typename T, typename... Others, std::size_t Count>
constexpr bool complete(const Counter<T> (&)[Count]) {
  return sizeof(T) == Count * sizeof(std::uint64_t) + (std::size_t{0} + ... + sizeof(Others));
}

constexpr ConnectionCounter kConnection[] = {
    {"packets_sent", &C::packets_sent, "datagrams of every kind that were sent"},
    {"bytes_sent", &C::bytes_sent, "bytes of the datagrams that were sent"},
    {"payload_bytes_sent", &C::payload_bytes_sent, "application bytes sent for the first time"},
    {"ack_packets_sent", &C::ack_packets_sent, "packets sent for acknowledgements alone"},
    {"batches_sent", &C::batches_sent, "batches of datagrams that were sent"},
    {"packets_received", &C::packets_received, "authentic datagrams that were received"},
    {"bytes_received", &C::bytes_received, "bytes of the authentic datagrams that were received"},
    {"payload_bytes_received", &C::payload_bytes_received, "application bytes that were delivered"},
    {"acks_received", &C::acks_received, "acknowledgements that were received"},
    {"batches_received", &C::batches_received, "batches of datagrams that were received"},
    {"path_changes", &C::path_changes, "moves of the peer to another address"},
    {"path_changes_refused", &C::path_changes_refused, "moves that came too soon after the one before"},
    {"path_probes", &C::path_probes, "challenges to further addresses of the peer"},
    {"path_responses_unsolicited", &C::path_responses_unsolicited, "answers to no path challenge of this side"},
    {"size_probes_sent", &C::size_probes_sent, "questions whether the path carries a larger datagram"},
    {"size_probes_lost", &C::size_probes_lost, "such questions that were not answered"},
    {"size_reductions", &C::size_reductions, "times that the path stopped carrying larger datagrams"},
    {"packets_retransmitted", &C::packets_retransmitted, "packets that were sent again after a loss"},
    {"packets_lost", &C::packets_lost, "packets that were declared lost, by acknowledgements or by time"},
    {"losses_spurious", &C::losses_spurious, "packets sent again as lost although they had arrived"},
    {"packets_abandoned", &C::packets_abandoned, "packets no longer wanted before they were acknowledged"},
    {"tail_probes", &C::tail_probes, "packets sent again to learn of a loss at the end"},
    {"timeouts", &C::timeouts, "retransmission time-outs"},
    {"acks_sent", &C::acks_sent, "acknowledgements that were sent for the first time"},
    {"acks_repeated", &C::acks_repeated, "acknowledgements that were repeated"},
    {"acks_unknown", &C::acks_unknown, "acknowledgements of packets that were never sent"},
    {"key_updates", &C::key_updates, "renewals of the sending key in an extended session"},
    {"ecn_marks_received", &C::ecn_marks_received, "packets that came with a router's mark of congestion"},
    {"ecn_marks_reported", &C::ecn_marks_reported, "packets sent that the peer says came with such a mark"},
};
struct ConnectionState {
  Duration round_trips[4];
  std::uint64_t bytes_in_flight;
  std::uint64_t window_bytes;
  std::uint64_t datagram_bytes;
  std::uint64_t max_unreliable_bytes;
  std::uint64_t key_packets_sealed;
  Bandwidth pacing_rate;
  std::string_view names[7];
};
static_assert(complete<C, ConnectionState, DropCounts>(kConnection));

constexpr EndpointCounter kEndpoint[] = {
    {"datagrams_received", &E::datagrams_received, "datagrams of every kind that reached the endpoint"},
    {"batches_received", &E::batches_received, "batches of datagrams that reached the endpoint"},
    {"connections_opened", &E::connections_opened, "connections that were established"},
    {"handshakes_started", &E::handshakes_started, "handshakes in both roles"},
    {"handshakes_succeeded", &E::handshakes_succeeded, "handshakes that became sessions"},
    {"handshakes_failed", &E::handshakes_failed, "handshakes that timed out or were refused"},
    {"handshakes_given_up", &E::handshakes_given_up, "handshakes that gave way or were closed here"},
    {"sessions_replaced", &E::sessions_replaced, "sessions that a newer one with the same peer took over"},
    {"error_acknowledgements_sent", &E::error_acknowledgements_sent, "refusals that were sent"},
    {"evicted_for_memory", &E::evicted_for_memory, "connections closed for the memory of their inbound streams"},
    {"reassembly_bytes", &E::reassembly_bytes, "memory that inbound streams hold now", true},
    {"reassembly_refused", &E::reassembly_refused, "memory for inbound streams that the bound refused"},
    {"connections_evicted", &E::connections_evicted, "connections closed so that others find a place"},
    {"replies_withheld", &E::replies_withheld, "answers kept from unproven addresses that had enough"},
    {"openers_sent", &E::openers_sent, "datagrams that opened this side's address translation for a peer"},
    {"port_openers_sent", &E::port_openers_sent, "openers for ports that a peer is to find"},
    {"ports_asked", &E::ports_asked, "ports of a peer's translation that were asked, in search of an open one"},
    {"resets_sent", &E::resets_sent, "senders told that their session is unknown here"},
    {"keys_taken", &E::keys_taken, "ephemeral key pairs that handshakes have used"},
    {"keys_taken_ready", &E::keys_taken_ready, "ephemeral key pairs that were made before they were needed"},
    {"agreements_found", &E::agreements_found, "agreements of static keys that were kept and used again"},
    {"unopenable_withheld", &E::unopenable_withheld, "handshakes withheld beside a session that may be alive"},
    {"peers_refused", &E::peers_refused, "peers closed after the handshake, as their key is not admitted"},
};
static_assert(complete<E, CloseCounts, DropCounts>(kEndpoint));

constexpr BackendCounter kBackend[] = {
    {"batches_sent", &B::batches_sent, "batches of datagrams that the kernel took"},
    {"datagrams_sent", &B::datagrams_sent, "datagrams that the kernel took"},
    {"bytes_sent", &B::bytes_sent, "bytes of the datagrams that the kernel took"},
    {"send_calls", &B::send_calls, "system calls that tried to send"},
    {"blocked_sends", &B::blocked_sends, "sends that found the socket's buffer full"},
    {"datagrams_discarded", &B::datagrams_discarded, "datagrams given up after a refusal of the kernel"},
    {"offloaded_datagrams", &B::offloaded_datagrams, "datagrams sent through segmentation offload"},
    {"offload_fallbacks", &B::offload_fallbacks, "paths that segmentation offload was switched off for"},
    {"offload_resent_batches", &B::offload_resent_batches, "batches that were sent again datagram by datagram"},
    {"batch_fallbacks", &B::batch_fallbacks, "times that sending in batches turned out to be forbidden"},
    {"batches_received", &B::batches_received, "batches of datagrams that arrived"},
    {"datagrams_received", &B::datagrams_received, "datagrams that arrived"},
    {"bytes_received", &B::bytes_received, "bytes of the datagrams that arrived"},
    {"receive_calls", &B::receive_calls, "system calls that tried to receive"},
    {"failed_receive_calls", &B::failed_receive_calls, "receive calls that failed on more than an empty socket"},
    {"truncated_datagrams", &B::truncated_datagrams, "datagrams dropped because they were too long"},
    {"empty_datagrams", &B::empty_datagrams, "datagrams dropped because they were empty"},
    {"foreign_datagrams", &B::foreign_datagrams, "datagrams dropped because their address has no known family"},
    {"kernel_drops", &B::kernel_drops, "buffers that the kernel dropped because the receive buffer was full"},
    {"path_errors", &B::path_errors, "ICMP errors about datagrams that this socket sent"},
    {"path_reports_dropped", &B::path_reports_dropped, "reports about more peers than can be kept"},
    {"wait_calls", &B::wait_calls, "system calls that could sleep"},
};
static_assert(complete<B, CallOccupancy, CallOccupancy, ErrnoCounts, ErrnoCounts>(kBackend));

constexpr NodeCounter kNode[] = {
    {"turns", &N::turns, "turns of the event loop"},
    {"waits", &N::waits, "turns that went to sleep"},
    {"replies", &N::replies, "short messages that left before the accounts of what they answer"},
    {"posted_calls", &N::posted_calls, "calls that other threads posted to the loop"},
};
static_assert(complete<N>(kNode));

constexpr ShardLinkCounter kShardLink[] = {
    {"forwarded_batches", &L::forwarded_batches, "batches that reached another shard's socket and were passed on"},
    {"forwarded_datagrams", &L::forwarded_datagrams, "datagrams that were passed on to their shard"},
    {"refused_datagrams", &L::refused_datagrams, "datagrams for another shard that found no room"},
    {"received_batches", &L::received_batches, "batches that other shards passed on"},
};
static_assert(complete<L>(kShardLink));

}  // namespace

std::span<const ConnectionCounter> connection_counters() {
  return kConnection;
}
std::span<const EndpointCounter> endpoint_counters() {
  return kEndpoint;
}
std::span<const BackendCounter> backend_counters() {
  return kBackend;
}
std::span<const NodeCounter> node_counters() {
  return kNode;
}
std::span<const ShardLinkCounter> shard_link_counters() {
  return kShardLink;
}

}  // namespace godwit
