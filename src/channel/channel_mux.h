// Channels: pairs of byte streams in opposite directions, many to a connection, over extended sessions
// (docs/channels.md). Each direction has an end of its own (half-close) and the transport's flow control. A channel
// ends well when either side has said that all bytes of the other have reached their goal. One object for all
// connections of an endpoint; no I/O, clock or thread: fed with the endpoint's events and turns by whoever owns the
// endpoint, which has open streams delivered in chunks and consumed by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "channel/channel_codec.h"
#include "transport/endpoint.h"

namespace godwit {

// Never 0, never reused while the process lives.
using ChannelId = std::uint64_t;

// Somebody has opened a channel: to be answered with accept() or refuse(), at once or later. Its bytes come meanwhile.
struct ChannelRequest {
  ChannelId channel = 0;
  ConnectionId connection = 0;
  ChannelKind kind = ChannelKind::kPipe;
  std::string_view text;  // valid during the call
};

// How a channel ended.
struct ChannelEnd {
  bool complete = false;  // all bytes of both directions have reached their goals
  ChannelCode code = ChannelCode::kNone;
  std::string text;  // for a person, when not complete
};

struct ChannelStatistics {
  std::uint64_t opened = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;           // here
  std::uint64_t completed = 0;         // both sides have everything
  std::uint64_t failed = 0;            // neither completed nor refused here
  std::uint64_t foreign_streams = 0;   // that do not begin as a channel's
  std::uint64_t ignored_messages = 0;  // control messages that are cut, unknown, or name nothing that is known
};

class ChannelMux {
 public:
  // Called from on_event() and on_turn(); may call the mux.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void on_channel(Instant now, const ChannelRequest& request) = 0;
    // A channel of this side's has been accepted.
    virtual void on_accepted(Instant now, ChannelId channel) = 0;
    // The next bytes. To be kept, and consume()d when they have been passed on.
    virtual void on_bytes(Instant now, ChannelId channel, ByteView bytes) = 0;
    // No more will come; delivered() is due when all have been passed on.
    virtual void on_end(Instant now, ChannelId channel) = 0;
    // The last word about a channel; not called for refuse() and reset().
    virtual void on_channel_closed(Instant now, ChannelId channel, const ChannelEnd& end) = 0;
    // An append() that was refused may be tried again.
    virtual void on_writable(Instant now, ConnectionId connection) = 0;
    // Listening for the other side; `text` is valid during the calls.
    virtual void on_listen_request(Instant now, ConnectionId connection, const ListenRequest& request) = 0;
    virtual void on_listen_answer(Instant now, ConnectionId connection, const ListenAnswer& answer) = 0;
  };

  // At most `max_channels` are open at a time. All outlive the mux.
  ChannelMux(Endpoint& endpoint, Observer& observer, std::size_t max_channels)
      : endpoint_(endpoint), observer_(observer), max_channels_(max_channels) {}

  // --- Inputs ---
  // True when the event was about channels alone.
  bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const {
    return unanswered_.empty() ? std::nullopt : std::optional(unanswered_.begin()->first);
  }
  // A channel that the other side neither accepts nor refuses for so long has failed: that side serves something else.
  static constexpr Duration kAnswerPatience = 12s;

  // Opens one; bytes may follow at once. Errors: kNotFound without such a connection, kTooLarge for too many channels,
  // kUnsupported where the peer has no streams of unknown length, kWouldBlock (a later call may succeed).
  [[nodiscard]] Result<ChannelId> open(Instant now, ConnectionId connection, ChannelKind kind, std::string_view text);
  // False when the channel has ended; then on_channel_closed() has been called.
  bool accept(Instant now, ChannelId channel);
  void refuse(Instant now, ChannelId channel, ChannelCode code, std::string_view text = {});
  // Copies the bytes. Errors: kWouldBlock (on_writable() follows), kNotFound.
  [[nodiscard]] Status append(ChannelId channel, ByteView bytes);
  // Nothing more will be appended.
  void finish(ChannelId channel);
  // So many of the bytes of on_bytes() have been passed on: the other side may send as many more.
  void consume(ChannelId channel, std::uint64_t bytes);
  // After on_end(): all of them have been.
  void delivered(Instant now, ChannelId channel);
  // Ends a channel in both directions; the other side gets the code. on_channel_closed() does not follow.
  void reset(Instant now, ChannelId channel, ChannelCode code);
  void send_listen_request(Instant now, ConnectionId connection, const ListenRequest& request);
  void send_listen_answer(Instant now, ConnectionId connection, const ListenAnswer& answer);

  // --- Numbers ---
  [[nodiscard]] std::size_t open_channels() const { return channels_.size(); }
  [[nodiscard]] const ChannelStatistics& statistics() const { return statistics_; }

 private:
  struct Channel {
    ConnectionId connection = 0;
    std::uint32_t number = 0;
    bool opened_here = false;
    bool accepted = false;
    MessageId out = 0;       // stream of this side; 0 before accept()
    std::uint32_t in = 0;    // stream of the other side; 0 before its answer
    Instant answer_by{};     // while this side waits for one
    std::uint64_t sent = 0;  // bytes appended
    bool finished = false;   // finish() was called
    bool in_ended = false;   // on_end() was called
    std::uint64_t received = 0;
    std::uint64_t consumed = 0;
    bool delivered_due = false;        // delivered() was called and the message is not queued yet
    MessageId delivered_message = 0;   // queued
    bool delivered_confirmed = false;  // the other side has it
    bool peer_has_all = false;         // the other side's message has come
    bool broken = false;               // to be failed in the turn, unless the connection's end explains it
  };
  using StreamKey = std::pair<ConnectionId, std::uint32_t>;
  // A stream of the other side whose header is incomplete, or that belongs to a channel.
  struct Inbound {
    std::vector<std::uint8_t> header;
    ChannelId channel = 0;
  };
  struct Connection {
    bool odd = false;  // numbers of this side
    std::uint32_t next_number = 0;
  };

  void on_connected(ConnectionId connection, const Connected& connected);
  void on_closed(Instant now, ConnectionId connection, const Closed& closed);
  void on_chunk(Instant now, ConnectionId connection, const StreamChunk& chunk);
  // The bytes behind the header.
  void on_payload(Instant now, ChannelId id, ByteView bytes, bool last);
  // Of the stream's first bytes: the channel that they belong to, 0 when the stream is nobody's. `taken`: of `bytes`.
  [[nodiscard]] ChannelId on_header(Instant now, const StreamKey& key, const DecodedChannelHeader& decoded);
  [[nodiscard]] ChannelId begin_inbound(Instant now, const StreamKey& key, const ChannelHeader& header);
  [[nodiscard]] bool on_message(Instant now, ConnectionId connection, ByteView bytes);
  void on_refused(Instant now, ConnectionId connection, const ChannelRefused& refused);
  void on_delivered(Instant now, ConnectionId connection, const ChannelDelivered& delivered);
  void on_confirmed(Instant now, ConnectionId connection, MessageId message);
  void on_failed(Instant now, ConnectionId connection, const MessageFailed& failed);
  void on_aborted(Instant now, ConnectionId connection, const StreamAborted& aborted);
  void send_message(Instant now, ConnectionId connection, const ChannelMessage& message);
  void send_refusal(Instant now, const StreamKey& stream, const ChannelRefused& refused);
  void send_delivered(Instant now, ChannelId id, Channel& channel);

  void complete_if_done(Instant now, ChannelId id);
  // Ends it here and at the other side, and tells the observer.
  void fail(Instant now, ChannelId id, ChannelCode code, std::string text);
  void end_streams(Instant now, const Channel& channel, ChannelCode code);
  void erase(ChannelId id);
  [[nodiscard]] Channel* find(ChannelId id);

  Endpoint& endpoint_;
  Observer& observer_;
  std::size_t max_channels_;
  ChannelId last_id_ = 0;
  std::map<ChannelId, Channel> channels_;
  std::map<ConnectionId, Connection> connections_;
  std::map<StreamKey, ChannelId> by_number_;
  std::map<StreamKey, Inbound> inbound_;
  std::map<std::pair<ConnectionId, MessageId>, ChannelId> by_message_;  // streams, and messages of delivery
  std::set<std::pair<Instant, ChannelId>> unanswered_;
  // Messages of refusal that are on their way, and the streams that they are about.
  std::map<std::pair<ConnectionId, MessageId>, std::pair<std::uint32_t, ChannelCode>> refusals_;
  std::vector<ChannelId> due_;  // broken, or with a message to send
  ChannelStatistics statistics_;
};

}  // namespace godwit
