// Both directions of this folder together: what a SendQueue makes, RecvStreams takes, over a path that loses, repeats
// and reorders.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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
  std::uint8_t count = 1;
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

  // The path carries now more and now less.
  void change_sizes() {
    receiver_.allow_groups();
    sizes_change_ = true;
  }

  void run() {
    std::size_t turns = 0;
    while (!sent_.empty()) {
      ASSERT_LT(++turns, 2'000'000U) << "no progress";
      if (sizes_change_ && random_.below(20) == 0) {
        constexpr std::array<std::size_t, 4> kPayloads = {1130, 1302, 4330, 8830};
        const std::size_t path = kPayloads[random_.below(4)];
        sender_.set_packet_payload(path, random_.below(2) == 0 ? path : std::max<std::size_t>(1130, path / 2));
      }
      if (random_.below(3) != 0 && flights_.size() < 400 && sender_.peek() != nullptr) {
        const SendItem& item = *sender_.peek();
        flights_.push_back({item.kind, item.owner, item.fragment, item.count});
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
  std::uint64_t splits() const { return splits_; }

 private:
  void arrive(std::size_t index) {
    const Flight flight = flights_[index];
    if (random_.below(10) == 0) return;  // lost; its turn comes again
    const auto item = sender_.content(flight.kind, flight.owner, flight.fragment, flight.count);
    ASSERT_TRUE(item);
    if (item->count < flight.count) {
      ++splits_;
      const auto rest = static_cast<std::uint8_t>(flight.count - item->count);
      sender_.send_again(flight.owner, flight.fragment + item->count, rest);
      flights_[index].count = item->count;
      // It may have arrived as it was.
      if (random_.below(2) == 0) deliver_again(flight);
      return;
    }
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
    const auto confirmed = sender_.on_acknowledged(flight.kind, flight.owner, flight.fragment, flight.count);
    if (!confirmed) return;
    const auto found = sent_.find(*confirmed);
    ASSERT_NE(found, sent_.end());
    if (found->second.first != 0) expected_.push_back(std::move(found->second));
    sent_.erase(found);
  }

  // All the fragments of a packet that counts as lost.
  void deliver_again(const Flight& flight) {
    sender_.set_packet_payload(8830, 8830);
    const auto item = sender_.content(flight.kind, flight.owner, flight.fragment, flight.count);
    ASSERT_TRUE(item && item->count == flight.count);
    static_cast<void>(receiver_.on_fragment(kStart,
                                            wire::StreamFragment{.stream_id = item->stream->id(),
                                                                 .total_length = item->stream->total(),
                                                                 .number = item->fragment,
                                                                 .payload = item->payload,
                                                                 .metadata = item->metadata()},
                                            sink_));
  }

  bool sizes_change_ = false;
  std::uint64_t splits_ = 0;
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

TEST(Transfer, SurvivesPacketsThatGrowAndShrink) {
  std::uint64_t splits = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    RecvStreamsConfig config;
    config.delivery = seed % 2 == 0 ? DeliveryMode::kWhole : DeliveryMode::kChunks;
    Transfer transfer{seed, config};
    transfer.change_sizes();
    for (const std::size_t size : {1U, 1130U, 1131U, 9000U, 100'000U, 300'000U})
      transfer.send(size, {.as = SendAs::kStream});
    transfer.send(50'000, {.as = SendAs::kOperationsStream, .metadata = Bytes(200, 7)});
    transfer.run();
    splits += transfer.splits();
  }
  EXPECT_GT(splits, 100U);
}

}  // namespace
}  // namespace godwit
