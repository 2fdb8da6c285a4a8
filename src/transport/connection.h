// One peer: a handshake, then an established session, then nothing. Pure: no I/O, no clock, no thread. Owned by
// Endpoint, which routes batches to it and drives its timers. A thin shell: it holds the state, decides the transitions
// between states and counts them; a handshake (handshake.h) or a session (established_connection.h) does the work.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/datagram_batch.h"
#include "handshake/handshake.h"
#include "transport/connection_core.h"
#include "transport/established_connection.h"
#include "transport/statistics.h"
#include "transport/transmit_buffer.h"

namespace godwit {

class Connection final {
 public:
  // Begins with a handshake of either role.
  Connection(const ConnectionContext& context, ConnectionId id, const SocketAddress& remote, Handshake handshake);
  // Begins established: a pending handshake has proved itself and takes over the route.
  Connection(Instant now, const ConnectionContext& context, ConnectionId id, const SocketAddress& remote,
             Session session, std::vector<std::vector<std::uint8_t>> handshake_tail);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- Inputs. After each, drain the outputs before the next. ---
  // Datagrams that are symmetric by wire::classify(), all of them. `later`: an established session makes its accounts
  // in settle().
  void receive(Instant now, const DatagramBatch& batch, bool later = false);
  void settle(Instant now);
  // An intro that the endpoint has opened, for a connection that is still shaking hands.
  // True when it was of use.
  [[nodiscard]] bool receive_intro(Instant now, const IntroSeen& intro);
  // A repeat of the intro that the handshake answers; costs no decryption.
  void receive_handshake_datagram(Instant now, MutableBytes datagram);
  // The packet that confirmed the pending handshake from which this connection began.
  void process_first(Instant now, const HandshakeStep& step, ByteView datagram);
  // One symmetric datagram while another key may be its owner's: opens a copy first. False, with the datagram intact
  // and nothing counted, when it does not authenticate here.
  [[nodiscard]] bool receive_if_authentic(Instant now, MutableBytes datagram, Ecn ecn);
  // One symmetric datagram from another address than remote(), which names this connection by its tag. False, with the
  // datagram intact, when it does not authenticate here.
  [[nodiscard]] bool receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram, Ecn ecn);
  // The peer has answered from there: the endpoint decides, and calls move_to().
  [[nodiscard]] std::optional<PathAddress> take_move();
  // Endpoint::know_paths() and path_state(), for a session of the extended form.
  void search_paths(Instant now, const PeerPaths& paths, Instant known_since);
  [[nodiscard]] std::optional<PathState> path_state() const;
  void note_ports(const PortHabit& own, const PortHabit& peers);
  // Endpoint::ports_in_use().
  void add_local_ports(std::vector<std::uint16_t>& ports) const;
  // Of the session; null where there is none.
  [[nodiscard]] PortSearch* port_search();
  void on_refused_elsewhere(const SocketAddress& remote);
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
  [[nodiscard]] Status append(MessageId stream, ByteView bytes) { return core_.queue.append(stream, bytes); }
  bool finish(MessageId stream) { return core_.queue.finish(stream); }
  [[nodiscard]] std::uint32_t stream_id(MessageId message) const;
  // Sends a ping as soon as possible; PingAnswered follows its answer.
  [[nodiscard]] Status ping();
  // What the kernel or ICMP said about datagrams to this peer: named if the handshake gets no answer; of a session it
  // only asks the peer.
  void on_path_problem(Instant now, PathProblem problem);
  // Pings at once, and reports Suspect when nothing answers within `patience` (KeepAlive::expect_answer).
  void expect_answer(Instant now, Duration patience);
  bool keep_stream_alive(Instant now, std::uint32_t stream_id);
  bool stop_receiving(std::uint32_t stream_id, std::uint64_t code = 0);
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
  // Caps the pacing rate: the share of the endpoint's rate, unlimited where it has no limit.
  void set_rate_cap(Instant now, Bandwidth cap);

  // --- Outputs ---
  // One batch: equal datagrams and perhaps a shorter last one. Nothing when nothing may be sent now.
  [[nodiscard]] std::optional<DatagramBatch> poll_transmit(Instant now, TransmitBuffer& buffer);
  // Endpoint's function of this name.
  [[nodiscard]] std::optional<DatagramBatch> poll_reply(Instant now, TransmitBuffer& buffer);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // --- State ---
  [[nodiscard]] ConnectionId id() const { return core_.id; }
  [[nodiscard]] const SocketAddress& remote() const { return core_.remote; }
  [[nodiscard]] bool is_handshaking() const { return handshake() != nullptr; }
  [[nodiscard]] bool is_established() const { return established() != nullptr; }
  // Null unless the connection is shaking hands.
  [[nodiscard]] const Handshake* handshake() const { return held<Handshake>(); }
  // Null unless it is established.
  [[nodiscard]] const EstablishedConnection* established() const { return held<EstablishedConnection>(); }
  [[nodiscard]] const Session* session() const;
  // Whether a packet newer than all before it has been authenticated by the latest input: only then may what belongs
  // to the path change, so that neither forged nor delayed datagrams move it.
  [[nodiscard]] bool received_newer_packet() const {
    return established() != nullptr && established()->received_newer_packet();
  }
  // Time since the last authentic packet that was no duplicate. Requires an established session.
  [[nodiscard]] Duration silent_for(Instant now) const { return established()->keepalive().silent_for(now); }
  // How long the oldest ping has waited for an answer; zero when none waits.
  [[nodiscard]] Duration unanswered_for(Instant now) const;
  // How long the session is given to answer a ping before it is taken for one that its peer has forgotten. Requires an
  // established session.
  [[nodiscard]] Duration patience() const { return established()->patience(); }
  // KeepAlive's, of an established session.
  [[nodiscard]] std::uint32_t pings_sent() const { return established()->keepalive().pings_sent(); }
  [[nodiscard]] bool answered_after(std::uint32_t pings) const {
    return established()->keepalive().answered_after(pings);
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
  [[nodiscard]] std::uint64_t bytes_received() const { return core_.counted.bytes_received; }
  [[nodiscard]] const SendQueue& send_queue() const { return core_.queue; }

 private:
  // What is left of a session that nobody answered.
  struct Unanswered {
    bool told_authenticated = false;  // its Connected event said so
  };
  // Tells the peer once, then is finished; Endpoint repeats it (closing_sessions.h).
  struct Ended {
    std::vector<std::uint8_t> close_packet;                      // sealed; empty when there is none
    bool told = true;                                            // it has been handed out, or there is none
    std::unique_ptr<Session> session = nullptr;                  // to know the answer by; null when none is waited for
    std::unique_ptr<ConnectionStatistics> statistics = nullptr;  // of a session, at its end
  };
  using State =
      std::variant<std::unique_ptr<Handshake>, std::unique_ptr<EstablishedConnection>, std::unique_ptr<Ended>>;

  // The part of that state, null in another one.
  template <typename T>
  [[nodiscard]] T* held() const {
    const auto* part = std::get_if<std::unique_ptr<T>>(&state_);
    return part == nullptr ? nullptr : part->get();
  }
  [[nodiscard]] Handshake* shaking_hands() { return held<Handshake>(); }
  [[nodiscard]] EstablishedConnection* established() { return held<EstablishedConnection>(); }
  [[nodiscard]] Ended* ended() const { return held<Ended>(); }
  // The one place where the state changes; what the endpoint counts of it is counted here. `reason` is that of the end.
  void enter(State next, CloseReason reason = CloseReason::kLocal);
  void establish(Instant now, Session session, std::vector<std::vector<std::uint8_t>> handshake_tail);
  // Runs `use` on the session and ends the connection if the session asks for it. What `use` returns; false without a
  // session.
  template <typename Use>
  bool with_session(Instant now, Use use);
  void end_if_asked(Instant now);
  // Silence, in the words `text`, with what the kernel or ICMP says of the path.
  [[nodiscard]] std::string with_path_problem(std::string text) const;
  // Keys of the extended form are never used again.
  void record_key_usage(const Session& session) const;
  [[nodiscard]] bool start_over(Instant now, EstablishedConnection& session);
  void apply_step(Instant now, const HandshakeStep& step, ByteView datagram);
  void end(Instant now, CloseReason reason, std::string_view text, Telling telling, std::uint64_t code = 0);
  void report_failures(Instant now);

  ConnectionCore core_;
  State state_;                           // null only until the constructor has entered the first one
  std::optional<Unanswered> unanswered_;  // while start_over() shakes hands again
  bool refused_ = false;                  // Config::filter does not admit the peer: the application hears nothing of it
  PathProblem path_problem_ = PathProblem::kNone;
  Instant path_problem_at_{};
};

// Datagrams that a finished handshake still has to send, before its session is taken.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> drain_datagrams(Instant now, Handshake& handshake);

}  // namespace godwit
