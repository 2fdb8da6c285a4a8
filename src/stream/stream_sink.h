// What inbound streams give to the connection, as calls in the order in which things happen. A call instead of a
// returned list: one fragment may complete many, and the connection turns each into an event without a copy in between.
// Implemented by Connection. An implementation must not call back into RecvStreams.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "wire/limits.h"

namespace godwit {

// The next bytes of a stream, in order (DeliveryMode::kChunks). Empty only at the end of a stream of unknown length
// whose last bytes have been delivered.
struct InboundChunk {
  std::uint32_t stream_id = 0;
  std::uint64_t offset = 0;  // of `bytes` in the stream
  std::uint64_t total = 0;   // length of the whole stream; 0 while it is not known
  // In the datagram passed to on_fragment, or in pooled memory that lives until DeliveredMemory::release.
  ByteView bytes;

  [[nodiscard]] bool operations() const { return wire::is_operations_stream(stream_id); }
  [[nodiscard]] bool finished() const { return offset + bytes.size() == total; }
};

// The next bytes of a stream, in order, as they lie in the datagrams of a batch: `count` pieces of equal size, each at
// the same distance from the one before it.
struct InboundRun {
  std::uint32_t stream_id = 0;
  std::uint32_t count = 0;
  std::uint64_t offset = 0;  // of the first piece in the stream
  std::uint64_t total = 0;   // as that of a chunk
  ByteView first;
  std::size_t stride = 0;

  [[nodiscard]] ByteView piece(std::size_t index) const { return {first.data() + index * stride, first.size()}; }
  [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{count} * first.size(); }
};

// A whole stream (DeliveryMode::kWhole).
struct InboundMessage {
  std::uint32_t stream_id = 0;
  std::vector<std::uint8_t> payload;

  [[nodiscard]] bool operations() const { return wire::is_operations_stream(stream_id); }
};

// A stream that ended half received: nothing more of it will come.
struct InboundFailure {
  enum class Reason : std::uint8_t {
    kIdle,      // no new bytes for the idle limit
    kAge,       // not complete within the age limit
    kNoMemory,  // its bytes no longer fit the connection's budget (DeliveryMode::kWhole)
    kClosed,    // the session has ended
    kReset,     // its sender has given it up
  };
  std::uint32_t stream_id = 0;
  Reason reason = Reason::kIdle;
  std::uint64_t received = 0;  // bytes that arrived; in kChunks the first of them have been delivered
  std::uint64_t total = 0;
  std::uint64_t code = 0;  // of a reset: the sender's

  [[nodiscard]] bool operations() const { return wire::is_operations_stream(stream_id); }
};

class StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual void on_chunk(const InboundChunk& chunk) = 0;
  // Several chunks at once.
  virtual void on_run(const InboundRun& run) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      const ByteView bytes = run.piece(i);
      on_chunk(
          {.stream_id = run.stream_id, .offset = run.offset + i * bytes.size(), .total = run.total, .bytes = bytes});
    }
  }
  virtual void on_message(InboundMessage&& message) = 0;
  // Metadata of an operations stream, once, before the bytes of its fragment 1. `metadata` is a view of the datagram.
  virtual void on_metadata(std::uint32_t stream_id, ByteView metadata) = 0;
  virtual void on_failure(const InboundFailure& failure) = 0;
};

}  // namespace godwit
