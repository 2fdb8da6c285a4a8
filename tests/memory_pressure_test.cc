// Strangers that make an endpoint hold memory: it stays in proportion to what they send, below one bound for all of
// them, and the ones who hold most for what they have sent go first. Every operator new of the process is counted.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "base/counted_allocations_test_support.h"
#include "tests/scripted_session.h"
#include "transport/memory_network_test_support.h"

namespace godwit::testing {
namespace {

// Many scripted peers at one endpoint. What it sends to them is lost, but while they join.
class Crowd : public test::MemoryNetwork {
 public:
  explicit Crowd(const Config& config) : host_(add(kEndpointAddress, config)) {
    direct = true;
    host_.on_event = [this](Instant, ConnectionId connection, Event& event) { take(connection, event); };
  }
  [[nodiscard]] Endpoint& endpoint() { return *host_.endpoint; }

  struct Member {
    SocketAddress address;
    std::unique_ptr<ScriptedPeer> peer;
    ConnectionId connection = 0;
    std::uint32_t next_id = 1;
    std::uint64_t sent = 0;
    std::optional<CloseReason> closed;
    std::uint64_t delivered = 0;
  };

  // A new peer with an address of its own.
  [[nodiscard]] std::size_t join() {
    Member member;
    const auto number = static_cast<std::uint16_t>(members_.size());
    // Networks of their own, whatever quotas an endpoint has for one.
    member.address = SocketAddress::ipv4({static_cast<std::uint8_t>(number + 1), 51, 100, 7}, 1000);
    member.peer = std::make_unique<ScriptedPeer>(kEndpointAddress, 500 + number);
    ScriptedPeer& peer = *member.peer;
    Node& node = add_scripted(member.address);
    members_.push_back(std::move(member));
    const std::size_t index = members_.size() - 1;
    node.on_datagram = [&peer](Instant at, const SocketAddress&, MutableBytes datagram) {
      const auto heard = peer.open(at, datagram);
      if (heard && heard->is<wire::AckOk>()) peer.send_with(heard->as<wire::AckOk>()->key);
    };
    deliver(index, peer.intro(host_.key()));
    node.on_datagram = nullptr;
    deliver(index, peer.seal(0, peer.success_ack(false)));
    now += 1s;  // a source address has one handshake a second
    return index;
  }
  Member& operator[](std::size_t index) { return members_[index]; }

  void fragment(std::size_t index, std::uint32_t stream, std::uint64_t total, std::uint32_t number, std::size_t size) {
    Member& member = members_[index];
    const Bytes payload(size, static_cast<std::uint8_t>(number));
    deliver(index,
            member.peer->seal(member.next_id++,
                              wire::StreamFragment{
                                  .stream_id = stream, .total_length = total, .number = number, .payload = payload}));
  }
  void deliver(std::size_t index, Bytes datagram) {
    Member& member = members_[index];
    member.sent += datagram.size();
    inject(member.address, kEndpointAddress, std::move(datagram));
    transmit(host_);
  }

 private:
  void take(ConnectionId connection, const Event& event) {
    if (const auto* connected = std::get_if<Connected>(&event)) {
      for (Member& member : members_) {
        if (member.address == connected->remote) member.connection = connection;
      }
    }
    for (Member& member : members_) {
      if (member.connection != connection) continue;
      if (const auto* closed = std::get_if<Closed>(&event)) member.closed = closed->reason;
      if (const auto* chunk = std::get_if<StreamChunk>(&event)) member.delivered += chunk->bytes.size();
    }
  }

  Node& host_;
  std::vector<Member> members_;
};

Config small_budget() {
  Config config;
  config.streams.delivery = DeliveryMode::kChunks;
  config.reassembly_bytes = 4 << 20;
  config.max_connections = 64;
  return config;
}

// One byte in the fragment with the highest number used to take a megabyte.
TEST(MemoryPressure, TinyFragmentsFarApartCostWhatTheyWeigh) {
  Config config;
  config.streams.delivery = DeliveryMode::kChunks;
  Crowd crowd(config);
  const std::size_t stranger = crowd.join();
  const std::uint64_t before = allocation_counts.live_bytes;
  const std::uint64_t sent_before = crowd[stranger].sent;
  constexpr std::uint32_t kStreams = 500;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    crowd.fragment(stranger, 1 + i % kStreams, wire::kMaxStreamBytes, 146'000 - i, 1);
    const std::uint64_t sent = crowd[stranger].sent - sent_before;
    const auto held = static_cast<std::int64_t>(allocation_counts.live_bytes) - static_cast<std::int64_t>(before);
    ASSERT_LE(held, static_cast<std::int64_t>(4 * sent + 4096 * std::min(i + 1, kStreams) + 16'384)) << i;
  }
  EXPECT_FALSE(crowd[stranger].closed);
  EXPECT_LE(crowd.endpoint().statistics().reassembly_bytes, 4 * crowd[stranger].sent + 4096 * kStreams);
  EXPECT_GE(crowd.endpoint().statistics().reassembly_bytes, 2000U * 64);
}

TEST(MemoryPressure, ThePeerThatHoldsMostForWhatItSendsGoesFirst) {
  Crowd crowd(small_budget());
  const std::size_t honest = crowd.join();
  const std::size_t greedy = crowd.join();
  // The honest peer sends a stream in order, and has a gap of 300 fragments' reach open; the greedy one holds tiny
  // fragments in many streams.
  constexpr std::uint64_t kTotal = 1130 * 2000;
  for (std::uint32_t number = 1; number <= 1000; ++number) crowd.fragment(honest, 1, kTotal, number, 1130);
  for (std::uint32_t number = 1002; number <= 1300; ++number) crowd.fragment(honest, 1, kTotal, number, 1130);
  for (std::uint32_t i = 0; i < 100'000 && !crowd[greedy].closed; ++i) {
    crowd.fragment(greedy, 1 + i % 800, wire::kMaxStreamBytes, 2 + i / 800 * 50, 57);
    ASSERT_LE(crowd.endpoint().statistics().reassembly_bytes, 4U << 20);
  }
  ASSERT_TRUE(crowd[greedy].closed);
  EXPECT_EQ(*crowd[greedy].closed, CloseReason::kMemory);
  EXPECT_FALSE(crowd[honest].closed);
  EXPECT_EQ(crowd.endpoint().statistics().evicted_for_memory, 1U);
  crowd.fragment(honest, 1, kTotal, 1001, 1130);
  for (std::uint32_t number = 1301; number <= 2000; ++number) crowd.fragment(honest, 1, kTotal, number, 1130);
  EXPECT_EQ(crowd[honest].delivered, kTotal);
  EXPECT_LE(crowd.endpoint().statistics().reassembly_bytes, 1U << 20);
}

TEST(MemoryPressure, ManyStrangersTogetherStayBelowTheOneBound) {
  const std::uint64_t before = allocation_counts.live_bytes;
  std::uint64_t most = before;
  Crowd crowd(small_budget());
  for (int i = 0; i < 40; ++i) static_cast<void>(crowd.join());
  const std::uint64_t joined = allocation_counts.live_bytes;
  for (std::uint32_t i = 0; i < 12'000; ++i) {
    for (std::size_t stranger = 0; stranger < 40; stranger += 13) {
      if (crowd[stranger].closed) continue;
      crowd.fragment(stranger, 1 + i % 300, wire::kMaxStreamBytes, 2 + i, i % 3 == 0 ? 1130 : 1);
    }
    most = std::max<std::uint64_t>(most, allocation_counts.live_bytes);
  }
  const EndpointStatistics numbers = crowd.endpoint().statistics();
  EXPECT_GT(numbers.evicted_for_memory, 0U);
  EXPECT_LE(most - joined, (4U << 20) + (2U << 20)) << "the bound, and what the test and the queues need";
  EXPECT_LE(numbers.reassembly_bytes, 4U << 20);
}

}  // namespace
}  // namespace godwit::testing
