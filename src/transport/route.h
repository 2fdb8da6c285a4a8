// One address and everything that speaks from it: a connection, and at most one pending handshake beside its
// established session, until that handshake has proved itself (wire spec W5). The protocol between the two is here;
// Endpoint finds the route of a datagram, asks Admission, and arms the timers afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/datagram_run.h"
#include "congestion/fair_share.h"
#include "transport/admission.h"
#include "transport/connection.h"
#include "transport/handshake.h"
#include "transport/statistics.h"
#include "transport/transmit_buffer.h"

namespace godwit {

// What all routes of an endpoint share; outlives them.
struct RouteContext {
  const ConnectionContext& connection;
  Admission& admission;
  EndpointStatistics& statistics;

  [[nodiscard]] const Config& config() const { return connection.config; }
  [[nodiscard]] const HandshakeContext& handshake() const { return connection.handshake; }
  // Counts a datagram of `bytes` bytes that belongs to no connection.
  void drop(Instant now, trace::DropReason reason, std::size_t bytes) const;
};

class Route {
 public:
  // `slot` is the endpoint's number for this object, which serves one address after another.
  Route(const RouteContext& context, std::uint32_t slot) : context_(&context), slot_(slot) {}

  // --- Life ---
  // Begins a connection to `remote`, under a new id, with a handshake of either role. Replies leave from `local`.
  void open(const SocketAddress& remote, const SocketAddress& local, Handshake handshake);
  // Forgets both parties; the slot is free.
  void clear();
  [[nodiscard]] bool in_use() const { return connection_ != nullptr; }
  [[nodiscard]] ConnectionId id() const { return std::uint64_t{generation_} << 32 | slot_; }
  [[nodiscard]] const SocketAddress& remote() const { return remote_; }
  // Null when the slot is free.
  [[nodiscard]] Connection* connection() { return connection_.get(); }
  [[nodiscard]] const Connection* connection() const { return connection_.get(); }

  // --- Inputs. After each, the endpoint brings the route's timers and readiness up to date. ---
  // Datagrams that are symmetric by wire::classify(), all of them. `batch.remote` is remote().
  void receive(Instant now, const DatagramRun& batch);
  // Takes an intro that needs no decryption: a repeat of the one that a handshake here answers, or the one that the
  // session was founded on. False for every other one.
  [[nodiscard]] bool receive_repeated_intro(Instant now, const SocketAddress& local, MutableBytes datagram);
  // An intro that the endpoint has opened. False when the connection has ended and only waits to send its close packet:
  // the address is then as good as unknown.
  [[nodiscard]] bool receive_intro(Instant now, const SocketAddress& local, const IntroSeen& intro);
  void close(Instant now, CloseReason reason, std::string_view text);
  void handle_timeout(Instant now);

  // --- Outputs ---
  [[nodiscard]] std::optional<DatagramRun> poll_transmit(Instant now, TransmitBuffer& buffer);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // --- The endpoint's own notes about this slot ---
  std::optional<FairShare::Member> member;  // of the shared budget
  bool ready = false;                       // waits for its turn to transmit
  bool half_open = false;                   // in admission's list

 private:
  void receive_beside_pending(Instant now, const DatagramRun& batch);
  // A new intro from the address of a session: the handshake runs beside it.
  void begin_pending(Instant now, const IntroSeen& intro);
  void advance_pending(Instant now, const HandshakeStep& step, ByteView datagram);
  void replace_connection(Instant now, const HandshakeStep& step, ByteView datagram);

  const RouteContext* context_;
  std::uint32_t slot_;
  std::uint32_t generation_ = 0;
  SocketAddress remote_;
  SocketAddress local_;  // where the peer's datagrams arrive: replies leave from there
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Handshake> pending_;
};

}  // namespace godwit
