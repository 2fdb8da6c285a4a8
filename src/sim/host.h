// One simulated machine: a real Endpoint driven through its public interface exactly as runtime/Node drives it, a
// socket buffer, and a clock that may differ from the world's. Everything the endpoint says goes to the checkers and to
// the application script. Owned by Simulator.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "sim/delayed_sealing.h"
#include "sim/live_memory.h"
#include "sim/scenario.h"
#include "transport/endpoint.h"

namespace godwit::sim {

class Simulator;

struct HostStatistics {
  std::uint64_t wakes = 0;
  std::uint64_t batches_sent = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t datagrams_read = 0;
  std::uint64_t socket_overflows = 0;
  std::uint64_t payload_received = 0;  // bytes handed to the application, in order
  std::uint64_t connected = 0;
  std::uint64_t closed = 0;
};

class Host final : private trace::Sink {
 public:
  enum class SendOutcome : std::uint8_t { kAccepted, kBlocked, kNoConnection, kRefused };

  // `simulator` and `spec` outlive the host.
  Host(Simulator& simulator, std::uint32_t index, const HostSpec& spec, std::uint64_t seed);
  ~Host() override;

  // --- Life ---
  void start(Instant now);
  // The process ends without a word.
  void kill(Instant now);
  void renew_keys();
  void stall() { stalled_ = true; }
  void resume(Instant now);
  void jump_clock(Instant now, Duration by);
  void close_all(Instant now);
  // Closes everything, and whatever the handshakes under way still lead to.
  void leave(Instant now);
  void reconnect(Instant now);

  // --- Network and time, called by the simulator ---
  void on_datagram(Instant now, std::uint32_t packet);
  void read_inbox(Instant now);
  void wake(Instant at);
  // A batch that was put off may have been sealed.
  void on_sealed(Instant now);

  // --- The application ---
  // Sends message `number` of the checker to its receiver, over the present connection or a new one.
  [[nodiscard]] SendOutcome send(Instant now, std::uint64_t number);
  // Drains what the endpoint has to say and to send. After every call that changes it from outside.
  void turn(Instant now);

  [[nodiscard]] bool running() const { return endpoint_ != nullptr; }
  // Whether its session with a peer was there at `at`.
  [[nodiscard]] bool had_session_with(std::uint32_t peer, Instant at) const {
    return endpoint_ != nullptr && has_session_with(peer) && peers_[peer].connected_at <= at;
  }
  [[nodiscard]] Endpoint* endpoint() { return endpoint_.get(); }
  [[nodiscard]] const PublicKey& public_key() const { return keys_.public_key(); }
  // Of the cached key pair (key_cache.h), in scenarios with an attacker.
  [[nodiscard]] std::uint32_t key_index() const { return key_index_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] const HostSpec& spec() const { return *spec_; }
  [[nodiscard]] const HostStatistics& statistics() const { return statistics_; }
  // Of the connection to a peer; nothing without one.
  [[nodiscard]] std::optional<ConnectionStatistics> connection_statistics(std::uint32_t peer) const;
  // Null unless HostSpec::seal_delay is set.
  [[nodiscard]] const DelayedSealing* sealing() const { return sealing_.get(); }
  // Bytes that the endpoint has allocated since its start, in a program that counts them (live_memory.h).
  [[nodiscard]] std::int64_t memory() const { return memory_; }
  [[nodiscard]] Instant local(Instant now) const { return now + offset_; }

 private:
  struct Peer {
    ConnectionId connection = 0;
    Instant reconnect_at{};
    Instant connected_at{};
  };
  [[nodiscard]] bool has_session_with(std::uint32_t peer) const;
  struct Reply {
    ConnectionId connection = 0;
    std::uint64_t number = 0;  // of the message that is the reply
  };
  struct SentData {
    ConnectionId connection;
    std::uint32_t bytes;
    bool retransmission;
  };

  void on_event(const trace::Event& event) override;
  void drain_events(Instant now);
  void handle(Instant now, EndpointEvent& event);
  void handle_chunks(Instant now, ConnectionId id, const StreamChunks& chunks, bool alter);
  void on_delivered(Instant now, ConnectionId connection, std::uint64_t number);
  void send_replies(Instant now);
  // Of one connection, or all.
  void drop_replies(Instant now, std::optional<ConnectionId> connection);
  void flush(Instant now);
  void send_batch(Instant now, const DatagramBatch& batch);
  void send_sealed(Instant now);
  // `forged`: datagrams of the batch that the attacker made.
  void receive(Instant now, const DatagramBatch& batch, std::size_t forged, Instant sent_at);
  [[nodiscard]] SocketAddress local_of(const Packet& packet) const;
  [[nodiscard]] std::optional<ConnectionId> initiate(Instant now, std::uint32_t peer);
  // Whether an event belongs to a connection of the attacker; then nothing more is to be done with it.
  [[nodiscard]] bool handle_hostile(Instant now, const EndpointEvent& event);
  void handle_end(Instant now, ConnectionId connection, CloseReason reason);
  void arm(Instant now);
  [[nodiscard]] SendOutcome post(Instant now, ConnectionId connection, std::uint64_t number);
  [[nodiscard]] KeyPair make_keys();

  Simulator& simulator_;
  std::uint32_t index_;
  const HostSpec* spec_;
  DeterministicRandom random_;
  SocketAddress address_;
  SocketAddress other_address_;  // of an interface that leads nowhere
  std::uint32_t key_index_ = 0;
  KeyPair keys_;
  std::unique_ptr<DelayedSealing> sealing_;  // outlives the bodies of the endpoint
  std::unique_ptr<Endpoint> endpoint_;
  TransmitBuffer buffer_;
  Duration offset_;  // of the own clock
  bool stalled_ = false;
  bool leaving_ = false;
  bool worked_ = false;  // in this turn
  Instant wake_at_ = Instant::max();
  std::vector<Peer> peers_;
  std::deque<Reply> replies_;
  std::vector<std::uint32_t> inbox_;
  std::uint64_t inbox_bytes_ = 0;
  bool inbox_scheduled_ = false;
  std::vector<std::uint8_t> arena_;  // a batch that arrived in pieces
  std::vector<SentData> sent_data_;
  std::uint64_t traced_datagrams_ = 0;  // of the present batch, as its trace says
  std::uint64_t traced_bytes_ = 0;
  std::set<ConnectionId> hostile_;  // connections with the attacker
  std::int64_t memory_ = 0;         // that the endpoint allocated since its start
  std::uint64_t unopened_ = 0;      // datagrams that failed to authenticate, as its trace says
  HostStatistics statistics_;
};

}  // namespace godwit::sim
