// Nothing allocates per packet once a connection runs: counted, by replacing the allocation functions of this test
// program.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

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
