// Any sequence of fragments: honest ones of a few streams mixed with lies about totals, numbers and contents. Chunks
// come in order and within the total, a stream of which only the truth was told arrives intact, memory keeps its
// bounds.
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/assert.h"
#include "stream/recv_streams.h"

namespace {

using namespace godwit;

std::uint8_t truth(std::uint32_t stream, std::uint64_t at) {
  return static_cast<std::uint8_t>(stream * 131 + at * 7 + (at >> 8));
}

class Checker final : public StreamSink {
 public:
  void on_chunk(const InboundChunk& chunk) override {
    GODWIT_ASSERT(!chunk.bytes.empty());
    std::uint64_t& offset = offsets_[chunk.stream_id];
    if (chunk.offset == 0) offset = 0;  // evicted or completed before, and begun anew
    GODWIT_ASSERT(chunk.offset == offset);
    offset += chunk.bytes.size();
    GODWIT_ASSERT(offset <= chunk.total);
    if (lied.contains(chunk.stream_id)) return;
    for (std::size_t i = 0; i < chunk.bytes.size(); ++i)
      GODWIT_ASSERT(chunk.bytes[i] == truth(chunk.stream_id, chunk.offset + i));
  }
  void on_message(InboundMessage&& message) override {
    if (lied.contains(message.stream_id)) return;
    for (std::size_t i = 0; i < message.payload.size(); ++i)
      GODWIT_ASSERT(message.payload[i] == truth(message.stream_id, i));
  }
  void on_metadata(std::uint32_t stream_id, ByteView) override { GODWIT_ASSERT(wire::is_operations_stream(stream_id)); }
  void on_failure(const InboundFailure& failure) override { GODWIT_ASSERT(failure.received <= failure.total); }

  std::map<std::uint32_t, bool> lied;

 private:
  std::map<std::uint32_t, std::uint64_t> offsets_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  RecvStreamsConfig config{.delivery = data[0] & 1 ? DeliveryMode::kChunks : DeliveryMode::kWhole,
                           .max_streams = 8,
                           .memory = {.reorder_bytes = 64 * 1024, .buffer_bytes = 96 * 1024},
                           .completed_remembered = 4,
                           .refused_remembered = 4};
  RecvStreams streams(config);
  Checker checker;
  Instant now{1h};
  std::vector<std::uint8_t> payload;
  for (std::size_t at = 1; at + 6 <= size; at += 6) {
    const std::uint8_t* op = data + at;
    const std::uint32_t stream = (op[0] & 15U) | (op[0] & 16 ? wire::kOperationsBit : 0U);
    const std::uint64_t honest_total = 1 + (std::uint64_t{stream & 15} * 2777) % 20'000;
    const std::uint32_t number = op[1] % 24U;
    wire::StreamFragment fragment{.stream_id = stream, .total_length = honest_total, .number = number};
    if (op[0] & 0x80) {
      checker.lied[stream] = true;
      fragment.total_length = std::uint64_t{load_le<std::uint16_t>(op + 2)} << (op[4] & 63);
      fragment.number = std::uint32_t{op[1]} << (op[5] & 31);
      payload.assign(op[3] * 5U, op[4]);
      if (op[5] & 64) fragment.metadata = ByteView(op, 4);
    } else {
      const std::uint64_t begin = std::uint64_t{number} * wire::kFragmentPayload - wire::kFragmentPayload;
      if (number == 0 || begin >= honest_total) continue;
      payload.resize(static_cast<std::size_t>(std::min<std::uint64_t>(wire::kFragmentPayload, honest_total - begin)));
      for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = truth(stream, begin + i);
    }
    fragment.payload = payload;
    streams.release_delivered();
    static_cast<void>(streams.on_fragment(now, fragment, checker));
    if ((op[5] & 15) == 15) {
      now += Duration{1s} * op[4];
      streams.handle_timeout(now, checker);
    }
    GODWIT_ASSERT(streams.open_streams() <= config.max_streams);
    GODWIT_ASSERT(streams.memory().reorder_bytes() <= config.memory.reorder_bytes + 64 * 1024);
    GODWIT_ASSERT(streams.memory().buffer_bytes() <= config.memory.buffer_bytes);
  }
  streams.fail_all(checker);
  return 0;
}
