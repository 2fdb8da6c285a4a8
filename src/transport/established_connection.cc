#include "transport/established_connection.h"

#include <algorithm>
#include <utility>

#include "congestion/event_of.h"
#include "transport/send_kind.h"
#include "wire/control_frame.h"
#include "wire/utf8.h"

namespace godwit {
namespace {

// Application rates count payload; the wire carries the envelope and the header as well (decisions 13).
double wire_share(std::size_t datagram_bytes) {
  constexpr std::size_t kOverhead = wire::kMaxDatagram - wire::kFragmentPayload;
  return static_cast<double>(datagram_bytes) / static_cast<double>(datagram_bytes - kOverhead);
}
// A bounded text fits the one datagram of a close packet with room to spare.
constexpr std::size_t kMaxCloseText = 256;

}  // namespace

EstablishedConnection::EstablishedConnection(Instant now, ConnectionCore& core, Session session,
                                             std::vector<std::vector<std::uint8_t>> handshake_tail)
    : core_(core),
      session_(std::move(session)),
      acks_(core.context.config.acknowledgement),
      recovery_(core.context.config.recovery, *core.context.handshake.random),
      controller_(make_controller(core.context.config.congestion, core.context.config.controller)),
      pacer_(controller_->pacing_rate(), core.context.config.pacer),
      // An acceptor's peer has proved that it is established by the packet that confirmed the handshake; an initiator
      // knows only that an ack arrived (wire spec 4.3, 4.5).
      keepalive_(core.context.config.keepalive, now, session_.initiator() ? ProofRule::kPingOrFail : ProofRule::kProven,
                 *core.context.handshake.random),
      handshake_tail_(std::move(handshake_tail)) {
  update_rate(now);
  core_.trace(now, trace::ConnectionStateChanged{.state = "established",
                                                 .remote = core_.remote,
                                                 .form = session_form_name(session_.form()),
                                                 .fallback = fallback_reason_name(session_.fallback())});
  trace_controller(now, {});
  begin_acknowledgements();
  begin_flow_control();
}

EstablishedConnection::~EstablishedConnection() = default;

// --- The end ---

void EstablishedConnection::end(CloseReason reason, std::string text, Telling telling, std::uint64_t code) {
  if (ending_ != nullptr) return;
  ending_ = std::make_unique<Ending>(
      Ending{.reason = reason, .text = std::move(text), .telling = telling, .code = code, .never_answered = false});
}

// W25: a deliberate close is an error ack under a fresh packet id; the words "expected version" would mean something
// else.
std::vector<std::uint8_t> EstablishedConnection::seal_close_packet(std::string_view text, std::uint64_t code) {
  // A peer does not decode what is no UTF-8, and would not learn of the end.
  const std::string whole = wire::with_valid_utf8(wire::cut_utf8(text, kMaxCloseText));
  text = whole;
  if (text.empty() || wire::expected_version_in(text)) text = "connection closed";
  std::vector<std::uint8_t> datagram(wire::kMaxDatagram);
  const MutableBytes plaintext = MutableBytes(datagram).subspan(kEnvelopePrefix, wire::kMaxPlaintext);
  std::size_t size = wire::encode(plaintext, recovery_.next_packet_id(), {}, wire::AckError{text});
  if (size == 0) return {};
  if (code != 0 && session_.has(wire::capability::kCloseCode)) {
    const auto frame = wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kCloseCode, .data = code});
    std::ranges::copy(frame, plaintext.subspan(size).begin());
    size += frame.size();
  }
  datagram.resize(size + wire::kDatagramOverhead);
  if (!session_.sealer().seal_in_place(datagram)) return {};
  return datagram;
}

void EstablishedConnection::end_streams() {
  if (!streams_) return;
  streams_->fail_all(*this);
  core_.context.events.keep(std::move(streams_));
}

// --- Rates ---

void EstablishedConnection::set_congestion(Instant now, CongestionKind kind) {
  if (controller_->kind() == kind) return;
  controller_ = make_controller(kind, core_.context.config.controller);
  trace_controller(now, {});
  update_rate(now);
}

void EstablishedConnection::update_rate(Instant now) {
  Bandwidth rate = controller_->pacing_rate();
  const auto on_the_wire = [this](Bandwidth payload) { return payload.scaled(wire_share(datagram_bytes())); };
  if (core_.rate_limit) rate = std::min(rate, on_the_wire(*core_.rate_limit));
  if (!core_.rate_cap.is_unlimited()) rate = std::min(rate, on_the_wire(core_.rate_cap));
  if (rate != pacer_.rate()) pacer_.set_rate(now, rate);
}

Bandwidth EstablishedConnection::demand() {
  const bool has_data = hold_ == nullptr && (!core_.queue.idle() || recovery_.has_retransmission());
  return has_data ? controller_->pacing_rate() : Bandwidth{};
}

// --- Time ---

Instant EstablishedConnection::next_timeout() const {
  Instant earliest = keepalive_.next_timeout();
  const auto consider = [&earliest](std::optional<Instant> deadline) {
    if (deadline && *deadline < earliest) earliest = *deadline;
  };
  consider(acks_.deadline());
  consider(recovery_.next_timeout());
  if (streams_) consider(streams_->next_timeout());
  consider(core_.queue.next_timeout());
  consider(paced_until_);
  if (hold_) consider(std::min(hold_->until, hold_->ping_at));
  consider(session_.next_timeout());
  if (roaming_) consider(roaming_->validation.next_timeout());
  if (const PathSize* const size = known_size()) consider(size->mtu.next_timeout());
  if (roaming_ && roaming_->search) consider(roaming_->search->next_timeout(waits_for_peer()));
  return earliest;
}

void EstablishedConnection::handle_timeout(Instant now) {
  if (paced_until_ && *paced_until_ <= now) paced_until_.reset();
  if (hold_ && hold_->until <= now) hold_.reset();
  if (hold_ && hold_->ping_at <= now) {
    ping_due_ = true;
    hold_->ping_at = now + patience();
  }
  session_.expire_others(now);
  expire_former_key(now);
  if (roaming_) roaming_->validation.handle_timeout(now);
  if (PathSize* const size = known_size()) size->mtu.handle_timeout(now);
  if (roaming_ && roaming_->search) tend_search(now);
  const KeepAlive::Outcome alive = keepalive_.handle_timeout(now);
  if (alive.idle_expired) return end(CloseReason::kIdleTimeout, {}, Telling::kClose);
  if (alive.proof_failed) {
    end(CloseReason::kHandshakeFailed, "the peer acknowledged the handshake and then stayed silent", Telling::kClose);
    ending_->never_answered = true;
    return;
  }
  if (alive.ping || alive.suspended) ping_due_ = true;
  if (alive.became_suspect) core_.emit(Suspect{.silent_for = keepalive_.silent_for(now)});
  apply_timeout(now);
  if (streams_) streams_->handle_timeout(now, *this);
  core_.queue.handle_timeout(now);
  report_failures(now);
  core_.report_writable();
}

void EstablishedConnection::apply_timeout(Instant now) {
  const std::optional<Instant> due = recovery_.next_timeout();
  if (!due || *due > now) return;
  const TimeoutOutcome& outcome = recovery_.handle_timeout(now);
  watch_for_silence(now);
  for (const AbandonedPacket& packet : outcome.abandoned) {
    if (packet.content.kind == PacketContent::Kind::kControl) continue;
    core_.queue.on_abandoned(send_kind_of(packet.content.kind), packet.content.owner);
  }
  note_sizes(now, 0, outcome, true);
  if (ecn_ != nullptr && outcome.timed_out) ecn_->on_timeout(session_.next_number());
  if (outcome.lost_packets > 0 || outcome.persistent_congestion) {
    apply_congestion_event(now, congestion_event_of(now, outcome, recovery_), outcome, true);
  }
}

void EstablishedConnection::apply_congestion_event(Instant now, const CongestionEvent& event, const LossOutcome& losses,
                                                   bool timed_out) {
  const std::string_view before = controller_state();
  controller_->on_congestion_event(event);
  if (losses.persistent_congestion) controller_->on_persistent_timeout(now);
  trace_controller(now, before);
  update_rate(now);
  if (core_.context.sink == nullptr) return;
  for (const LostRecord& record : losses.lost) {
    core_.trace(now, trace::PacketLost{.packet_id = record.id, .bytes = record.bytes, .timeout = timed_out});
  }
  const RttEstimator& rtt = recovery_.rtt();
  core_.trace(now, trace::MetricsUpdated{.latest_round_trip = rtt.latest(),
                                         .smoothed_round_trip = rtt.smoothed(),
                                         .minimum_round_trip = rtt.minimum(),
                                         .round_trip_variance = rtt.variance(),
                                         .bytes_in_flight = event.bytes_in_flight,
                                         .window_bytes = controller_->window_bytes(),
                                         .pacing_rate = pacer_.rate()});
}

// --- What is told of it ---

void EstablishedConnection::trace_acknowledged(Instant now, const AckOutcome& outcome) const {
  if (core_.context.sink == nullptr) return;
  core_.trace(now, trace::PacketsAcknowledged{.packets = outcome.acked_packets, .bytes = outcome.acked_bytes});
}

std::string_view EstablishedConnection::controller_state() const {
  return core_.context.sink == nullptr ? std::string_view() : controller_->snapshot().state;
}

void EstablishedConnection::trace_controller(Instant now, std::string_view before) const {
  if (core_.context.sink == nullptr) [[likely]]
    return;
  const ControllerSnapshot after = controller_->snapshot();
  if (after.state != before) core_.trace(now, trace::CongestionStateChanged{after.controller, after.state});
}

void EstablishedConnection::add_statistics(ConnectionStatistics& result) const {
  const RecoveryStatistics& recovery = recovery_.statistics();
  result.packets_retransmitted = recovery.packets_retransmitted;
  result.packets_lost = recovery.packets_lost;
  result.losses_spurious = recovery.packets_spuriously_lost;
  result.packets_abandoned = recovery.packets_abandoned;
  result.tail_probes = recovery.probes;
  result.timeouts = recovery.timeouts;
  result.acks_unknown = recovery.misbehaving_acks;
  const AckStatistics acks = acks_.statistics();
  result.acks_repeated = acks.acks_repeated;
  result.acks_sent = acks.acks_taken - acks.acks_repeated;
  const RttEstimator& rtt = recovery_.rtt();
  result.latest_round_trip = rtt.latest();
  result.smoothed_round_trip = rtt.smoothed();
  result.minimum_round_trip = rtt.minimum();
  result.round_trip_variance = rtt.variance();
  result.bytes_in_flight = recovery_.bytes_in_flight();
  const ControllerSnapshot snapshot = controller_->snapshot();
  result.window_bytes = snapshot.window_bytes;
  result.datagram_bytes = datagram_bytes();
  if (const PathSize* const size = known_size()) static_cast<PathMtuCounters&>(result) = size->mtu.counters();
  result.pacing_rate = pacer_.rate();
  result.congestion = snapshot.controller;
  result.congestion_state = snapshot.state;
  result.cipher = cipher_name(session_.sealer().cipher_kind());
  result.key_packets_sealed = session_.sealer().packets_sealed();
  result.form = session_form_name(session_.form());
  result.fallback = fallback_reason_name(session_.fallback());
  if (const ExtendedKeys* keys = session_.extended()) result.key_updates = keys->updates();
  result.ecn = ecn_state_name(ecn_ == nullptr ? EcnPath::State::kUntested : ecn_->state());
  if (ecn_ != nullptr) {
    result.ecn_marks_received = ecn_->received().value_or(EcnCounts{}).ce;
    result.ecn_marks_reported = ecn_->reported_marks();
  }
  const bool searches = roaming_ != nullptr && roaming_->search;
  result.path = path_reason_name(searches ? roaming_->search->state().reason() : PathReason::kDirect);
  if (roaming_ != nullptr) static_cast<PathCounters&>(result) = roaming_->counted;
}

}  // namespace godwit
