// Level 1: the bounded queue between application and packets, by capacity and number of streams; reassembly.

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "base/random.h"
#include "benches/suite.h"
#include "recovery/ack_queue.h"
#include "stream/recv_streams.h"
#include "stream/send_queue.h"
#include "wire/limits.h"

namespace godwit::bench {
namespace {

constexpr Instant kStart{std::chrono::seconds(1000)};

// Messages pass through in rounds: fill to the capacity, take all, acknowledge all.
Case message_queue_case(std::uint32_t capacity) {
  return {.name = fmt::format("level1/queue/messages/{}", capacity),
          .title = fmt::format("a short message through a send queue of {}", capacity),
          .parameters = {{"capacity", std::to_string(capacity)}},
          .body = [capacity](Bench& bench) {
            SendQueue queue({.max_messages = capacity});
            static const std::vector<std::uint8_t> kPayload(64, 7);
            std::vector<SlotHandle> owners;
            owners.reserve(capacity);
            std::uint64_t confirmed = 0;
            std::size_t accepted = 0;
            const auto refill = [&] {
              while (queue.send(kStart, Body::borrowed(kPayload))) ++accepted;
              owners.clear();
              while (const SendItem* item = queue.peek()) {
                owners.push_back(item->owner);
                queue.take();
              }
            };
            refill();
            bench.outcome.verified = accepted == capacity && owners.size() == capacity;
            bench.outcome.proof = "takes as many as its capacity and confirms each";
            bench.outcome.rate = "messages_per_second";
            std::size_t next = 0;
            bench.measure([&] {
              confirmed += queue.on_acknowledged(SendKind::kMessage, owners[next], 0, 1).has_value() ? 1U : 0U;
              if (++next == owners.size()) {
                next = 0;
                refill();
              }
            });
            bench.outcome.verified = bench.outcome.verified && confirmed > 0;
          }};
}

// One fragment of one of many streams that take turns.
Case send_streams_case(std::uint32_t streams) {
  return {.name = fmt::format("level1/queue/streams/{}", streams),
          .title = fmt::format("the next fragment of {} streams that share a connection", streams),
          .parameters = {{"streams", std::to_string(streams)}},
          .body = [streams](Bench& bench) {
            SendQueueConfig config;
            config.max_streams = streams;
            config.max_stream_charge = ~std::uint64_t{0} / 4;
            SendQueue queue(config);
            static const std::vector<std::uint8_t> kBytes(wire::kFragmentPayload * 64, 7);
            bool right = true;
            for (std::uint32_t i = 0; i < streams; ++i) {
              right = queue.send(kStart, Body::borrowed(kBytes), {.as = SendAs::kStream}).has_value() && right;
            }
            std::uint64_t taken = 0;
            bench.outcome.proof = "every stream is accepted and every fragment is full";
            bench.measure([&] {
              const SendItem* item = queue.peek();
              right = right && item != nullptr && item->payload.size() == wire::kFragmentPayload;
              const SlotHandle owner = item->owner;
              const std::uint32_t fragment = item->fragment;
              queue.take();
              // A stream that is done is replaced, so that there always are as many.
              if (queue.on_acknowledged(SendKind::kFragment, owner, fragment, 1)) {
                right = queue.send(kStart, Body::borrowed(kBytes), {.as = SendAs::kStream}).has_value() && right;
              }
              ++taken;
            });
            bench.outcome.verified = right && taken > 0;
          }};
}

// Acknowledgements wait until so many are there, and leave together.
Case ack_queue_case(std::uint32_t capacity) {
  return {.name = fmt::format("level1/queue/acks/{}", capacity),
          .title = fmt::format("an acknowledgement through a queue of {} that is emptied when full", capacity),
          .parameters = {{"capacity", std::to_string(capacity)}},
          .body = [capacity](Bench& bench) {
            const AckQueueConfig config = {.pending_limit = capacity, .repetitions = 0};
            AckQueue queue(config);
            std::vector<std::uint32_t> out(capacity);
            std::uint32_t id = 1;
            std::uint64_t sum_in = 0;
            std::uint64_t sum_out = 0;
            bool right = true;
            const auto one = [&] {
              right = queue.push(kStart, id, true) && right;
              sum_in += id++;
              if (queue.size() < capacity) return;
              right = queue.take(kStart, out, false) == capacity && right;
              sum_out += std::accumulate(out.begin(), out.end(), std::uint64_t{0});
            };
            for (std::uint32_t i = 0; i < 2 * capacity; ++i) one();
            bench.measure(one);
            while (!queue.empty()) one();
            bench.outcome.verified = right && sum_in == sum_out && queue.overflowed() == 0;
            bench.outcome.proof = "every acknowledgement comes out once";
          }};
}

class CountingSink final : public StreamSink {
 public:
  void on_chunk(const InboundChunk& chunk) override {
    in_order = in_order && chunk.offset == next;
    next = chunk.finished() ? 0 : chunk.offset + chunk.bytes.size();
    bytes += chunk.bytes.size();
  }
  void on_message(InboundMessage&& message) override { bytes += message.payload.size(); }
  void on_metadata(std::uint32_t, ByteView) override {}
  void on_failure(const InboundFailure&) override { ++failures; }

  std::uint64_t bytes = 0;
  std::uint64_t next = 0;
  std::uint64_t failures = 0;
  bool in_order = true;
};

enum class Order { kInOrder, kReversed, kLossy };

// Streams of 64 fragments, one after another.
Case reassembly_case(std::string name, std::string title, Order order) {
  return {.name = "level1/reassemble/" + name, .title = std::move(title), .body = [order](Bench& bench) {
            constexpr std::uint32_t kFragments = 64;
            constexpr std::uint64_t kTotal = kFragments * wire::kFragmentPayload;
            static const std::vector<std::uint8_t> kBytes(wire::kFragmentPayload, 7);
            std::vector<std::uint32_t> numbers(kFragments);
            std::iota(numbers.begin(), numbers.end(), 1U);
            if (order == Order::kReversed) std::reverse(numbers.begin(), numbers.end());
            if (order == Order::kLossy) {
              // One in sixteen arrives after all others: retransmitted.
              std::stable_partition(numbers.begin(), numbers.end(),
                                    [](std::uint32_t number) { return number % 16 != 5; });
            }
            RecvStreams streams;
            CountingSink sink;
            std::uint32_t stream = 1;
            std::size_t at = 0;
            std::uint64_t fragments = 0;
            bench.outcome.bytes = static_cast<double>(wire::kFragmentPayload);
            bench.outcome.proof = "every byte is delivered, in order";
            bench.measure([&] {
              if (at == 0) streams.release_delivered();
              static_cast<void>(streams.on_fragment(kStart,
                                                    wire::StreamFragmentHeader{.packet_id = 1,
                                                                               .stream_id = stream,
                                                                               .total_length = kTotal,
                                                                               .number = numbers[at],
                                                                               .payload = kBytes},
                                                    sink));
              ++fragments;
              if (++at == kFragments) {
                at = 0;
                ++stream;
              }
            });
            // Up to the stream that is still under way.
            bench.outcome.verified = sink.in_order && sink.failures == 0 &&
                                     sink.bytes <= fragments * wire::kFragmentPayload &&
                                     sink.bytes + kTotal >= fragments * wire::kFragmentPayload;
          }};
}

}  // namespace

void add_level1_queues(Cases& cases) {
  for (const std::uint32_t capacity : {1U, 10U, 100U, 1000U}) cases.push_back(message_queue_case(capacity));
  for (const std::uint32_t capacity : {1U, 10U, 100U, 1000U}) cases.push_back(ack_queue_case(capacity));
  for (const std::uint32_t streams : {1U, 10U, 100U, 1000U, 10'000U}) cases.push_back(send_streams_case(streams));
  cases.push_back(reassembly_case("in-order", "a fragment of a stream that arrives in order", Order::kInOrder));
  cases.push_back(reassembly_case("reversed", "a fragment of a stream that arrives backwards", Order::kReversed));
  cases.push_back(reassembly_case("lossy", "a fragment of a stream of which one in sixteen comes late", Order::kLossy));
}

}  // namespace godwit::bench
