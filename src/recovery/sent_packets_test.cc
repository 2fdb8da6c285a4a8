#include "recovery/sent_packets.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "base/random.h"

namespace godwit::sent_packets_test {
namespace {

constexpr Instant kStart{1s};
constexpr PacketContent kContent{PacketContent::Kind::kMessage, 4, 0};

TEST(SentPackets, CountsBytesInFlightUntilAPacketLeaves) {
  SentPackets packets(1, 1024, 8);
  packets.add(kStart, 1, kContent, 100);
  packets.add(kStart, 2, kContent, 200);
  EXPECT_EQ(packets.bytes_in_flight(), 300u);
  EXPECT_EQ(packets.packets_in_flight(), 2u);
  packets.settle(*packets.find(1));
  EXPECT_EQ(packets.bytes_in_flight(), 200u);
  packets.settle(*packets.find(1));  // no second time
  EXPECT_EQ(packets.bytes_in_flight(), 200u);
  packets.mark_lost(*packets.find(2));
  EXPECT_EQ(packets.bytes_in_flight(), 0u);
  packets.resend(kStart + 1ms, 2, *packets.find(2), 150);
  EXPECT_EQ(packets.bytes_in_flight(), 150u);
  packets.resend(kStart + 2ms, 2, *packets.find(2), 160);  // a probe: counted once
  EXPECT_EQ(packets.bytes_in_flight(), 160u);
  EXPECT_EQ(packets.packets_in_flight(), 1u);
}

TEST(SentPackets, ReleasesTheFrontOnly) {
  SentPackets packets(1, 1024, 8);
  for (std::uint32_t id = 1; id <= 3; ++id) packets.add(kStart, id, kContent, 100);
  packets.settle(*packets.find(2));
  packets.release_front();
  EXPECT_EQ(packets.oldest_id(), 1u);
  packets.settle(*packets.find(1));
  packets.release_front();
  EXPECT_EQ(packets.oldest_id(), 3u);
  EXPECT_EQ(packets.find(2), nullptr);
  packets.settle(*packets.find(3));
  packets.release_front();
  EXPECT_TRUE(packets.empty());
}

TEST(SentPackets, HoldsThePlaceOfIdsThatAreNotTracked) {
  SentPackets packets(1, 1024, 8);
  packets.add(kStart, 1, kContent, 100);
  packets.add(kStart, 5, kContent, 100);
  EXPECT_EQ(packets.find(3)->state, SentState::kPlaceholder);
  packets.settle(*packets.find(1));
  packets.release_front();
  EXPECT_EQ(packets.oldest_id(), 5u);
}

TEST(SentPackets, NeedsNoRoomForIdsTakenWhileItIsEmpty) {
  SentPackets packets(1, 64, 8);
  packets.add(kStart, 1'000'000, kContent, 100);
  EXPECT_EQ(packets.oldest_id(), 1'000'000u);
  EXPECT_EQ(packets.bytes_in_flight(), 100u);
}

TEST(SentPackets, KnowsTheFirstTransmissionOfARetransmittedPacket) {
  SentPackets packets(1, 64, 8);
  SentPacket& packet = packets.add(kStart, 1, kContent, 100);
  EXPECT_EQ(packet.first_transmission_at(), kStart);
  packets.resend(kStart + 50ms, 1, packet, 100);
  packets.resend(kStart + 150ms, 1, packet, 100);
  EXPECT_EQ(packet.first_transmission_at(), kStart);
  EXPECT_EQ(packet.transmissions, 3);
}

TEST(SentPackets, KeepsSendOrder) {
  SentPackets packets(1, 64, 2);
  for (std::uint32_t id = 1; id <= 3; ++id) packets.add(kStart, id, kContent, 100);
  packets.resend(kStart + 1ms, 1, *packets.find(1), 100);
  std::vector<std::uint32_t> order;
  for (std::size_t i = 0; i < packets.order().size(); ++i) {
    if (packets.in_flight(packets.order()[i]) != nullptr) order.push_back(packets.order()[i].id);
  }
  EXPECT_EQ(order, (std::vector<std::uint32_t>{2, 3, 1}));
  EXPECT_EQ(packets.newest_in_order()->id, 1u);
  // Sent more often than the fast limit: the other queue.
  packets.resend(kStart + 2ms, 1, *packets.find(1), 100);
  EXPECT_EQ(packets.newest_in_order()->id, 3u);
  EXPECT_EQ(packets.backed_off().size(), 1u);
}

TEST(SentPackets, WrapsAroundTheEndOfTheIds) {
  SentPackets packets(0u - 2u, 64, 8);
  for (std::uint32_t i = 0; i < 5; ++i) packets.add(kStart, 0u - 2u + i, kContent, 100);
  EXPECT_EQ(packets.next_id(), 3u);
  for (std::uint32_t i = 0; i < 4; ++i) packets.settle(*packets.find(0u - 2u + i));
  packets.release_front();
  EXPECT_EQ(packets.oldest_id(), 2u);
}

TEST(SentPackets, TrimsOnlyWhenEmpty) {
  SentPackets packets(1, 1024, 8);
  for (std::uint32_t id = 1; id <= 100; ++id) packets.add(kStart, id, kContent, 100);
  packets.trim();
  EXPECT_NE(packets.find(50), nullptr);
  for (std::uint32_t id = 1; id <= 100; ++id) packets.settle(*packets.find(id));
  packets.trim();
  EXPECT_TRUE(packets.empty());
  EXPECT_EQ(packets.next_id(), 101u);
  packets.add(kStart, 101, kContent, 100);
  EXPECT_EQ(packets.bytes_in_flight(), 100u);
}

TEST(SentPackets, AgreesWithAMapUnderRandomOperations) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    DeterministicRandom random(seed);
    SentPackets packets(0u - 500u, 4096, 200);
    std::map<std::uint64_t, std::uint32_t> in_flight;  // step-free id -> bytes
    std::vector<std::uint64_t> unsettled;
    std::size_t widest = 0;
    std::uint64_t next = (std::uint64_t{1} << 32) - 500;
    for (int step = 0; step < 3000; ++step) {
      const Instant now = kStart + step * 1us;
      const std::uint64_t action = random.below(10);
      const auto bytes = static_cast<std::uint32_t>(1 + random.below(1200));
      if (action < 4 && unsettled.size() < 500) {
        if (random.below(5) == 0) next += random.below(3);
        packets.add(now, static_cast<std::uint32_t>(next), kContent, bytes);
        in_flight[next] = bytes;
        unsettled.push_back(next++);
      } else if (!unsettled.empty()) {
        const std::size_t pick = random.below(std::min<std::size_t>(unsettled.size(), 40));
        const std::uint64_t id = unsettled[pick];
        SentPacket* packet = packets.find(static_cast<std::uint32_t>(id));
        ASSERT_NE(packet, nullptr);
        if (action < 7) {
          packets.settle(*packet);
          in_flight.erase(id);
          unsettled.erase(unsettled.begin() + static_cast<std::ptrdiff_t>(pick));
        } else if (action < 8) {
          packets.mark_lost(*packet);
          in_flight.erase(id);
        } else {
          packets.resend(now, static_cast<std::uint32_t>(id), *packet, bytes);
          in_flight[id] = bytes;
        }
      }
      if (random.below(3) == 0) packets.release_front();
      std::uint64_t sum = 0;
      for (const auto& [id, size] : in_flight) sum += size;
      ASSERT_EQ(packets.bytes_in_flight(), sum) << "seed " << seed << " step " << step;
      ASSERT_EQ(packets.packets_in_flight(), in_flight.size());
      // Each packet in flight has one valid entry, and they ascend.
      std::size_t valid = 0;
      std::uint32_t last = 0;
      for (std::size_t i = 0; i < packets.order().size(); ++i) {
        const auto entry = packets.order()[i];
        if (packets.in_flight(entry) == nullptr) continue;
        ASSERT_TRUE(valid == 0 || sent_before(last, entry.send_number));
        last = entry.send_number;
        ++valid;
      }
      ASSERT_EQ(valid, in_flight.size()) << "seed " << seed << " step " << step;
      // A front packet may hold its place for long; the queue stays within a multiple of the ring all the same.
      while (!packets.order().empty() && packets.in_flight(packets.order().front()) == nullptr) {
        packets.pop_order_front();
      }
      widest = std::max<std::size_t>(widest, packets.next_id() - packets.oldest_id());
      ASSERT_LE(packets.order().size(), 4 * widest + 65);
    }
  }
}

}  // namespace
}  // namespace godwit::sent_packets_test
