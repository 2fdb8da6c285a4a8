// Nothing allocates per packet once a connection runs: counted, by replacing the allocation functions of this test
// program.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "stream/recv_streams.h"
#include "stream/send_queue.h"
#include "stream/stream_test_support.h"

namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

// The size of an allocation stands in front of it, aligned like any.
constexpr std::size_t kHeader = alignof(std::max_align_t);

void* allocate(std::size_t size) {
  ++allocations;
  auto* const block = static_cast<std::uint8_t*>(std::malloc(size + kHeader));
  if (block == nullptr) std::abort();
  std::memcpy(block, &size, sizeof size);
  live_bytes += size;
  peak_bytes = std::max(peak_bytes.load(), live_bytes.load());
  return block + kHeader;
}

void deallocate(void* pointer) noexcept {
  if (pointer == nullptr) return;
  auto* const block = static_cast<std::uint8_t*>(pointer) - kHeader;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof size);
  live_bytes -= size;
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void operator delete(void* pointer) noexcept {
  deallocate(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept {
  deallocate(pointer);
}

namespace godwit {
namespace {

class CountingSink final : public StreamSink {
 public:
  void on_chunk(const InboundChunk& chunk) override { bytes += chunk.bytes.size(); }
  void on_message(InboundMessage&& message) override { bytes += message.payload.size(); }
  void on_metadata(std::uint32_t, ByteView) override {}
  void on_failure(const InboundFailure&) override {}
  std::uint64_t bytes = 0;
};

constexpr std::size_t kStreamBytes = 16 << 20;

// Moves `streams` streams of 16 MiB, and a short message every 64 fragments; every `swap`-th pair of fragments changes
// places. Returns the allocations of the last stream but its opening and its end.
std::size_t allocations_of_a_stream(std::size_t swap) {
  SendQueue sender;
  RecvStreams receiver;
  CountingSink sink;
  const Bytes body(kStreamBytes);
  const Bytes note(200);
  std::size_t counted = 0;
  for (int stream = 0; stream < 3; ++stream) {
    EXPECT_TRUE(sender.send(kStart, Body::borrowed(body)));
    std::size_t step = 0;
    std::size_t before = allocations;
    std::optional<SendItem> delayed;
    const auto arrive = [&](const SendItem& item) {
      receiver.on_fragment(kStart,
                           wire::StreamFragmentHeader{.stream_id = item.stream->id(),
                                                      .total_length = item.stream->total(),
                                                      .number = item.fragment,
                                                      .payload = item.payload},
                           sink);
      std::ignore = sender.on_acknowledged(item.kind, item.owner, item.fragment, 1);
    };
    while (const SendItem* next = sender.peek()) {
      const SendItem item = *next;
      if (++step == 200) before = allocations;  // the first reordering has grown the pool
      if (step + 100 == kStreamBytes / 1130) counted = allocations - before;
      sender.take();
      if (item.kind == SendKind::kMessage) {
        std::ignore = sender.on_acknowledged(item.kind, item.owner, 0, 1);
        continue;
      }
      if (swap != 0 && item.fragment % swap == 0 && !delayed && item.fragment < item.stream->fragment_count()) {
        delayed = item;
        continue;
      }
      arrive(item);
      if (delayed) arrive(*std::exchange(delayed, std::nullopt));
      if (step % 54 == 0) receiver.release_delivered();
      if (step % 64 == 0) std::ignore = sender.send(kStart, Body::borrowed(note));
    }
  }
  EXPECT_EQ(sink.bytes, 3 * kStreamBytes);
  return counted;
}

TEST(SteadyState, AllocatesNothingPerFragmentInOrder) {
  EXPECT_EQ(allocations_of_a_stream(0), 0U);
}

TEST(SteadyState, AllocatesNothingPerFragmentOutOfOrder) {
  EXPECT_EQ(allocations_of_a_stream(3), 0U);
}

TEST(SteadyState, CostsAnIdleConnectionNoHeapMemory) {
  const std::size_t before = live_bytes;
  const SendQueue sender;
  const RecvStreams receiver;
  EXPECT_EQ(live_bytes - before, 0U);
  EXPECT_LE(sizeof sender + sizeof receiver, 1024U);
}

// Whatever a hostile peer sends, the memory it makes a receiver hold stays below four times the bytes of its datagrams,
// and a page for each stream: numbers far apart, payloads of one byte or just above a slot, streams opened, refused and
// completed in turns, in both modes. What is counted is what is allocated.
TEST(SteadyState, HoldsMemoryInProportionToWhatAHostilePeerSends) {
  constexpr std::array<std::size_t, 12> kPayloads{1, 2, 56, 57, 121, 249, 377, 505, 697, 921, 1130, 1430};
  DeterministicRandom random{2};
  double worst = 0;
  for (int round = 0; round < 300; ++round) {
    const auto mode = random.below(2) == 0 ? DeliveryMode::kChunks : DeliveryMode::kWhole;
    const std::size_t one_size = kPayloads[random.below(kPayloads.size())];
    const bool mixed = random.below(3) == 0;
    const auto streams = static_cast<std::uint32_t>(1 + random.below(random.below(2) == 0 ? 3 : 3000));
    const std::uint64_t spread = 1ULL << random.below(18);
    const std::size_t steps = 1ULL << (4 + random.below(9));
    const Bytes bytes(1430);
    CountingSink sink;
    const std::size_t before = live_bytes;
    RecvStreams receiver{{.delivery = mode}};
    std::uint64_t sent = 0;
    std::uint64_t seen = 0;
    for (std::size_t step = 0; step < steps; ++step) {
      const std::size_t size = mixed ? kPayloads[random.below(kPayloads.size())] : one_size;
      const std::uint64_t total = random.below(40) == 0 ? random.below(3) * size : wire::kMaxStreamBytes;
      const wire::StreamFragment fragment{.stream_id = static_cast<std::uint32_t>(1 + random.below(streams)),
                                          .total_length = total,
                                          .number = static_cast<std::uint32_t>(1 + random.below(spread)),
                                          .payload = ByteView(bytes).first(size)};
      sent += wire::kDatagramOverhead + wire::kFragmentOverhead + size;
      receiver.on_fragment(kStart, fragment, sink);
      if (random.below(50) == 0) receiver.release_delivered();
      if (random.below(100) == 0) receiver.refuse(fragment.stream_id);
      seen = std::max<std::uint64_t>(seen, receiver.open_streams());
      const std::size_t held = live_bytes - before;
      ASSERT_LE(held, 4 * sent + 4096 * std::max<std::uint64_t>(seen, 1)) << "round " << round << ", step " << step;
      ASSERT_LE(held, receiver.held_bytes() + receiver.held_bytes() / 8 + 1024) << "not counted";
      if (sent > 1 << 20) worst = std::max(worst, static_cast<double>(held) / static_cast<double>(sent));
    }
  }
  EXPECT_GT(worst, 0.5) << "the rounds hold nothing";
  RecordProperty("bytes_held_per_byte_sent", std::to_string(worst));
}

// The bound is on memory, not on what is counted: all that a hostile peer makes a receiver allocate.
TEST(SteadyState, HoldsTheMemoryBoundAgainstStreamsThatNeverEnd) {
  for (const DeliveryMode mode : {DeliveryMode::kChunks, DeliveryMode::kWhole}) {
    const Bytes payload(1130);
    const std::size_t before = live_bytes;
    peak_bytes = before;
    {
      RecvStreams receiver{{.delivery = mode, .memory = {.reorder_bytes = 1 << 20, .buffer_bytes = 4 << 20}}};
      CountingSink sink;
      DeterministicRandom random{1};
      for (int step = 0; step < 100'000; ++step) {
        const wire::StreamFragment fragment{
            .stream_id = 1 + static_cast<std::uint32_t>(random.below(1500)),
            .total_length = wire::kMaxStreamBytes,
            .number = 1 + static_cast<std::uint32_t>(random.below(random.below(2) ? 30 : 140'000)),
            .payload = payload};
        receiver.on_fragment(kStart, fragment, sink);
        if (step % 100 == 0) receiver.release_delivered();
      }
    }
    // The bounds, the tables of 1024 streams and 4096 refused ids, and both copies of the largest buffer while it
    // grows.
    const std::size_t bound = (mode == DeliveryMode::kWhole ? 5U : 1U) * (1 << 20) + 700 * 1024;
    EXPECT_LE(peak_bytes - before, bound);
    EXPECT_EQ(live_bytes, before);
  }
}

}  // namespace
}  // namespace godwit
