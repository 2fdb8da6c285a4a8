// Any sequence of fragments: honest ones of a few streams mixed with lies about totals, numbers and contents. Chunks
// come in order and within the total, a stream of which only the truth was told arrives intact, memory keeps its
// bounds.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "fuzz/input.h"
#include "stream/recv_streams.h"

namespace godwit::fuzz {
namespace {

constexpr std::uint32_t kStreams = 16;
constexpr std::size_t kLargestHonest = 20'000;

// The bytes of an honest stream. Computed once: an execution looks at hundreds of kilobytes of them.
ByteView truth(std::uint32_t stream) {
  static const auto kContents = [] {
    std::array<Bytes, kStreams> contents;
    for (std::uint32_t i = 0; i < kStreams; ++i) {
      contents[i].resize(1 + (std::size_t{i} * 2777) % kLargestHonest);
      for (std::size_t at = 0; at < contents[i].size(); ++at)
        contents[i][at] = static_cast<std::uint8_t>(i * 131 + at * 7 + (at >> 8));
    }
    return contents;
  }();
  return kContents[stream % kStreams];
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
    check(chunk.stream_id, chunk.offset, chunk.bytes);
  }
  void on_message(InboundMessage&& message) override { check(message.stream_id, 0, message.payload); }
  void on_metadata(std::uint32_t stream_id, ByteView) override { GODWIT_ASSERT(wire::is_operations_stream(stream_id)); }
  void on_failure(const InboundFailure& failure) override { GODWIT_ASSERT(failure.received <= failure.total); }

  std::set<std::uint32_t> lied;  // streams

 private:
  void check(std::uint32_t stream, std::uint64_t offset, ByteView bytes) const {
    if (lied.contains(stream)) return;
    GODWIT_ASSERT(offset + bytes.size() <= truth(stream).size());
    GODWIT_ASSERT(std::memcmp(bytes.data(), truth(stream).data() + offset, bytes.size()) == 0);
  }

  std::map<std::uint32_t, std::uint64_t> offsets_;
};

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  using namespace godwit::fuzz;
  if (size == 0) return 0;
  RecvStreamsConfig config{.delivery = data[0] & 1 ? DeliveryMode::kChunks : DeliveryMode::kWhole,
                           .max_streams = 8,
                           .memory = {.reorder_bytes = 64 * 1024, .buffer_bytes = 96 * 1024},
                           .completed_remembered = 4,
                           .refused_remembered = 4};
  RecvStreams streams(config);
  Checker checker;
  Instant now{1h};
  Bytes payload;
  std::uint64_t received = 0;  // bytes of datagrams that such fragments would take
  for (std::size_t at = 1; at + 6 <= size; at += 6) {
    const std::uint8_t* op = data + at;
    const std::uint32_t stream = (op[0] & 15U) | (op[0] & 16 ? wire::kOperationsBit : 0U);
    const ByteView whole = truth(stream);
    wire::StreamFragment fragment{.stream_id = stream, .total_length = whole.size(), .number = op[1] % 24U};
    if (op[0] & 0x80) {
      checker.lied.insert(stream);
      fragment.total_length = std::uint64_t{load_le<std::uint16_t>(op + 2)} << (op[4] & 63);
      fragment.number = std::uint32_t{op[1]} << (op[5] & 31);
      payload.assign(op[3] * 5U, op[4]);
      fragment.payload = payload;
      if (op[5] & 64) fragment.metadata = ByteView(op, 4);
    } else {
      const std::size_t begin = std::size_t{fragment.number} * wire::kFragmentPayload - wire::kFragmentPayload;
      if (fragment.number == 0 || begin >= whole.size()) continue;
      fragment.payload = whole.subspan(begin, std::min(wire::kFragmentPayload, whole.size() - begin));
    }
    received += wire::kDatagramOverhead + wire::kFragmentOverhead + fragment.payload.size();
    streams.release_delivered();
    static_cast<void>(streams.on_fragment(now, fragment, checker));
    if ((op[5] & 15) == 15) {
      now += Duration{1s} * op[4];
      streams.handle_timeout(now, checker);
    }
    GODWIT_ASSERT(streams.open_streams() <= config.max_streams);
    GODWIT_ASSERT(streams.memory().reorder_bytes() <= config.memory.reorder_bytes + 64 * 1024);
    GODWIT_ASSERT(streams.memory().buffer_bytes() <= config.memory.buffer_bytes);
    // Proportional to what was received: four times that, and a page for each stream.
    GODWIT_ASSERT(streams.held_bytes() <= 4 * received + 4096 * (streams.open_streams() + 1));
  }
  streams.fail_all(checker);
  return 0;
}
