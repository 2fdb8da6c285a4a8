// The established state of a connection: one session with its streams, recovery, congestion control, acknowledgements
// and keep-alive. Parts decide and return outcomes; only this class applies them and emits events. Owned by Connection,
// which asks after each input whether the session has ended (ending()).
//
//   IN    receive()       -> open -> decode -> duplicate check -> acknowledgements -> streams / control -> events
//   OUT   poll_transmit() -> what goes next -> encode into the batch -> recovery -> seal the batch
//   TIME  next_timeout()  -> handle_timeout(): one look at every part's deadline
//
// established_connection.cc holds its life, timers and rates, established_receive.cc the way in, established_send.cc
// the way out, established_acks.cc acknowledgements by packet number, established_liveness.cc, established_paths.cc,
// established_mtu.cc and established_flow.cc what their names say.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/datagram_batch.h"
#include "congestion/controller.h"
#include "handshake/session.h"
#include "recovery/ack_tracker.h"
#include "recovery/pacer.h"
#include "recovery/recovery.h"
#include "stream/recv_streams.h"
#include "stream/stream_sink.h"
#include "transport/connection_core.h"
#include "transport/ecn_path.h"
#include "transport/keepalive.h"
#include "transport/path_mtu.h"
#include "transport/path_search.h"
#include "transport/path_validation.h"
#include "transport/ping_pair.h"
#include "transport/transmit_buffer.h"
#include "wire/control_frame.h"
#include "wire/message_codec.h"

namespace godwit {

class BatchWriter;

// Whether the peer is told that a connection has ended.
enum class Telling : std::uint8_t {
  kNothing,
  kAnswer,  // once: the peer has closed, and is to know that it was heard
  kClose    // until the peer answers
};

class EstablishedConnection final : private StreamSink {
 public:
  // `core` outlives it. `handshake_tail`: sealed datagrams that the handshake still has to send; they go first.
  EstablishedConnection(Instant now, ConnectionCore& core, Session session,
                        std::vector<std::vector<std::uint8_t>> handshake_tail);
  ~EstablishedConnection() override;
  EstablishedConnection(const EstablishedConnection&) = delete;
  EstablishedConnection& operator=(const EstablishedConnection&) = delete;

  // --- Inputs. After each, ask for ending() and drain the outputs before the next. ---
  // Datagrams of `batch` from number `first` on; the others were the handshake's. `later`: recovery and congestion
  // control hear of the acknowledgements when settle() is called, which comes before every other input but a send.
  void receive(Instant now, const DatagramBatch& batch, std::size_t first = 0, bool later = false);
  void settle(Instant now);
  // The packet with which the handshake has ended; `plaintext` may be empty.
  void process_first(Instant now, bool confirmed_by_ack, MutableBytes plaintext, ByteView datagram);
  // Connection's functions of these names.
  [[nodiscard]] bool receive_if_authentic(Instant now, MutableBytes datagram, Ecn ecn);
  [[nodiscard]] bool receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram, Ecn ecn);
  [[nodiscard]] std::optional<PathAddress> take_move();
  void move_to(Instant now, const SocketAddress& remote);
  void search_paths(Instant now, const PeerPaths& paths, Instant known_since);
  [[nodiscard]] std::optional<PathState> path_state() const;
  // What is known of the translations, for the search and for the peer.
  void note_ports(const PortHabit& own, const PortHabit& peers);
  void add_local_ports(std::vector<std::uint16_t>& ports) const {
    if (roaming_ && roaming_->search) roaming_->search->add_local_ports(ports);
  }
  // The search for ports; null where there is none.
  [[nodiscard]] PortSearch* port_search() { return roaming_ && roaming_->search ? roaming_->search->ports() : nullptr; }
  void on_refused_elsewhere(const SocketAddress& remote) {
    if (roaming_ && roaming_->search) roaming_->search->on_refused(remote);
  }
  void hold_data(Instant now);
  void handle_timeout(Instant now);
  void ping() { ping_due_ = true; }
  void expect_answer(Instant now, Duration patience) { keepalive_.expect_answer(now, patience); }
  bool keep_stream_alive(Instant now, std::uint32_t stream_id) { return streams_ && streams_->touch(now, stream_id); }
  bool stop_receiving(std::uint32_t stream_id, std::uint64_t code) {
    return streams_ && streams_->refuse(stream_id, code);
  }
  void consume(std::uint32_t stream_id, std::uint64_t bytes) {
    if (streams_) streams_->consume(stream_id, bytes);
  }
  bool set_paused(std::uint32_t stream_id, bool paused) { return streams_ && streams_->set_paused(stream_id, paused); }
  void set_congestion(Instant now, CongestionKind kind);
  // After ConnectionCore::rate_limit or rate_cap has changed.
  void update_rate(Instant now);
  void report_failures(Instant now) { core_.report_failures(now, &recovery_); }

  // --- The end ---
  // Why the session has to end; nothing happens in it any more. Null while it goes on.
  struct Ending {
    CloseReason reason;
    std::string text;
    Telling telling;
    std::uint64_t code = 0;
    bool never_answered = false;  // the peer acknowledged the handshake, and then stayed silent
  };
  [[nodiscard]] const Ending* ending() const { return ending_.get(); }
  [[nodiscard]] std::unique_ptr<Ending> take_ending() { return std::move(ending_); }
  // A sealed datagram that tells the peer of the end; empty when the key is used up. `code` is the application's.
  [[nodiscard]] std::vector<std::uint8_t> seal_close_packet(std::string_view text, std::uint64_t code);
  // Reports the inbound streams as ended. Events in the queue may show what they have stored, which lives as long.
  void end_streams();
  [[nodiscard]] Session take_session() { return std::move(session_); }

  // --- Outputs ---
  [[nodiscard]] std::optional<DatagramBatch> poll_transmit(Instant now, TransmitBuffer& buffer);
  // A batch that begins with a short message, before settle(); nothing where it needs what settle() changes.
  [[nodiscard]] std::optional<DatagramBatch> poll_reply(Instant now, TransmitBuffer& buffer);
  [[nodiscard]] Instant next_timeout() const;

  // --- State ---
  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] const Recovery& recovery() const { return recovery_; }
  [[nodiscard]] const KeepAlive& keepalive() const { return keepalive_; }
  // Null until the first fragment has come.
  [[nodiscard]] const RecvStreams* streams() const { return streams_.get(); }
  [[nodiscard]] bool received_newer_packet() const { return newer_packet_; }
  [[nodiscard]] Duration patience() const;
  [[nodiscard]] Bandwidth demand();
  // Adds what the session knows.
  void add_statistics(ConnectionStatistics& result) const;

 private:
  static constexpr std::size_t kMaxPendingPongs = 8;

  // Of the extended form: the path's datagram size. From the first burst of data or the first probe of the peer on.
  struct PathSize {
    static constexpr std::size_t kMostAnswers = 4;
    explicit PathSize(std::uint16_t limit) : mtu(limit) {}
    PathMtu mtu;
    std::array<std::uint64_t, kMostAnswers> answers{};  // to probes of the peer, of which the first answer_count wait
    std::size_t answer_count = 0;
    bool searching = false;
  };
  // Of the extended form: addresses that the peer may have moved to, and what the path carries. Idle sessions have
  // none.
  struct Roaming {
    std::unique_ptr<PathSize> size;
    PathValidation validation;
    std::optional<PathAddress> arrived_from;  // while a packet from elsewhere is processed
    std::optional<PathAddress> move_to;
    std::array<std::uint64_t, kMaxPendingPongs> responses{};  // of which the first response_count wait
    std::size_t response_count = 0;
    std::vector<PathValidation::Challenge> replies;  // to challenges from elsewhere; at most kMaxPendingPongs
    std::unique_ptr<PathSearch> search;              // null: the session stays where it is
    std::optional<std::uint64_t> note;               // for the peer
    bool said_why = false;                           // that there is no direct way
    PathCounters counted;
  };
  // Data that waits for a sign of life: hold_data().
  struct Hold {
    Instant until;
    Instant since;
    Instant ping_at;
    std::uint32_t pings_before = 0;
  };
  // Of Offers of the peer, which few peers make (wire spec 4.8).
  struct Decline {
    std::optional<std::uint32_t> attempt;  // to be declined
    std::optional<Instant> last;
  };
  struct Arrival {  // one opened datagram
    ByteView datagram;
    Session::Opened opened;
    Ecn ecn = Ecn::kNone;

    [[nodiscard]] ByteView plaintext() const { return opened.plaintext; }
    [[nodiscard]] std::size_t bytes() const { return datagram.size(); }
  };

  // established_connection.cc
  // The first reason counts.
  void end(CloseReason reason, std::string text, Telling telling, std::uint64_t code = 0);
  // Packets under a former key of the extended form may be on their way for so long. Call it after inputs.
  void expire_former_key(Instant now) {
    if (session_.extended() == nullptr) return;
    constexpr int kProbeTimeouts = 3;
    session_.on_time(now, recovery_.rtt().probe_timeout() * kProbeTimeouts);
  }
  void apply_timeout(Instant now);
  void apply_congestion_event(Instant now, const CongestionEvent& event, const LossOutcome& losses, bool timed_out);
  void trace_acknowledged(Instant now, const AckOutcome& outcome) const;
  // The state of the congestion controller, for trace_controller() after it may have changed; empty without a sink.
  [[nodiscard]] std::string_view controller_state() const;
  void trace_controller(Instant now, std::string_view before) const;

  // established_receive.cc
  // Before the datagrams of an input are looked at, and after them.
  void begin_input() { newer_packet_ = false; }
  void finish_input(Instant now, bool later = false);
  // Counts it, and tells the sink.
  void record_received(Instant now, const Arrival& arrival, std::uint32_t id, trace::PacketKind kind);
  void receive_one(Instant now, MutableBytes datagram, Ecn ecn);
  // Opens the datagrams together; requires one inbound key.
  void receive_batch(Instant now, const DatagramBatch& batch, std::size_t first);
  void receive_opened(Instant now, const Arrival& arrival) {
    if (!process_fragment(now, arrival)) process(now, arrival);
    note_number(now, arrival);
  }
  // All frames of the packet have been processed.
  void note_number(Instant now, const Arrival& arrival) {
    if (!acks_.by_number()) return;
    acks_.end_packet(now, session_.number_of(arrival.datagram));
    if (arrival.ecn != Ecn::kNone) [[unlikely]]
      note_mark(arrival.ecn);
  }
  void process(Instant now, const Arrival& arrival);
  void process_frames(Instant now, const Arrival& arrival, ByteView rest);
  void note_ordinary(Instant now, const Arrival& arrival, std::uint32_t id);
  [[nodiscard]] RecvStreams& inbound_streams() {
    if (streams_ == nullptr) [[unlikely]] {
      make_inbound_streams();
    }
    return *streams_;
  }
  [[nodiscard]] bool process_fragment(Instant now, const Arrival& arrival);
  void process_packet(Instant now, const Arrival& arrival, const wire::Packet& packet);
  void process_pong(Instant now, const Arrival& arrival, std::uint32_t id, const wire::Pong& pong);
  void process_tracked(Instant now, const Arrival& arrival, const wire::Packet& packet);
  void apply_fragment_outcome(Instant now, const FragmentOutcome& outcome, std::uint32_t packet_id, std::size_t bytes);
  void process_success_ack(Instant now, const Arrival& arrival, const wire::AckOk& ack);
  void process_acks(Instant now, const wire::AckList& acks);
  void apply_acknowledgements(Instant now);
  void on_chunk(const InboundChunk& chunk) override;
  void on_run(const InboundRun& run) override;
  void on_message(InboundMessage&& message) override;
  void on_metadata(std::uint32_t stream_id, ByteView metadata) override;
  void on_failure(const InboundFailure& failure) override;

  // established_send.cc
  [[nodiscard]] std::optional<DatagramBatch> write_batch(Instant now, TransmitBuffer& buffer);
  // The latest datagram of `batch`, which held `before` bytes without it; nothing where the key was used up.
  void record_sent(Instant now, const BatchWriter& batch, std::size_t before, std::uint32_t id, trace::PacketKind kind,
                   bool retransmission = false) const;
  // Its sequence.
  std::uint64_t write_ping(Instant now, BatchWriter& batch);
  void write_control(Instant now, BatchWriter& batch);
  void write_acks(Instant now, BatchWriter& batch);
  // A packet of acknowledgements alone, of either form; `id` by which a trace names it.
  void append_acks(Instant now, BatchWriter& batch, ByteView plaintext, std::uint32_t id);
  void write_retransmissions(Instant now, BatchWriter& batch);
  void write_data(Instant now, BatchWriter& batch);
  [[nodiscard]] std::size_t write_messages(Instant now, BatchWriter& batch, std::uint64_t most, std::uint32_t& room);
  [[nodiscard]] bool write_item(Instant now, BatchWriter& batch, const SendItem& item, std::uint32_t packet_id);
  [[nodiscard]] std::uint32_t untracked_id();
  void release_memory_if_idle(Instant now);
  [[nodiscard]] bool key_exhausted(Instant now);

  // established_runs.cc
  [[nodiscard]] std::uint32_t write_run(Instant now, BatchWriter& batch, const SendItem& first, std::uint64_t most);
  // Whether its bytes need not be copied into the batch.
  [[nodiscard]] bool payload_stays(const SendItem& item, const BatchWriter& batch);
  [[nodiscard]] std::size_t receive_run(Instant now, const DatagramBatch& batch, std::size_t first,
                                        std::span<const PacketToOpen> packets);

  // established_liveness.cc
  void watch_for_silence(Instant now);
  void release_if_alive(Instant now);

  // established_paths.cc
  // From the first packet from elsewhere, or the first frame about paths, on.
  [[nodiscard]] Roaming& roaming() {
    if (roaming_ == nullptr) roaming_ = std::make_unique<Roaming>();
    return *roaming_;
  }
  // Bytes of the control frame at the start of `plaintext`; 0 when there is none.
  [[nodiscard]] std::size_t process_control_frame(Instant now, ByteView plaintext);
  void write_path_responses(Instant now, BatchWriter& batch) const;
  [[nodiscard]] bool process_path_response(Instant now, std::uint64_t data);
  [[nodiscard]] std::optional<DatagramBatch> poll_path_challenge(Instant now, TransmitBuffer& buffer);
  [[nodiscard]] std::optional<DatagramBatch> write_opener(const PathAddress& path, TransmitBuffer& buffer);
  [[nodiscard]] std::optional<DatagramBatch> seal_path_frame(Instant now, const wire::ControlFrame& frame,
                                                             const PathAddress& path, TransmitBuffer& buffer);
  // Whether the peer owes a sign of life.
  [[nodiscard]] bool waits_for_peer() const {
    return recovery_.outstanding() || keepalive_.unanswered_for(Instant::max()) > Duration::zero();
  }
  [[nodiscard]] Duration path_patience() const;
  void tend_search(Instant now);

  // established_acks.cc
  void begin_acknowledgements();
  // The tracked frames that follow stand in the next packet of the batch.
  void begin_packet(const BatchWriter& batch);
  void leave_number_out();
  // Where an acknowledgement frame of the extended form stands at the start of `plaintext`, its size; else 0.
  [[nodiscard]] std::size_t process_ack_frame(Instant now, const Arrival& arrival, ByteView plaintext);
  // Takes what waits to be acknowledged. Returns the size of the frame, 0 if there is nothing to tell.
  [[nodiscard]] std::size_t take_ack_frame(Instant now, MutableBytes out);
  void write_ack_frame(Instant now, BatchWriter& batch);
  // Bytes of the frame that take_ack_frame() would write now.
  [[nodiscard]] std::size_t next_ack_frame_size() const;

  // established_ecn.cc
  [[nodiscard]] bool uses_ecn() const { return acks_.by_number() && session_.has(wire::capability::kEcn); }
  void note_mark(Ecn ecn);
  // The mark of a batch that has been sealed, the first packet of it with number `first`.
  [[nodiscard]] Ecn mark_batch(const BatchWriter& batch, std::uint64_t first);

  // established_mtu.cc
  [[nodiscard]] PathSize& path_size();
  // Null while nothing has been asked about the size.
  [[nodiscard]] PathSize* known_size() const { return roaming_ == nullptr ? nullptr : roaming_->size.get(); }
  // Bytes of the largest datagram for data on this path.
  [[nodiscard]] std::size_t datagram_bytes() const {
    const PathSize* const size = known_size();
    return size == nullptr ? wire::kMaxDatagram : size->mtu.size();
  }
  // The same of what may be sent just now. Sizes the queue's packets accordingly.
  [[nodiscard]] std::size_t size_packets();
  void seek_larger_datagrams();
  void process_size_frame(Instant now, const wire::ControlFrame& frame);
  void note_sizes(Instant now, std::uint32_t largest_acked_bytes, const LossOutcome& losses, bool timed_out);
  void write_size_answers(Instant now, BatchWriter& batch) const;
  [[nodiscard]] std::optional<DatagramBatch> poll_size_probe(Instant now, TransmitBuffer& buffer);
  // A datagram that only sessions with larger ones take has come where there are none.
  [[nodiscard]] bool is_too_long(ByteView datagram) const {
    return datagram.size() > wire::kMaxReceivedDatagram && !session_.has(wire::capability::kLargeDatagrams);
  }

  // established_flow.cc
  void begin_flow_control();
  void make_inbound_streams();
  [[nodiscard]] bool process_flow_frame(Instant now, const Arrival& arrival, ByteView plaintext);
  void write_flow_frames(Instant now, BatchWriter& batch);
  void on_control_acknowledged(const AckedRange& range);
  // The control message of a lost packet as it is now, under its id; 0 bytes when it does not matter any more.
  [[nodiscard]] std::size_t encode_control_again(const LostPacket& lost, MutableBytes out) const;

  ConnectionCore& core_;
  Session session_;
  AckTracker acks_;
  Recovery recovery_;
  std::unique_ptr<CongestionController> controller_;
  Pacer pacer_;
  std::unique_ptr<RecvStreams> streams_;  // from the first fragment on: inbound_streams()
  KeepAlive keepalive_;
  // Control messages that wait for the next transmission, each bounded.
  std::vector<std::vector<std::uint8_t>> handshake_tail_;  // sealed datagrams of the handshake
  std::array<std::uint64_t, kMaxPendingPongs> pongs_{};    // of which the first pong_count_ wait
  std::unique_ptr<PingPair> pair_;  // of pings that measure the way of acknowledgements; null until there is one
  std::unique_ptr<Ending> ending_;
  std::unique_ptr<Decline> decline_;    // from the first Offer on
  std::optional<Instant> paced_until_;  // the pacer holds data back until then
  std::unique_ptr<Hold> hold_;          // only control messages and acknowledgements go out
  Instant last_data_{};                 // when data went out or came in
  // Small members together: an idle connection is mostly this structure.
  std::optional<std::uint32_t> newest_id_;  // of ordinary packets of the peer
  std::uint8_t pong_count_ = 0;
  bool ping_due_ = false;
  bool completion_due_ = false;        // a completion ack answers a success ack (wire spec 4.3, 5.8)
  bool ordinary_packet_seen_ = false;  // any packet but a handshake ack, and one of these with id 0 (wire spec 5.9)
  bool ordinary_id_zero_seen_ = false;
  bool newer_packet_ = false;     // in the latest input
  bool memory_released_ = false;  // what only traffic needs has been given back since the last packet
  bool key_aging_told_ = false;
  std::unique_ptr<Roaming> roaming_;  // of the extended form: roaming()
  std::unique_ptr<EcnPath> ecn_;      // the same, from the first marked packet of either side on
};

}  // namespace godwit
