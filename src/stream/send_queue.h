// What goes next on one connection. The connection's send path asks peek(), encodes and seals the item, take()s it;
// recovery tells what was acknowledged and what to send again. Short messages go before streams so that they do not
// wait behind a file; beyond a burst the two alternate by bytes, so that neither starves. Streams of one urgency take
// turns of about one segmentation batch each, fair by bytes; one stream alone fills whole batches. Owned by Connection.
// Bounded in count and bytes; holds the limits of a deployed receiver (wire spec 6.4), which are neither announced nor
// reported to a sender (W32, W33). No allocation per packet once grown.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "stream/body.h"
#include "stream/body_readers.h"
#include "stream/peer_receive_budget.h"
#include "stream/send_stream.h"
#include "stream/slot_table.h"
#include "stream/stream_id.h"
#include "stream/stream_scheduler.h"
#include "wire/limits.h"

namespace godwit {

// Names one outgoing message of one connection; never reused on it, never 0.
using MessageId = std::uint64_t;

struct SendQueueConfig {
  // Short messages that are queued or not yet acknowledged; at most 65,536.
  std::uint32_t max_messages = 8192;
  // Streams that a deployed receiver holds, and the memory it charges for them (wire spec 6.4).
  std::uint32_t max_streams = wire::kDeployedMaxStreams;
  std::uint64_t max_message_bytes = 4 * 1024 * 1024;
  std::uint64_t max_stream_charge = wire::kDeployedMaxChargedBytes;
  // Bytes that a stream of unknown length holds, sent and not acknowledged or not sent yet.
  std::uint64_t max_open_stream_bytes = 4 * 1024 * 1024;
  // Of a driver that puts off the sealing of batches; outlives the queue. Null: nobody reads a body later.
  BodyReaders* readers = nullptr;
};

enum class SendAs : std::uint8_t {
  kMessage,           // a short message up to wire::kShortMessageLimit bytes, a transport stream above
  kStream,            // a transport stream whatever its size
  kOperationsStream,  // an operations stream (wire spec 6.5)
};

struct SendOptions {
  SendAs as = SendAs::kMessage;
  // Embedded in fragment 1; operations streams only, at most wire::kMaxMetadata bytes.
  std::optional<std::vector<std::uint8_t>> metadata;
  // Bytes of a stream that may be sent before the first extend_send_limit. Short messages ignore it.
  std::uint64_t send_limit = kUnlimited;
  // The message fails when it is not wholly acknowledged by then.
  std::optional<Instant> deadline;
  // Its packet is sent once: declared lost, it fails. Short messages only.
  bool unreliable = false;
  // Of a stream, below StreamScheduler::kUrgencies: while a more urgent one can send, a less urgent one does not.
  std::uint8_t urgency = StreamScheduler::kDefaultUrgency;
};

// The two kinds of packets a queue makes; recovery's PacketContent::Kind has the same.
enum class SendKind : std::uint8_t { kFragment, kMessage };

// One packet's content. Views are valid until the next call of a non-const member of the queue.
struct SendItem {
  SendKind kind = SendKind::kMessage;
  SlotHandle owner = 0;        // PacketContent::owner
  std::uint32_t fragment = 0;  // number from 1 on; 0 for a short message
  std::uint8_t count = 1;      // consecutive fragments that share the packet
  bool again = false;          // its fragments have been sent before, with others
  ByteView payload;
  const SendStream* stream = nullptr;  // null for a short message; has header(), id(), total()
  // The payload stays valid until the message ends, and not only until the next call.
  bool payload_stays = false;

  // Goes between the fragment's payload and the end of the packet; nothing but for fragment 1 of some operations
  // streams.
  [[nodiscard]] std::optional<ByteView> metadata() const {
    return stream == nullptr ? std::nullopt : stream->metadata(fragment);
  }
  // Size of the sealed datagram without acknowledgements.
  [[nodiscard]] std::size_t datagram_bytes() const {
    if (kind == SendKind::kMessage) return wire::kDatagramOverhead + wire::kShortMessageOverhead + payload.size();
    std::size_t bytes = wire::kDatagramOverhead + wire::kFragmentOverhead + payload.size();
    if (const auto embedded = metadata()) bytes += wire::kMetadataOverhead + embedded->size();
    return bytes;
  }
};

// A message that was given up: unreadable body, deadline, abandoned packets, cancelled, overtaken by a new session of
// the receiver, or lost where it was not to be sent again. Its body has been released.
struct SendFailure {
  enum class Reason : std::uint8_t { kBodyUnreadable, kDeadline, kAbandoned, kCancelled, kNewSession, kLost, kStopped };
  MessageId message = 0;
  SendKind kind = SendKind::kMessage;
  SlotHandle owner = 0;  // stale by now: recovery is to forget its packets
  Reason reason = Reason::kCancelled;
  bool may_have_arrived = false;  // at least one packet of it was handed out
  std::uint64_t code = 0;         // of cancel() and stop()
  // The packets that were handed out, as take() was told; meaningless unless may_have_arrived.
  std::uint32_t first_packet = 0;
  std::uint32_t last_packet = 0;
};

// A stream that was given up after some of it was sent, where the receiver gives credit: it has to learn how many
// bytes.
struct StreamReset {
  std::uint32_t stream_id = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t code = 0;  // the application's
};

// The end of a stream of unknown length, that the receiver has to learn.
struct StreamEnd {
  std::uint32_t stream_id = 0;
  std::uint64_t total = 0;
};

struct SendQueueStatistics {
  std::uint64_t messages_accepted = 0;
  std::uint64_t streams_accepted = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t failed = 0;
  std::uint64_t refused = 0;                 // send() answered kWouldBlock
  std::uint64_t stale_acknowledgements = 0;  // for a slot that was freed
};

class SendQueue {
 public:
  explicit SendQueue(SendQueueConfig config = {}, std::uint32_t first_stream_id = 1);

  // --- The application's side ---
  // Queues a message. kWouldBlock: the queue or the receiver's limits are full, poll_writable() says when to try again.
  // kTooLarge: above wire::kMaxStreamBytes, metadata above wire::kMaxMetadata, or never within the configured limits.
  // kInvalidArgument: an empty stream, metadata without an operations stream, an unreliable stream. kClosed: the stream
  // ids are used up. Refused, `body` is left as it was, to be sent later.
  [[nodiscard]] Result<MessageId> send(Instant now, Body&& body, SendOptions options = {});
  // Begins a stream of unknown length; append() adds to it, and finish() ends it. kWouldBlock: as send(). kUnsupported:
  // the receiver has none (allow_open_streams). `options`: a deadline only.
  [[nodiscard]] Result<MessageId> open_stream(Instant now, const SendOptions& options);
  // Copies the bytes. kWouldBlock when the stream holds too many, nothing is taken then and poll_writable() says when
  // to try again; kNotFound when it has ended or been finished.
  [[nodiscard]] Status append(MessageId stream, ByteView bytes);
  // False when it has ended or been finished.
  bool finish(MessageId stream);
  // The receiver, which gives credit, knows streams of unknown length.
  void allow_open_streams();
  // The wire's id of a message's stream, 0 for a short message and one that has ended.
  [[nodiscard]] std::uint32_t stream_id(MessageId message) const;
  // Bytes from the start of the stream that may be sent in all; a lower value than before changes nothing. A fragment
  // is sent only when it ends within the limit. False when the message is no stream or has ended.
  bool extend_send_limit(MessageId message, std::uint64_t limit_bytes);
  // Gives a message up, with a code for a receiver that hears of it. Reported by poll_failure(). False when it has
  // ended already.
  bool cancel(MessageId message, std::uint64_t code = 0);
  void cancel_all();
  // The receiver has begun a new session: what packets of it were handed out may have arrived in the former one, and a
  // stream's first fragments are gone with it. What has not begun goes into the new session.
  void fail_started();
  // True once after a refusal, when half of the message queue is free again, or the refused stream fits.
  [[nodiscard]] bool poll_writable();

  // --- The send path ---
  // What goes next, null when there is nothing to send. Stays the same until take() or another non-const call; costs a
  // few nanoseconds for contiguous bodies. A body that cannot be read fails its message here.
  [[nodiscard]] const SendItem* peek() {
    if (!has_front_ && message_head_ == kNone && !turns_.empty() && !blocked_ && again_ == nullptr) [[likely]]
      has_front_ = load_fragment();
    return has_front_ ? &front_ : load_front();
  }
  // The item of the last peek() goes into the packet `packet_id`, by which recovery finds it again when its message
  // fails (SendFailure). Requires peek() != nullptr.
  void take(std::uint32_t packet_id = 0) {
    GODWIT_ASSERT(has_front_);
    has_front_ = false;
    if (front_.again) [[unlikely]]
      return take_again(packet_id);
    if (front_.kind == SendKind::kFragment) [[likely]] {
      take_fragment(packet_id);
    } else {
      take_message(packet_id);
    }
  }
  // How many full fragments of one stream, that of the last peek() and those after it, may go one after another, each
  // in a packet; at most `most`. 1 where what is next is anything else.
  [[nodiscard]] std::uint32_t run_length(std::uint32_t most) const;
  // The payload of the fragment `index` places behind that of the last peek(), which is in the run. Nothing where the
  // body's source fails: the next peek() says so.
  [[nodiscard]] std::optional<ByteView> payload_of_run(std::uint32_t index) {
    return streams_[turns_.current()].stream.payload(front_.fragment + index);
  }
  // The first `count` fragments of the run go into packets with ids from `first_packet` on.
  void take_run(std::uint32_t first_packet, std::uint32_t count);
  // The content of a packet sent before, for its retransmission: `count` fragments, or fewer where packets have become
  // smaller; send_again() takes the others. Nothing when its message has ended, or fails here: a body that cannot be
  // read, an unreliable message.
  [[nodiscard]] std::optional<SendItem> content(SendKind kind, SlotHandle owner, std::uint32_t fragment,
                                                std::uint8_t count = 1);
  // The batch of this ticket will read the payload of a stream that was peek()ed or has content(), when it is sealed
  // (body_readers.h).
  void note_reader(SlotHandle owner, std::uint64_t ticket) {
    if (const std::uint32_t index = streams_.find(owner); index != kNone) streams_[index].last_reader = ticket;
  }
  // Nothing unsent that may be sent: credit counts, the congestion window does not.
  [[nodiscard]] bool idle() const {
    return (turns_.empty() || blocked_) && message_head_ == kNone && again_ == nullptr;
  }

  // --- Larger packets (docs/extended_sessions.md, section 10) ---
  // The payload of a fragment frame in packets of the path's size, and of those that may be sent just now; each at
  // least wire::kFragmentPayload.
  void set_packet_payload(std::size_t path_bytes, std::size_t now_bytes) {
    if (path_bytes == group_bytes_ && now_bytes == most_bytes_) [[likely]]
      return;
    change_packet_payload(path_bytes, now_bytes);
  }
  // The most bytes of an unreliable message: what goes in one packet just now, for it would block all others until the
  // window has grown.
  [[nodiscard]] std::size_t max_unreliable_bytes() const { return most_bytes_ - wire::kShortMessageOverhead; }
  // Fragments of a packet that is lost and has become too large: they are peek()ed before all others.
  void send_again(SlotHandle owner, std::uint32_t first, std::uint8_t count);

  // --- The receiver's credit (docs/extended_sessions.md, section 9): unlimited until the first of these ---
  // A session begins: so many bytes of each stream, and of all together, may be sent at first. What an earlier session
  // has sent of must have failed (fail_started); streams of unknown length fail here.
  void limit_streams(std::uint64_t stream_bytes, std::uint64_t all_bytes);
  // Limits from the start of the connection, and of a stream; lower ones than before change nothing.
  void raise_credit(std::uint64_t all_bytes);
  void raise_stream_credit(std::uint32_t stream_id, std::uint64_t bytes);
  // Whether a stream has had this id, open or not.
  [[nodiscard]] bool has_opened(std::uint32_t stream_id) const { return ids_.has_given(stream_id); }
  // The receiver wants no more of the stream, which fails if it is open.
  void stop(std::uint32_t stream_id, std::uint64_t code);
  // Resets to be sent, one a call; the same again after a loss, until it is acknowledged.
  [[nodiscard]] std::optional<StreamReset> poll_reset();
  [[nodiscard]] std::optional<StreamReset> reset_again(std::uint32_t stream_id) const;
  void on_reset_acknowledged(std::uint32_t stream_id);
  // The same for the ends of streams of unknown length. The last acknowledgement of all makes the message confirmed.
  [[nodiscard]] std::optional<StreamEnd> poll_end();
  [[nodiscard]] std::optional<StreamEnd> end_again(std::uint32_t stream_id) const;
  std::optional<MessageId> on_end_acknowledged(std::uint32_t stream_id);
  // Streams wait for the receiver, and not for the path.
  [[nodiscard]] bool blocked() const { return blocked_; }

  // --- What recovery reports ---
  // Fragments first … first + count - 1 of a stream, or a short message (first and count ignored), were acknowledged.
  // The message when it is thereby wholly acknowledged: its body has been released. Ignores a stale owner.
  std::optional<MessageId> on_acknowledged(SendKind kind, SlotHandle owner, std::uint32_t first, std::uint32_t count);
  // A packet was given up after all its retransmissions: its message fails, others go on (wire spec 6.6).
  void on_abandoned(SendKind kind, SlotHandle owner);
  // Messages that failed, one a call. A stream's share of the receiver's limits is held from here until it has been
  // evicted there for want of new bytes.
  [[nodiscard]] std::optional<SendFailure> poll_failure(Instant now);

  // --- Time: deadlines, and the end of failed streams at the receiver while a send waits for it ---
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  void handle_timeout(Instant now);

  // --- Numbers ---
  [[nodiscard]] std::uint32_t open_streams() const { return streams_.size(); }
  [[nodiscard]] std::uint32_t open_messages() const { return messages_.size(); }
  [[nodiscard]] std::uint64_t message_bytes() const { return message_bytes_; }
  [[nodiscard]] const PeerReceiveBudget& charge() const { return charge_; }
  [[nodiscard]] const SendQueueStatistics& statistics() const { return statistics_; }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  // Datagram bytes of short messages that go ahead of waiting streams at once: about one segmentation batch. Beyond it
  // every byte must have been matched by a byte of a stream, so that messages take at most half of a busy path, and a
  // message that comes after a pause waits for nothing.
  static constexpr std::int64_t kMessageBurst = 64 * 1024;

  struct MessageSlot {
    Body body;
    Instant deadline = Instant::max();  // max: none
    std::uint32_t next = kNone;         // in the queue of unsent messages
    std::uint32_t previous = kNone;
    std::uint32_t packet_id = 0;
    bool sent = false;
    bool unreliable = false;
  };
  struct StreamSlot {
    SendStream stream;
    Instant deadline = Instant::max();
    std::uint64_t last_reader = 0;  // ticket of the last batch that reads the body when it is sealed; 0: none
    std::uint32_t first_packet = 0;
    std::uint32_t last_packet = 0;
    std::uint8_t urgency = StreamScheduler::kDefaultUrgency;
  };

  [[nodiscard]] static Status check_urgency(const SendOptions& options);
  [[nodiscard]] Result<MessageId> send_message(Body&& body, const SendOptions& options);
  [[nodiscard]] Result<MessageId> send_stream(Body&& body, SendOptions options);

  [[nodiscard]] const SendItem* load_front();
  [[nodiscard]] bool load_message();
  [[nodiscard]] bool load_fragment();
  [[nodiscard]] std::uint32_t choose_run(SendStream& stream);
  void take_message(std::uint32_t packet_id);
  [[nodiscard]] bool load_again();
  void take_again(std::uint32_t packet_id);
  void change_packet_payload(std::size_t path_bytes, std::size_t now_bytes);
  void take_fragment(std::uint32_t packet_id) { take_fragments(packet_id, 1); }
  void take_fragments(std::uint32_t first_packet, std::uint32_t packets);

  void append_message(std::uint32_t index);
  void unlink_message(std::uint32_t index);

  void fail(SendKind kind, std::uint32_t index, SendFailure::Reason reason, std::uint64_t code = 0);
  [[nodiscard]] std::uint32_t find_stream(std::uint32_t stream_id) const;
  // An id for a new stream, whose share of the receiver's limits is taken. Errors: kWouldBlock, kClosed.
  [[nodiscard]] Result<std::uint32_t> take_stream_id(std::uint64_t cost, bool operations);
  void note_sendable(std::uint32_t index);
  std::optional<MessageId> confirm_if_finished(std::uint32_t index);
  [[nodiscard]] bool open_stream_has_room() const;
  // Of the receiver's limits. A stream of unknown length goes to receivers that give credit instead.
  [[nodiscard]] static std::uint64_t charge_of_open_stream() { return wire::deployed_charge(1); }
  [[nodiscard]] static std::uint64_t charge_of(const SendStream& stream) {
    return stream.open() != nullptr ? charge_of_open_stream() : wire::deployed_charge(stream.total());
  }
  void erase_message(std::uint32_t index);
  void erase_stream(std::uint32_t index);
  void update_writable();
  void check_deadline(Instant now, SendKind kind, std::uint32_t index, Instant deadline);
  void note_deadline(Instant deadline);

  [[nodiscard]] MessageId id_of(SendKind kind, std::uint32_t index) const;
  // The slot of a message that has not ended.
  struct Found {
    SendKind kind;
    std::uint32_t index;
  };
  [[nodiscard]] std::optional<Found> find(MessageId message) const;

  SendQueueConfig config_;
  StreamIdAllocator ids_;
  SlotTable<StreamSlot> streams_;
  SlotTable<MessageSlot> messages_;

  // Lost fragments whose packet has become too large.
  struct Again {
    SlotHandle owner = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  std::unique_ptr<std::deque<Again>> again_;  // null while there are none
  SendItem front_;
  // Of a fragment frame in the largest packets, and in those of the moment: set_packet_payload().
  std::uint16_t group_bytes_ = wire::kFragmentPayload;
  std::uint16_t most_bytes_ = wire::kFragmentPayload;
  bool has_front_ = false;
  bool blocked_ = false;  // the next fragment exceeds the receiver's credit for all streams
  bool messages_refused_ = false;
  bool writable_ = false;

  StreamScheduler turns_;  // streams that have something to send and the credit for it
  // Unsent short messages, first in first out.
  std::uint32_t message_head_ = kNone;
  std::uint32_t message_tail_ = kNone;
  // Bytes that short messages may take before streams that wait get as many.
  std::int64_t message_allowance_;

  // What the receiver gives, where it does.
  struct Credit {
    std::uint64_t of_stream = 0;      // of a new stream
    std::uint64_t all = 0;            // for all streams together, from the start
    std::uint64_t window = 0;         // the same at first
    std::vector<StreamReset> resets;  // that are not acknowledged
    std::size_t resets_sent = 0;      // the first of them have gone out
    // Of streams of unknown length.
    bool open_streams = false;  // it has them
    bool append_refused = false;
    std::vector<std::uint32_t> ends;  // stream ids whose end has to be sent
  };
  std::unique_ptr<Credit> credit_;          // null: no limits
  std::uint64_t credit_left_ = kUnlimited;  // for all streams together

  std::uint64_t message_bytes_ = 0;
  PeerReceiveBudget charge_;
  Instant earliest_deadline_ = Instant::max();  // never later than the earliest of all

  std::uint64_t refused_charge_ = kUnlimited;  // of the cheapest stream refused for its share; kUnlimited: none
  struct UnreportedFailure {
    SendFailure failure;
    std::uint64_t lingering_charge;  // 0: the receiver never saw the stream
  };
  std::vector<UnreportedFailure> failures_;
  std::size_t next_failure_ = 0;
  SendQueueStatistics statistics_;
};

// --- The way of nearly every packet, short enough to be inlined ---

// How many fragments share the next packet of the stream, which begins groups of the present size where it can.
inline std::uint32_t SendQueue::choose_run(SendStream& stream) {
  if (stream.group_bytes() != group_bytes_) [[unlikely]]
    stream.set_group(group_bytes_);
  const std::uint64_t most = std::min<std::uint64_t>(most_bytes_, credit_left_);
  return stream.next_run(static_cast<std::size_t>(std::max<std::uint64_t>(most, wire::kFragmentPayload)));
}

inline bool SendQueue::load_fragment() {
  const std::uint32_t index = turns_.current();
  SendStream& stream = streams_[index].stream;
  const std::uint32_t number = stream.next_fragment();
  std::uint32_t count = 1;
  if (stream.group_bytes() != wire::kFragmentPayload || group_bytes_ != wire::kFragmentPayload) [[unlikely]]
    count = choose_run(stream);
  const std::optional<ByteView> payload = stream.payload(number, count);
  if (!payload) [[unlikely]] {
    fail(SendKind::kFragment, index, SendFailure::Reason::kBodyUnreadable);
    return false;
  }
  if (payload->size() > credit_left_) [[unlikely]] {
    blocked_ = true;
    return false;
  }
  // Field by field, the view too: as an aggregate it is put together on the stack and copied (GCC 12), and the wait for
  // that store costs as much as all the rest.
  front_.kind = SendKind::kFragment;
  front_.owner = streams_.handle(index);
  front_.fragment = number;
  front_.count = static_cast<std::uint8_t>(count);
  front_.again = false;
  front_.payload = {payload->data(), payload->size()};
  front_.stream = &stream;
  front_.payload_stays = stream.payload_stays();
  return true;
}

inline std::uint32_t SendQueue::run_length(std::uint32_t most) const {
  const SendStream* const stream = front_.stream;
  const bool plain = front_.kind == SendKind::kFragment && !front_.again && front_.count == 1 &&
                     front_.payload.size() == wire::kFragmentPayload && group_bytes_ == wire::kFragmentPayload;
  if (!plain || message_head_ != kNone || stream->open() != nullptr || front_.metadata()) return 1;
  const std::uint64_t credit = credit_left_ / wire::kFragmentPayload;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>({most, credit, stream->full_fragments(), turns_.packets_left(wire::kFragmentPayload)}));
}

inline void SendQueue::take_run(std::uint32_t first_packet, std::uint32_t count) {
  GODWIT_ASSERT(has_front_ && count > 0);
  has_front_ = false;
  take_fragments(first_packet, count);
}

// Each as large as the one that was looked at.
inline void SendQueue::take_fragments(std::uint32_t first_packet, std::uint32_t packets) {
  const std::uint32_t index = turns_.current();
  StreamSlot& slot = streams_[index];
  SendStream& stream = slot.stream;
  if (!stream.started()) [[unlikely]]
    slot.first_packet = first_packet;
  slot.last_packet = first_packet + packets - 1;
  stream.on_sent(front_.count * packets);
  const std::size_t bytes = front_.payload.size() * packets;
  credit_left_ -= bytes;
  // Full while no messages are about: a store here would be waited for by the next fragment.
  if (message_allowance_ < kMessageBurst) [[unlikely]] {
    const std::size_t datagram_bytes = packets * (wire::kDatagramOverhead + wire::kFragmentOverhead) + bytes;
    message_allowance_ = std::min(kMessageBurst, message_allowance_ + static_cast<std::int64_t>(datagram_bytes));
  }
  if (stream.sendable()) [[likely]] {
    turns_.spend(bytes);
  } else {
    turns_.remove(index);
  }
}

}  // namespace godwit
