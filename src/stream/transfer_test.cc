// Both directions of this folder together: what a SendQueue makes, RecvStreams takes, over a path that loses, repeats
// and reorders.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "stream/recv_streams.h"
#include "stream/send_queue.h"
#include "stream/stream_test_support.h"

namespace godwit {
namespace {

// A packet in flight, by reference: its content is fetched when it arrives, like a retransmission.
struct Flight {
  SendKind kind;
  SlotHandle owner;
  std::uint32_t fragment;
};

class Transfer {
 public:
  Transfer(std::uint64_t seed, RecvStreamsConfig config) : random_(seed), receiver_(config) {}

  void send(std::size_t size, SendOptions options) {
    Bytes bytes = random_bytes(random_, size);
    if (options.metadata) metadata_.push_back(*options.metadata);
    const auto id = sender_.send(kStart, Body::owned(bytes), std::move(options));
    ASSERT_TRUE(id);
    sent_.emplace(*id, std::pair{sender_.stream_id(*id), std::move(bytes)});
  }

  void run() {
    std::size_t turns = 0;
    while (!sent_.empty()) {
      ASSERT_LT(++turns, 2'000'000U) << "no progress";
      if (random_.below(3) != 0 && flights_.size() < 400 && sender_.peek() != nullptr) {
        const SendItem& item = *sender_.peek();
        flights_.push_back({item.kind, item.owner, item.fragment});
        sender_.take();
      } else if (!flights_.empty()) {
        arrive(random_.below(flights_.size()));
      }
      if (random_.below(30) == 0) receiver_.release_delivered();
    }
    EXPECT_TRUE(sink_.in_order);
    EXPECT_EQ(receiver_.open_streams(), 0U);
    receiver_.release_delivered();
    EXPECT_EQ(receiver_.memory().reorder_bytes(), 0U);
    EXPECT_EQ(sender_.charge().bytes(), 0U);
    EXPECT_EQ(sink_.metadata.size(), metadata_.size());
    for (const auto& [id, bytes] : sink_.metadata) EXPECT_EQ(std::ranges::count(metadata_, bytes), 1);
    for (const auto& [id, bytes] : expected_) EXPECT_EQ(sink_.streams[id], bytes);
  }

  const RecvStreamsStatistics& statistics() const { return receiver_.statistics(); }

 private:
  void arrive(std::size_t index) {
    const Flight flight = flights_[index];
    if (random_.below(10) == 0) return;  // lost; its turn comes again
    const auto item = sender_.content(flight.kind, flight.owner, flight.fragment);
    ASSERT_TRUE(item);
    if (item->kind == SendKind::kFragment) {
      const wire::StreamFragment fragment{.stream_id = item->stream->id(),
                                          .total_length = item->stream->total(),
                                          .number = item->fragment,
                                          .payload = item->payload,
                                          .metadata = item->metadata()};
      const wire::StreamFragmentHeader header{.stream_id = fragment.stream_id,
                                              .total_length = fragment.total_length,
                                              .number = fragment.number,
                                              .payload = fragment.payload};
      const bool short_way = !fragment.metadata && random_.below(2) == 0;
      const FragmentOutcome outcome =
          short_way ? receiver_.on_fragment(kStart, header, sink_) : receiver_.on_fragment(kStart, fragment, sink_);
      if (!outcome.must_ack()) return;
      if (random_.below(10) == 0) {
        const auto again = receiver_.on_fragment(kStart, fragment, sink_).result;
        EXPECT_TRUE(again == FragmentOutcome::Result::kDuplicate || again == FragmentOutcome::Result::kIgnored);
      }
    }
    flights_[index] = flights_.back();
    flights_.pop_back();
    const auto confirmed = sender_.on_acknowledged(flight.kind, flight.owner, flight.fragment, 1);
    if (!confirmed) return;
    const auto found = sent_.find(*confirmed);
    ASSERT_NE(found, sent_.end());
    if (found->second.first != 0) expected_.push_back(std::move(found->second));
    sent_.erase(found);
  }

  DeterministicRandom random_;
  SendQueue sender_;
  RecvStreams receiver_;
  RecordingSink sink_;
  std::vector<Flight> flights_;
  std::vector<Bytes> metadata_;
  std::map<MessageId, std::pair<std::uint32_t, Bytes>> sent_;
  std::vector<std::pair<std::uint32_t, Bytes>> expected_;
};

void expect_transfers(DeliveryMode mode, std::uint64_t reorder_bytes) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    DeterministicRandom random{seed};
    Transfer transfer{seed, {.delivery = mode, .memory = {.reorder_bytes = reorder_bytes}}};
    for (int i = 0; i < 20; ++i) {
      const std::size_t size = 1 + random.below(random.below(4) == 0 ? 200'000 : 5000);
      switch (random.below(4)) {
        case 0: transfer.send(size, {}); break;
        case 1: transfer.send(size, {.as = SendAs::kStream}); break;
        case 2: transfer.send(size, {.as = SendAs::kOperationsStream}); break;
        default:
          transfer.send(size,
                        {.as = SendAs::kOperationsStream, .metadata = random_bytes(random, 8 + random.below(1113))});
      }
    }
    transfer.run();
    EXPECT_EQ(transfer.statistics().failed + transfer.statistics().refused, 0U);
  }
}

TEST(Transfer, DeliversEveryStreamInChunksOverABadPath) {
  expect_transfers(DeliveryMode::kChunks, 16 << 20);
}

TEST(Transfer, DeliversEveryStreamWholeOverABadPath) {
  expect_transfers(DeliveryMode::kWhole, 16 << 20);
}

TEST(Transfer, DeliversEveryStreamWithHardlyAnyRoomForReordering) {
  expect_transfers(DeliveryMode::kChunks, 20'000);
  expect_transfers(DeliveryMode::kWhole, 20'000);
}

}  // namespace
}  // namespace godwit
