// Plain integers that a connection and an endpoint count, available without any sink (decisions 10). Written by the
// thread that drives the endpoint; copied out by value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bandwidth.h"
#include "base/time.h"
#include "trace/events.h"
#include "transport/event.h"
#include "transport/path_mtu.h"

namespace godwit {

// How often something happened, by reason; `Reason` is an enumeration that ends with kCount.
template <typename Reason>
class ReasonCounts {
 public:
  void add(Reason reason, std::uint64_t count = 1) { counts_[static_cast<std::size_t>(reason)] += count; }
  void add(const ReasonCounts& more) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += more.counts_[i];
  }
  [[nodiscard]] std::uint64_t of(Reason reason) const { return counts_[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) sum += count;
    return sum;
  }

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(Reason::kCount)> counts_{};
};
// Datagrams (or messages in them) that were not used.
using DropCounts = ReasonCounts<trace::DropReason>;
using CloseCounts = ReasonCounts<CloseReason>;

// What a connection counts itself; the parts it owns count the rest.
struct ConnectionCounters {
  // Sent.
  std::uint64_t packets_sent = 0;        // datagrams of every kind
  std::uint64_t bytes_sent = 0;          // datagram bytes
  std::uint64_t payload_bytes_sent = 0;  // application bytes, first transmissions only
  std::uint64_t ack_packets_sent = 0;    // NoOps
  std::uint64_t batches_sent = 0;
  // Received.
  std::uint64_t packets_received = 0;        // authentic datagrams
  std::uint64_t bytes_received = 0;          // datagram bytes, authentic
  std::uint64_t payload_bytes_received = 0;  // application bytes delivered
  std::uint64_t acks_received = 0;
  std::uint64_t batches_received = 0;
  DropCounts drops;
};

// The same of an extended session whose peer has been heard of from elsewhere.
struct PathCounters {
  std::uint64_t path_changes = 0;          // the peer has moved to another address
  std::uint64_t path_changes_refused = 0;  // too soon after the one before
  std::uint64_t path_responses_unsolicited = 0;
  std::uint64_t path_probes = 0;  // challenges to addresses where the peer might be reached besides
};

struct ConnectionStatistics : ConnectionCounters, PathCounters, PathMtuCounters {
  // Sent, continued.
  std::uint64_t packets_retransmitted = 0;
  std::uint64_t packets_lost = 0;     // declared lost, by acknowledgements or by time
  std::uint64_t losses_spurious = 0;  // sent again as lost, although they had arrived
  std::uint64_t packets_abandoned = 0;
  std::uint64_t tail_probes = 0;
  std::uint64_t timeouts = 0;       // retransmission time-outs
  std::uint64_t acks_sent = 0;      // first-time acknowledgements, in whatever packet
  std::uint64_t acks_repeated = 0;  // repeats that rode along
  // Received, continued.
  std::uint64_t acks_unknown = 0;  // for packets never sent: the first closes the connection
  // The path now.
  Duration latest_round_trip{};
  Duration smoothed_round_trip{};
  Duration minimum_round_trip{};
  Duration round_trip_variance{};
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t window_bytes = 0;
  std::uint64_t datagram_bytes = 0;  // of the largest datagram for data
  std::uint64_t max_unreliable_bytes = 0;
  Bandwidth pacing_rate;
  std::string_view congestion;  // name of the controller
  std::string_view congestion_state;
  std::string_view cipher;
  std::uint64_t key_packets_sealed = 0;  // under the sending key (decisions 3)
  std::string_view form;                 // "legacy" or "extended"
  std::string_view fallback;             // why not extended (FallbackReason)
  std::string_view path;                 // why it does not go directly to the peer, or "direct" (PathReason)
  std::uint64_t key_updates = 0;         // of the sending key, in an extended session
  std::string_view ecn;                  // "off", "testing", "on", "paused" or "failed" (EcnPath::State)
  std::uint64_t ecn_marks_received = 0;  // packets that came with a router's mark of congestion
  std::uint64_t ecn_marks_reported = 0;  // packets sent that the peer says came with one
};

enum class HandshakeEnd : std::uint8_t {
  kSucceeded,
  kFailed,   // timed out or refused
  kGivenUp,  // it gave way to another one or to a session that lived, or this side closed it
};

// At every moment: handshakes_started is the sum of those that succeeded, failed and were given up and of those that
// are pending (Endpoint::pending_handshakes()); connections_opened is the sum of connections_closed and of the
// Connected events whose Closed has not followed.
struct EndpointStatistics {
  std::uint64_t datagrams_received = 0;
  std::uint64_t batches_received = 0;
  std::uint64_t connections_opened = 0;  // Connected was said of them
  CloseCounts connections_closed;        // that had been opened
  std::uint64_t peers_refused = 0;       // whose key Config::filter does not admit: of no connection that was opened
  std::uint64_t handshakes_started = 0;  // both roles
  std::uint64_t handshakes_succeeded = 0;
  std::uint64_t handshakes_failed = 0;
  std::uint64_t handshakes_given_up = 0;
  std::uint64_t sessions_replaced = 0;
  std::uint64_t error_acknowledgements_sent = 0;
  std::uint64_t evicted_for_memory = 0;   // connections closed for the memory their inbound streams held
  std::uint64_t reassembly_bytes = 0;     // memory held by the inbound streams of all connections, now
  std::uint64_t reassembly_refused = 0;   // allocations for inbound streams that Config::reassembly_bytes refused
  std::uint64_t connections_evicted = 0;  // closed so that others find a place
  std::uint64_t replies_withheld = 0;     // an unproven address had been sent enough for what came from it
  std::uint64_t unopenable_withheld = 0;  // of handshakes beside a session that may be alive
  std::uint64_t resets_sent = 0;          // to senders of packets whose session is unknown here
  std::uint64_t keys_taken = 0;           // ephemeral key pairs that handshakes have used
  std::uint64_t keys_taken_ready = 0;     // of these, made before they were needed (Endpoint::prepare_handshakes())
  std::uint64_t agreements_found = 0;     // of the static keys, that a handshake did not have to compute again
  std::uint64_t openers_sent = 0;         // datagrams that open a translation and reach nobody
  std::uint64_t port_openers_sent = 0;    // of them, for the search of a port by the peer
  std::uint64_t ports_asked = 0;          // questions to ports that the peer may have opened
  DropCounts drops;                       // that belong to no connection

  void count(HandshakeEnd end) {
    switch (end) {
      case HandshakeEnd::kSucceeded: ++handshakes_succeeded; break;
      case HandshakeEnd::kFailed: ++handshakes_failed; break;
      case HandshakeEnd::kGivenUp: ++handshakes_given_up; break;
    }
  }
};

}  // namespace godwit
