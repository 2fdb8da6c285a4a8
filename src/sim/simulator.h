// The loop with a virtual clock: takes the earliest event, lets a link, a host or a script act on it, checks every
// rule, and goes on. The same core runs here and in runtime/; nothing in it knows. One thread, no I/O, no clock: a
// scenario and its seed determine every byte. START READING HERE: run_until().
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/application.h"
#include "sim/attacker.h"
#include "sim/checker.h"
#include "sim/checker_attack.h"
#include "sim/checker_messages.h"
#include "sim/checker_state.h"
#include "sim/checker_wire.h"
#include "sim/competitor.h"
#include "sim/event_heap.h"
#include "sim/host.h"
#include "sim/packet.h"
#include "sim/scenario.h"

namespace godwit::sim {

struct SimulatorOptions {
  bool check = true;  // false: measurements, without checkers after every event
  bool stop_at_violation = true;
  Mutation mutation = Mutation::kNone;
  // Receives the trace, a line at a time; absent: only its hash is kept.
  std::function<void(std::string_view)> trace;
  // Receives the core's trace events of one host each; they stand in host order. May be empty.
  std::vector<trace::Sink*> sinks;
};

struct SimulationResult {
  std::vector<Violation> violations;
  std::uint64_t trace_hash = 0;
  Duration simulated{};  // until every flow had ended
  Duration bound{};
  std::uint64_t events = 0;
  std::uint64_t datagrams = 0;  // sent by hosts
  std::uint64_t messages = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t delivered_bytes = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(LinkDrop::kCount)> drops{};
  std::uint64_t corrupted = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t marked = 0;  // with congestion, by queues that would have dropped
  std::uint64_t faults = 0;
  std::uint64_t nat_drops = 0;
  std::uint64_t attack_datagrams = 0;    // that the attacker sent
  std::uint64_t attack_connections = 0;  // that it opened
  AttackNumbers attack;
  [[nodiscard]] bool clean() const { return violations.empty(); }
};

class Simulator {
 public:
  // Requires !scenario.problem().
  explicit Simulator(Scenario scenario, SimulatorOptions options = {});
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  // The whole scenario, its end included.
  SimulationResult run();
  // Up to this offset from the start; run() may follow.
  void run_until(Duration until);

  // --- For the parts ---
  void schedule(Instant at, EventKind kind, std::uint32_t target, std::uint32_t packet = 0) {
    heap_.push(at, kind, target, packet);
  }
  // `nowhere`: out of an interface that leads to nobody.
  void transmit(Instant now, std::uint32_t host, const SocketAddress& remote, ByteView datagram, Ecn ecn, bool nowhere);
  // An attacker's datagram: it reaches the host at once.
  void forge(Instant now, std::uint32_t host, const SocketAddress& source, ByteView datagram, bool other_interface);
  // A competitor's packet; it has no bytes.
  void transmit_model(Instant now, std::uint32_t competitor, bool acknowledgement, std::uint64_t sequence,
                      std::uint32_t charge);
  [[nodiscard]] Packet& packet(std::uint32_t index) { return pool_[index]; }
  void release(std::uint32_t index) { pool_.release(index); }
  void on_data(Instant local, std::uint32_t host, ConnectionId connection, std::uint64_t bytes, bool retransmission);
  void on_metrics(Instant local, std::uint32_t host, ConnectionId connection, Bandwidth rate, std::uint64_t window);
  void on_trace(std::uint32_t host, const trace::Event& event);
  // What an endpoint has handed out, beside what its trace has said of it.
  void on_handed_out(std::uint32_t host, const std::optional<DatagramBatch>& batch, std::uint64_t traced_datagrams,
                     std::uint64_t traced_bytes);
  void on_initiated(Instant now, std::uint32_t host, const SocketAddress& remote, ConnectionId connection);
  void on_refused_attempt(Instant now, std::uint32_t host, std::string_view why);
  // A session of this form has begun.
  void check_form(Instant now, std::uint32_t host, const SocketAddress& remote, SessionForm form);
  void on_connected(Instant now, std::uint32_t host, const SocketAddress& remote, ConnectionId connection);
  void on_closed(Instant now, std::uint32_t host, ConnectionId connection, CloseReason reason);
  // `host` could not open datagrams of `peer`, with which it has a session.
  void on_unopened(Instant now, std::uint32_t host, std::uint32_t peer, std::uint64_t datagrams);
  void on_disconnected(Instant now, std::uint32_t host, std::uint32_t peer);
  void on_ended(Instant now, std::uint64_t number) { application_.on_ended(now, number); }
  [[nodiscard]] std::uint64_t on_delivered(Instant now, std::uint64_t number);
  void on_writable(Instant now, std::uint32_t host) { application_.on_writable(now, host); }
  // `memory`: bytes that the host's endpoint has allocated since its start.
  void after_turn(Instant now, std::uint32_t host, bool worked, std::int64_t memory);
  void note_event(Instant now, std::uint32_t host, const EndpointEvent& event);
  // The mutation, if it is this event's turn to be falsified; once.
  [[nodiscard]] Mutation take_mutation(const godwit::Event& event);

  // --- To look at ---
  [[nodiscard]] const Scenario& scenario() const { return scenario_; }
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] static Instant start() { return kStart; }
  [[nodiscard]] Duration elapsed() const { return now_ - kStart; }
  [[nodiscard]] Host& host(std::uint32_t index) { return *hosts_[index]; }
  [[nodiscard]] Link& link(std::uint32_t index) { return *links_[index]; }
  [[nodiscard]] Competitor& competitor(std::uint32_t index) { return *competitors_[index]; }
  [[nodiscard]] CheckLog& check_log() { return check_log_; }
  [[nodiscard]] MessageChecker& messages() { return messages_; }
  [[nodiscard]] StateChecker& state() { return state_; }
  [[nodiscard]] const Application& application() const { return application_; }
  [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }
  [[nodiscard]] std::size_t pending_events() const { return heap_.size(); }
  [[nodiscard]] std::size_t live_packets() const { return pool_.live(); }
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }

  // --- Addresses ---
  [[nodiscard]] SocketAddress inside_address(std::uint32_t host) const;
  // Where others reach a public host.
  [[nodiscard]] SocketAddress outside_address(std::uint32_t host) const { return inside_address(host); }
  [[nodiscard]] std::optional<std::uint32_t> public_host_at(const SocketAddress& address) const;
  // Of a host, or of the NAT box before it; all others are the attacker's.
  [[nodiscard]] bool is_host_address(const SocketAddress& address) const;

 private:
  static constexpr Instant kStart{1h};

  void step();
  void dispatch(const Event& event);
  void enter_path(Instant now, std::uint32_t index);
  void enter_link(Instant now, std::uint32_t link, std::uint32_t index);
  void serve_link(Instant now, std::uint32_t link);
  void cross_the_world(Instant now, std::uint32_t index);
  void arrive(Instant now, std::uint32_t index);
  void inject(Instant now, const Fault& fault);
  void end_fault(Instant now, const Fault& fault);
  void stop_host(Instant now, std::uint32_t host);
  void inject(Instant now, std::uint32_t host, std::vector<std::uint8_t>& datagram);
  [[nodiscard]] const std::vector<std::uint32_t>& path_of(const Packet& packet) const;
  [[nodiscard]] bool stopped() const { return options_.stop_at_violation && !check_log_.clean(); }
  [[nodiscard]] bool settled() const { return application_.finished() && pending_faults_ == 0; }
  void note(std::string_view what, std::uint32_t who, std::uint64_t a, std::uint64_t b, std::string_view text = {});
  void finish();

  Scenario scenario_;
  SimulatorOptions options_;
  EventHeap heap_;
  Instant now_ = kStart;
  PacketPool pool_;
  CheckLog check_log_;
  MessageChecker messages_;
  WireChecker wire_;
  StateChecker state_;
  std::optional<AttackChecker> attack_checker_;  // in scenarios with an attacker
  DeterministicRandom network_random_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::unique_ptr<Nat>> nats_;
  Application application_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Competitor>> competitors_;
  std::optional<Attacker> attacker_;
  std::vector<std::uint32_t> scratch_dropped_;
  std::size_t pending_faults_ = 0;
  bool started_ = false;
  bool mutated_ = false;
  std::uint64_t datagrams_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t trace_hash_ = 0;
};

}  // namespace godwit::sim
