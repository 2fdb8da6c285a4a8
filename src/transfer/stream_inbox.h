// Incoming streams of one connection, told apart by their first bytes: data streams go to a StreamConsumer with their
// header taken off, control messages in streams and streams of other applications are handed over as they are. Grants
// credit: how far the sender of each stream may go (docs/file_transfer.md section 3), unless the transport does, whose
// flow control it tells what has been consumed. Owned by whoever speaks the protocol on the connection; fed with its
// StreamChunk and StreamAborted events. Everything in a stream is hostile: a stream that breaks a rule is refused, its
// connection lives on.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "transfer/credit_window.h"
#include "transfer/stream_header.h"
#include "transport/endpoint.h"

namespace godwit {

// A data stream whose header has been read. Bytes and limits count from the start of the stream, header included.
struct InboundStream {
  std::uint32_t id = 0;
  std::uint64_t total = 0;
  StreamHeader header;
  std::uint64_t window = 0;
  std::uint64_t received = 0;
  std::uint64_t consumed = 0;
  std::uint64_t limit = 0;  // the credit that the sender has been told
  void* tag = nullptr;      // the consumer's; null: nobody wants the stream any more
};

class StreamConsumer {
 public:
  virtual ~StreamConsumer() = default;
  // A header has been read. The window of the stream, as the sender was told it (kNoWindow: the stream gets no credit
  // of this protocol); nothing refuses the stream.
  [[nodiscard]] virtual std::optional<std::uint64_t> on_stream_begin(Instant now, InboundStream& stream) = 0;
  // The next bytes behind the header. The consumer calls StreamInbox::consume() when it has done with them, now or
  // later. False refuses the rest of the stream.
  [[nodiscard]] virtual bool on_stream_bytes(Instant now, InboundStream& stream, ByteView bytes) = 0;
  // All bytes have been handed over; the stream is forgotten after the call.
  virtual void on_stream_end(Instant now, InboundStream& stream) = 0;
  // It ends here: the transport gave it up, or it went beyond its credit. Forgotten after the call.
  virtual void on_stream_aborted(Instant now, InboundStream& stream) = 0;

  // A stream without the magic of this protocol, in pieces; `finished` with the last.
  virtual void on_foreign_bytes(Instant now, std::uint32_t stream_id, ByteView bytes, bool finished) {
    static_cast<void>(now);
    static_cast<void>(stream_id);
    static_cast<void>(bytes);
    static_cast<void>(finished);
  }
  virtual void on_foreign_aborted(Instant now, std::uint32_t stream_id) {
    static_cast<void>(now);
    static_cast<void>(stream_id);
  }
  // A control message that came as a stream, whole.
  virtual void on_control_stream(Instant now, ByteView message) = 0;
};

struct StreamInboxStatistics {
  std::uint64_t streams = 0;
  std::uint64_t refused = 0;  // bad header, not wanted, or beyond its credit
  std::uint64_t aborted = 0;
  std::uint64_t credits_sent = 0;
};

class StreamInbox {
 public:
  StreamInbox(Endpoint& endpoint, ConnectionId connection, StreamConsumer& consumer);
  StreamInbox(const StreamInbox&) = delete;
  StreamInbox& operator=(const StreamInbox&) = delete;

  void on_chunk(Instant now, const StreamChunk& chunk) {
    if (chunk.stream_id == last_id_ && last_ != nullptr && last_->kind == Kind::kData) [[likely]] {
      return deliver(now, *last_, chunk.bytes);
    }
    on_other_chunk(now, chunk);
  }
  void on_aborted(Instant now, std::uint32_t stream_id);

  // The consumer has done with `bytes` more of a stream; tells the sender when a quarter of the window has been freed.
  // A stream that has ended is ignored.
  void consume(Instant now, std::uint32_t stream_id, std::uint64_t bytes);
  // The same from within on_stream_bytes().
  void consume(Instant now, InboundStream& stream, std::uint64_t bytes) {
    stream.consumed += bytes;
    if (by_hand_) endpoint_.consume(connection_, stream.id, bytes);
    if (stream.limit < stream.total && stream.consumed + stream.window - stream.limit >= stream.window / 4)
      grant(now, stream);
  }
  // Sets the tag of its streams to null: they are kept alive no longer.
  void forget(const void* tag);
  // Nothing of the transfer is consumed any more: what has not been of its complete streams counts as consumed.
  void release(std::uint64_t transfer);

  // What the transport grants the streams of the connection; absent where only this protocol's credit holds them back.
  [[nodiscard]] const std::optional<FlowWindows>& flow() const { return flow_; }
  // The transport's credit follows consume().
  [[nodiscard]] bool by_hand() const { return by_hand_; }

  // Keeps streams alive whose senders wait for credit, and repeats credit that could not be queued.
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  void handle_timeout(Instant now);

  [[nodiscard]] std::size_t open_streams() const { return streams_.size(); }
  [[nodiscard]] const StreamInboxStatistics& statistics() const { return statistics_; }

 private:
  enum class Kind : std::uint8_t { kUndecided, kData, kControl, kForeign };
  struct Entry {
    Kind kind = Kind::kUndecided;
    InboundStream stream;
    std::size_t prefix_size = 0;
    std::array<std::uint8_t, kStreamHeaderSize> prefix{};
    std::vector<std::uint8_t> control;
  };

  // A complete stream, bytes of which are still to be consumed.
  struct Unread {
    std::uint64_t transfer = 0;
    std::uint64_t bytes = 0;
  };

  void on_other_chunk(Instant now, const StreamChunk& chunk);
  // Decides what a stream is once enough of it has arrived; returns what is left of `bytes`. False: refused.
  [[nodiscard]] bool take_prefix(Instant now, Entry& entry, ByteView& bytes);
  void deliver(Instant now, Entry& entry, ByteView bytes);
  void collect_control(Instant now, Entry& entry, ByteView bytes);
  // Bytes that are done with as they come, of a stream without a window.
  void pass(std::uint32_t stream_id, std::uint64_t bytes) {
    if (by_hand_) endpoint_.consume(connection_, stream_id, bytes);
  }
  void grant(Instant now, InboundStream& stream);
  void drop(Instant now, Entry& entry);
  void erase(std::uint32_t stream_id);

  Endpoint& endpoint_;
  ConnectionId connection_;
  StreamConsumer& consumer_;
  std::optional<FlowWindows> flow_;
  bool by_hand_;
  std::map<std::uint32_t, std::unique_ptr<Entry>> streams_;
  std::map<std::uint32_t, Unread> unread_;  // by stream; only where the transport's credit follows consume()
  std::uint32_t last_id_ = 0;  // of the last chunk: runs come from one stream
  Entry* last_ = nullptr;
  std::optional<Instant> next_check_;
  StreamInboxStatistics statistics_;
};

}  // namespace godwit
