// What a connection keeps through all of its states, and what it tells of itself: events, trace events and counters.
// Owned by Connection (connection.h), used by it and by its established state (established_connection.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/address.h"
#include "base/bandwidth.h"
#include "base/time.h"
#include "handshake/handshake_step.h"
#include "handshake/key_usage.h"
#include "recovery/recovery.h"
#include "stream/reassembly_budget.h"
#include "stream/send_queue.h"
#include "trace/cost.h"
#include "trace/events.h"
#include "transport/config.h"
#include "transport/event.h"
#include "transport/event_queue.h"
#include "transport/port_search.h"
#include "transport/statistics.h"

namespace godwit {

// What every connection of an endpoint shares. Outlives them.
struct ConnectionContext {
  const Config& config;
  const HandshakeContext& handshake;
  KeyUsage& key_usage;
  EventQueue& events;
  EndpointStatistics& statistics;
  PortSearchBudget& port_searches;
  ReassemblyShared reassembly;
  trace::Sink* sink;
  trace::CostSink* cost;

  // Tells the sink of a datagram that is handed out, and of one that is authentic: the only ways to do so.
  // `connection`: 0 for one of a handshake that has no connection yet.
  void record_sent(Instant now, ConnectionId connection, const trace::PacketSent& sent) const {
    if (sink != nullptr) [[unlikely]]
      sink->on_event({.at = now, .connection = connection, .data = sent});
  }
  void record_received(Instant now, ConnectionId connection, const trace::PacketReceived& received) const {
    if (sink != nullptr) [[unlikely]]
      sink->on_event({.at = now, .connection = connection, .data = received});
  }
  // The same for a datagram that a handshake has made or used.
  void record_handshake_sent(Instant now, ConnectionId connection, const SocketAddress& to, ByteView datagram) const;
  void record_handshake_received(Instant now, ConnectionId connection, const SocketAddress& from,
                                 ByteView datagram) const;
  // For an error acknowledgement.
  void record_close_sent(Instant now, ConnectionId connection, std::size_t bytes) const;
};

struct ConnectionCore {
  ConnectionCore(const ConnectionContext& shared, ConnectionId name, const SocketAddress& peer)
      : context(shared), id(name), remote(peer), queue(shared.config.send_queue) {}

  const ConnectionContext& context;
  const ConnectionId id;
  SocketAddress remote;
  SendQueue queue;  // takes messages before the handshake has finished
  std::optional<Bandwidth> rate_limit = context.config.connection_rate_limit;
  Bandwidth rate_cap = Bandwidth::unlimited();  // its share of the endpoint's rate
  ConnectionCounters counted;

  template <typename T>
  void emit(T&& event) const {
    context.events.push(id, std::forward<T>(event));
  }
  void trace(Instant now, trace::EventData data) const;
  // Counts a datagram that was not used, and tells the sink.
  void drop(Instant now, trace::DropReason reason, std::size_t bytes);
  // Reports the messages that the queue has given up. What may have arrived is forgotten by `recovery`; null while
  // there is no session.
  void report_failures(Instant now, Recovery* recovery);
  void report_writable();
};

}  // namespace godwit
