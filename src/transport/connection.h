// One peer: a handshake, then an established session, then nothing. Pure: no I/O, no clock, no thread. Owned by
// Endpoint, which routes runs to it and drives its timers. Parts (streams, recovery, congestion, receipts) decide and
// return outcomes; only the connection applies them and emits events.
//
//   IN    receive()       -> open -> decode -> duplicate filter -> receipts -> streams / control -> events
//   OUT   poll_transmit() -> what goes next -> encode into the run -> recovery -> seal the run
//   TIME  next_timeout()  -> handle_timeout(): one look at every part's deadline
//
// connection.cc holds its life, connection_receive.cc the way in, connection_send.cc the way out.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/datagram_run.h"
#include "base/random.h"
#include "congestion/controller.h"
#include "recovery/ack_tracker.h"
#include "recovery/pacer.h"
#include "recovery/recovery.h"
#include "stream/recv_streams.h"
#include "stream/send_queue.h"
#include "stream/stream_sink.h"
#include "trace/cost.h"
#include "trace/events.h"
#include "transport/config.h"
#include "transport/event.h"
#include "transport/event_queue.h"
#include "transport/handshake.h"
#include "transport/keepalive.h"
#include "transport/key_usage.h"
#include "transport/path_validation.h"
#include "transport/ping_pair.h"
#include "transport/session.h"
#include "transport/statistics.h"
#include "transport/transmit_buffer.h"
#include "wire/datagram.h"
#include "wire/message_codec.h"

namespace godwit {

// What every connection of an endpoint shares. Outlives them.
struct ConnectionContext {
  const Config& config;
  const HandshakeContext& handshake;
  KeyUsage& key_usage;
  EventQueue& events;
  EndpointStatistics& statistics;
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
  void record_handshake_sent(Instant now, ConnectionId connection, ByteView datagram) const;
  void record_handshake_received(Instant now, ConnectionId connection, ByteView datagram) const;
  // For an error acknowledgement.
  void record_close_sent(Instant now, ConnectionId connection, std::size_t bytes) const;
};

class RunWriter;

class Connection final : private StreamSink {
 public:
  // Begins with a handshake of either role.
  Connection(const ConnectionContext& context, ConnectionId id, const SocketAddress& remote, Handshake handshake);
  // Begins established: a pending handshake has proved itself and takes over the route.
  Connection(Instant now, const ConnectionContext& context, ConnectionId id, const SocketAddress& remote,
             Session session, std::vector<std::vector<std::uint8_t>> handshake_tail);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- Inputs. After each, drain the outputs before the next. ---
  // Datagrams that are symmetric by wire::classify(), all of them.
  void receive(Instant now, const DatagramRun& batch);
  // An intro that the endpoint has opened, for a connection that is still shaking hands.
  // True when it was of use.
  [[nodiscard]] bool receive_intro(Instant now, const IntroSeen& intro);
  // A repeat of the intro that the handshake answers; costs no decryption.
  void receive_handshake_datagram(Instant now, MutableBytes datagram);
  // The packet that confirmed the pending handshake from which this connection began.
  void process_first(Instant now, const HandshakeStep& step, ByteView datagram);
  // One symmetric datagram while another key may be its owner's: opens a copy first. False, with the datagram intact
  // and nothing counted, when it does not authenticate here.
  [[nodiscard]] bool receive_if_authentic(Instant now, MutableBytes datagram);
  // One symmetric datagram from another address than remote(), which names this connection by its tag. False, with the
  // datagram intact, when it does not authenticate here.
  [[nodiscard]] bool receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram);
  // The peer has answered from there: the endpoint decides, and calls move_to().
  [[nodiscard]] std::optional<PathAddress> take_move();
  void move_to(Instant now, const SocketAddress& remote);
  // A handshake runs beside this session, or may: its peer may have restarted, and could not open what is sent here.
  // Holds data back and asks with pings, for as long as such a handshake may take, or until the session shows that it
  // lives: by the answer to a ping sent from now on, or by a new packet that comes too late to have been overtaken.
  void hold_data(Instant now);
  void handle_timeout(Instant now);
  [[nodiscard]] Result<MessageId> send(Instant now, Body&& body, SendOptions options);
  bool extend_send_limit(MessageId message, std::uint64_t limit_bytes);
  bool cancel(Instant now, MessageId message, std::uint64_t code = 0);
  // SendQueue's, of an established connection.
  [[nodiscard]] Result<MessageId> open_stream(Instant now, const SendOptions& options);
  [[nodiscard]] Status append(MessageId stream, ByteView bytes) { return queue_.append(stream, bytes); }
  bool finish(MessageId stream) { return queue_.finish(stream); }
  [[nodiscard]] std::uint32_t stream_id(MessageId message) const;
  // Sends a ping as soon as possible; PingAnswered follows its answer.
  [[nodiscard]] Status ping(Instant now);
  // What the kernel or ICMP said about datagrams to this peer: named if the handshake gets no answer; of a session it
  // only asks the peer.
  void on_path_problem(Instant now, PathProblem problem);
  // Pings at once, and reports Suspect when nothing answers within `patience` (KeepAlive::expect_answer).
  void expect_answer(Instant now, Duration patience);
  bool touch_stream(Instant now, std::uint32_t stream_id);
  bool refuse_stream(std::uint32_t stream_id, std::uint64_t code = 0);
  // RecvStreams': no effect without flow control.
  void consume(std::uint32_t stream_id, std::uint64_t bytes);
  bool set_paused(std::uint32_t stream_id, bool paused);
  // Ends the connection. When established the peer is told: one more datagram comes out of poll_transmit().
  // `code` is the application's; a peer of the deployed form does not learn it.
  void close(Instant now, CloseReason reason, std::string_view text, std::uint64_t code = 0);
  // The same without a word to the peer.
  void abandon(Instant now, CloseReason reason);
  void set_congestion(Instant now, CongestionKind kind);
  // Application bits per second; absent: no limit. Begins as Config::connection_rate_limit.
  void set_rate_limit(Instant now, std::optional<Bandwidth> limit);
  // Caps the pacing rate; absent: no cap. The endpoint's shared budget.
  void set_rate_cap(Instant now, std::optional<Bandwidth> cap);

  // --- Outputs ---
  // One run: equal datagrams and perhaps a shorter last one. Nothing when nothing may be sent now.
  [[nodiscard]] std::optional<DatagramRun> poll_transmit(Instant now, TransmitBuffer& buffer);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // --- State ---
  [[nodiscard]] ConnectionId id() const { return id_; }
  [[nodiscard]] const SocketAddress& remote() const { return remote_; }
  [[nodiscard]] bool is_handshaking() const { return handshake() != nullptr; }
  [[nodiscard]] bool is_established() const { return std::holds_alternative<std::unique_ptr<Established>>(state_); }
  // Null unless the connection is shaking hands (established: has a session).
  [[nodiscard]] const Handshake* handshake() const {
    const auto* held = std::get_if<std::unique_ptr<Handshake>>(&state_);
    return held == nullptr ? nullptr : held->get();
  }
  [[nodiscard]] const Session* session() const;
  // Whether a packet newer than all before it has been authenticated by the latest input: only then may what belongs
  // to the path change, so that neither forged nor delayed datagrams move it.
  [[nodiscard]] bool received_newer_packet() const {
    const Established* session = established();
    return session != nullptr && session->newer_packet;
  }
  // Time since the last authentic packet that was no duplicate. Requires an established session.
  [[nodiscard]] Duration silent_for(Instant now) const { return established()->keepalive.silent_for(now); }
  // How long the oldest ping has waited for an answer; zero when none waits.
  [[nodiscard]] Duration unanswered_for(Instant now) const;
  // How long the session is given to answer a ping before it is taken for one that its peer has forgotten. Requires an
  // established session.
  [[nodiscard]] Duration patience() const;
  // KeepAlive's, of an established session.
  [[nodiscard]] std::uint32_t pings_sent() const { return established()->keepalive.pings_sent(); }
  [[nodiscard]] bool answered_after(std::uint32_t pings) const {
    return established()->keepalive.answered_after(pings);
  }
  // Suspect now, as the event says.
  [[nodiscard]] bool is_suspect() const;
  // The latest since the peer was last heard of.
  [[nodiscard]] PathProblem path_problem() const;
  // Closed, and its last datagram has been handed out.
  [[nodiscard]] bool is_finished() const;
  // Of a finished connection, once: the close packet, and the session in which an answer to it is authentic. Nothing
  // when no answer is waited for.
  struct ClosePacket {
    std::vector<std::uint8_t> datagram;
    std::unique_ptr<Session> session;
  };
  [[nodiscard]] std::optional<ClosePacket> take_close_packet();
  // Rate the connection would send at if it were alone; zero while it has nothing to send.
  [[nodiscard]] Bandwidth demand();
  [[nodiscard]] ConnectionStatistics statistics() const;
  // For checkers; null before the handshake has finished and after the end.
  [[nodiscard]] const Recovery* recovery() const;
  // The inbound streams; null until the first fragment has come.
  [[nodiscard]] const RecvStreams* inbound_streams() const;
  [[nodiscard]] std::uint64_t bytes_received() const { return counted_.bytes_received; }
  [[nodiscard]] const SendQueue& send_queue() const { return queue_; }

 private:
  static constexpr std::size_t kMaxPendingPongs = 8;

  // Of the extended form: addresses that the peer may have moved to. Few sessions ever have it.
  struct Roaming {
    PathValidation validation;
    std::optional<PathAddress> arrived_from;  // while a packet from elsewhere is processed
    std::optional<PathAddress> move_to;
    std::array<std::uint64_t, kMaxPendingPongs> responses{};  // of which the first response_count wait
    std::size_t response_count = 0;
    PathCounters counted;
  };
  // Data that waits for a sign of life: hold_data().
  struct Hold {
    Instant until;
    Instant since;
    Instant ping_at;
    std::uint32_t pings_before = 0;
  };
  // Everything an established session adds.
  struct Established {
    Established(Instant now, const ConnectionContext& context, Session started);

    Session session;
    AckTracker acks;
    Recovery recovery;
    std::unique_ptr<CongestionController> controller;
    Pacer pacer;
    std::unique_ptr<RecvStreams> streams;  // from the first fragment on: inbound_streams()
    KeepAlive keepalive;
    // Control messages that wait for the next transmission, each bounded.
    std::vector<std::vector<std::uint8_t>> handshake_tail;  // sealed datagrams of the handshake
    std::array<std::uint64_t, kMaxPendingPongs> pongs{};    // of which the first pong_count wait
    std::unique_ptr<PingPair> pair;  // of pings that measure the way of acknowledgements; null until there is one
    std::optional<Instant> last_decline;
    std::optional<Instant> paced_until;  // the pacer holds data back until then
    std::unique_ptr<Hold> hold;          // only control messages and acknowledgements go out
    Instant last_data{};                 // when data went out or came in
    // Small members together: an idle connection is mostly this structure.
    std::optional<std::uint32_t> decline;    // attempt of an Offer to decline (wire spec 4.8)
    std::optional<std::uint32_t> newest_id;  // of ordinary packets of the peer
    std::uint8_t pong_count = 0;
    bool ping_due = false;
    bool completion_due = false;        // a completion ack answers a success ack (wire spec 4.3, 5.8)
    bool ordinary_packet_seen = false;  // any packet but a handshake ack, and one of these with id 0 (wire spec 5.9)
    bool ordinary_id_zero_seen = false;
    bool newer_packet = false;  // in the latest input
    bool resting = false;       // memory that only traffic needs has been given back since the last packet
    bool key_aging_told = false;
    std::unique_ptr<Roaming> roaming;  // of the extended form: roaming_of()
  };
  // What is left of a session that nobody answered.
  struct Unanswered {
    bool told_authenticated = false;  // its Connected event said so
  };
  // Tells the peer once, then is finished; Endpoint repeats it (closing_sessions.h).
  struct Closed {
    std::vector<std::uint8_t> farewell;                          // a sealed datagram; empty when there is none
    bool told = true;                                            // it has been handed out, or there is none
    std::unique_ptr<Session> session = nullptr;                  // to know the answer by; null when none is waited for
    std::unique_ptr<ConnectionStatistics> statistics = nullptr;  // of a session, at its end
  };

  using State = std::variant<std::unique_ptr<Handshake>, std::unique_ptr<Established>, std::unique_ptr<Closed>>;

  // connection.cc
  // The one place where the state changes; what the endpoint counts of it is counted here. `reason` is that of a
  // Closed.
  void enter(State next, CloseReason reason = CloseReason::kLocal);
  [[nodiscard]] Handshake* shaking_hands();
  [[nodiscard]] Closed* closed();
  [[nodiscard]] const Closed* closed() const;
  [[nodiscard]] Established* established();
  [[nodiscard]] const Established* established() const;
  void establish(Instant now, Session session, std::vector<std::vector<std::uint8_t>> handshake_tail);
  void end_streams(Established& session);
  // Silence, in the words `text`, with what the kernel or ICMP says of the path.
  [[nodiscard]] std::string with_path_problem(std::string text) const;
  // Keys of the extended form are never used again.
  void record_key_usage(const Session& session) {
    if (session.extended() == nullptr) {
      context_.key_usage.record(session.sending_key(), session.sealer().packets_sealed());
    }
  }
  // Packets under a former key of the extended form may be on their way for so long. Call it after inputs.
  static void expire_former_key(Instant now, Established& session) {
    if (session.session.extended() == nullptr) return;
    constexpr int kProbeTimeouts = 3;
    session.session.on_time(now, session.recovery.rtt().probe_timeout() * kProbeTimeouts);
  }
  [[nodiscard]] bool start_over(Instant now, Established& session);
  void apply_step(Instant now, const HandshakeStep& step, ByteView datagram);
  enum class Telling : std::uint8_t {
    kNothing,
    kAnswer,  // once: the peer has closed, and is to know that it was heard
    kClose    // until the peer answers
  };
  void end(Instant now, CloseReason reason, std::string_view text, Telling telling, std::uint64_t code = 0);
  [[nodiscard]] std::vector<std::uint8_t> seal_farewell(Established& session, std::string_view text,
                                                        std::uint64_t code);
  void apply_timeout(Instant now, Established& session);
  void watch_for_silence(Instant now, Established& session);
  void apply_congestion_event(Instant now, Established& session, const CongestionEvent& event,
                              const LossOutcome& losses, bool timed_out);
  void update_rate(Instant now, Established& session);
  template <typename T>
  void emit(T&& event) {
    context_.events.push(id_, std::forward<T>(event));
  }
  void report_failures(Instant now);
  void report_writable();

  // connection_receive.cc
  struct Arrival {  // one opened datagram
    ByteView datagram;
    Session::Opened opened;

    [[nodiscard]] ByteView plaintext() const { return opened.plaintext; }
    [[nodiscard]] std::size_t bytes() const { return datagram.size(); }
  };
  // Counts it, and tells the sink.
  void record_received(Instant now, const Arrival& arrival, std::uint32_t id, trace::PacketKind kind);
  void receive_symmetric(Instant now, MutableBytes datagram);
  // Opens the datagrams together; requires an established session with one inbound key.
  void receive_batch(Instant now, const DatagramRun& batch);
  void receive_opened(Instant now, Established& session, const Arrival& arrival) {
    if (!process_fragment(now, session, arrival)) process(now, arrival);
  }
  void process(Instant now, const Arrival& arrival);
  void process_frames(Instant now, const Arrival& arrival, ByteView rest);
  void note_ordinary(Instant now, Established& session, const Arrival& arrival, std::uint32_t id);
  [[nodiscard]] RecvStreams& inbound_streams(Established& session) {
    if (session.streams == nullptr) [[unlikely]] {
      make_inbound_streams(session);
    }
    return *session.streams;
  }
  [[nodiscard]] bool process_fragment(Instant now, Established& session, const Arrival& arrival);
  void process_packet(Instant now, Established& session, const Arrival& arrival, const wire::Packet& packet);
  void process_tracked(Instant now, Established& session, const Arrival& arrival, const wire::Packet& packet);
  void apply_fragment_outcome(Instant now, Established& session, const FragmentOutcome& outcome,
                              std::uint32_t packet_id, std::size_t bytes);
  void process_success_ack(Instant now, Established& session, const Arrival& arrival, const wire::AckOk& ack);
  void process_receipts(Instant now, Established& session, const wire::ReceiptList& receipts);
  void finish_run(Instant now);
  void apply_acknowledgements(Instant now, Established& session);
  void drop(Instant now, trace::DropReason reason, std::size_t bytes);
  void on_chunk(const InboundChunk& chunk) override;
  void on_message(InboundMessage&& message) override;
  void on_metadata(std::uint32_t stream_id, ByteView metadata) override;
  void on_failure(const InboundFailure& failure) override;

  // connection_send.cc
  [[nodiscard]] std::optional<DatagramRun> transmit_established(Instant now, Established& session,
                                                                TransmitBuffer& buffer);
  // The latest datagram of `run`, which held `before` bytes without it; nothing where the key was used up.
  void record_sent(Instant now, const RunWriter& run, std::size_t before, std::uint32_t id, trace::PacketKind kind,
                   bool retransmission = false) const;
  // Its sequence.
  std::uint64_t write_ping(Instant now, Established& session, RunWriter& run);
  // connection_paths.cc
  // From the first packet from elsewhere, or the first frame about paths, on.
  [[nodiscard]] static Roaming& roaming_of(Established& session) {
    if (session.roaming == nullptr) session.roaming = std::make_unique<Roaming>();
    return *session.roaming;
  }
  [[nodiscard]] bool process_control_frame(Instant now, Established& session, ByteView plaintext);
  void write_path_responses(Instant now, Established& session, RunWriter& run) const;
  [[nodiscard]] std::optional<DatagramRun> poll_path_challenge(Instant now, Established& session,
                                                               TransmitBuffer& buffer);
  // connection_flow.cc
  void begin_flow_control(const Established& session);
  void make_inbound_streams(Established& session);
  [[nodiscard]] bool process_flow_frame(Instant now, Established& session, const Arrival& arrival, ByteView plaintext);
  void write_flow_frames(Instant now, Established& session, RunWriter& run);
  void on_control_acknowledged(const AckedRange& range);
  // The control message of a lost packet as it is now, under its id; 0 bytes when it does not matter any more.
  [[nodiscard]] std::size_t encode_control_again(Established& session, const LostPacket& lost, MutableBytes out) const;
  // connection_send.cc, continued
  void write_control(Instant now, Established& session, RunWriter& run);
  void write_receipts(Instant now, Established& session, RunWriter& run);
  void write_retransmissions(Instant now, Established& session, RunWriter& run);
  void write_data(Instant now, Established& session, RunWriter& run);
  [[nodiscard]] std::size_t write_messages(Instant now, Established& session, RunWriter& run, std::uint64_t most,
                                           std::uint32_t& room);
  [[nodiscard]] bool write_item(Instant now, Established& session, RunWriter& run, const SendItem& item,
                                std::uint32_t packet_id);
  [[nodiscard]] std::uint32_t untracked_id(Established& session) const;
  [[nodiscard]] bool has_data(Established& session) const;
  // Before the datagrams of an input are looked at.
  void begin_input() {
    if (Established* session = established()) session->newer_packet = false;
  }
  static void release_if_alive(Instant now, Established& session);
  void rest_if_idle(Instant now, Established& session);
  [[nodiscard]] bool key_exhausted(Instant now, Established& session);

  // connection_numbers.cc
  void trace(Instant now, trace::EventData data) const;
  void trace_acknowledged(Instant now, const AckOutcome& outcome) const;
  // The state of the congestion controller, for trace_controller() after it may have changed; empty without a sink.
  [[nodiscard]] std::string_view controller_state(const Established& session) const;
  void trace_controller(Instant now, const Established& session, std::string_view before) const;

  const ConnectionContext& context_;
  ConnectionId id_;
  SocketAddress remote_;
  SendQueue queue_;                       // takes messages before the handshake has finished
  State state_;                           // null only until the constructor has entered the first one
  std::optional<Unanswered> unanswered_;  // while start_over() shakes hands again
  PathProblem path_problem_ = PathProblem::kNone;
  std::optional<Bandwidth> rate_limit_ = context_.config.connection_rate_limit;
  std::optional<Bandwidth> rate_cap_;
  ConnectionCounters counted_;
  Instant path_problem_at_{};
};

// Datagrams that a finished handshake still has to send, before its session is taken.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> drain_datagrams(Instant now, Handshake& handshake);

}  // namespace godwit
