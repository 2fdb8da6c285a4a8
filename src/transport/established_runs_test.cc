// Fragments that leave and arrive together: counted by what they cost, and the same bytes as one by one.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "transport/memory_network_test_support.h"

namespace godwit::established_runs_test {
namespace {

using test::Flight;
using test::MemoryNetwork;

constexpr std::size_t kBytes = 54 * 1130 * 40 + 77;

class Runs : public ::testing::TestWithParam<ExtendedPolicy> {
 protected:
  Runs() {
    Config config;
    config.handshake.extended = GetParam();
    config.handshake.largest_datagram = wire::kMaxDatagram;
    client_ = &net_.add(SocketAddress::ipv4({10, 0, 0, 1}, 1000), config);
    config.streams.delivery = DeliveryMode::kChunks;
    config.streams.runs = true;
    server_ = &net_.add(SocketAddress::ipv4({10, 0, 0, 2}, 2000), config);
    server_->on_event = [this](Instant, ConnectionId, Event& event) {
      if (const auto* chunk = std::get_if<StreamChunk>(&event)) take(*chunk);
      if (const auto* chunks = std::get_if<StreamChunks>(&event)) {
        ASSERT_GE(chunks->count, 2U);
        in_runs_ += chunks->count;
        for (std::uint32_t i = 0; i < chunks->count; ++i) take(chunks->chunk(i));
      }
    };
    net_.random.fill(content_);
  }
  void take(const StreamChunk& chunk) {
    ASSERT_EQ(chunk.offset, received_.size());
    received_.insert(received_.end(), chunk.bytes.begin(), chunk.bytes.end());
    ++chunks_;
  }
  void transfer() {
    static_cast<void>(net_.connect(*client_, *server_));
    ASSERT_TRUE(net_.run(5s, [&] { return client_->count<Connected>() > 0; }));
    ASSERT_TRUE(client_->endpoint->send(net_.now, client_->events.connected(), Body::borrowed(content_),
                                        {.as = SendAs::kStream}));
    static_cast<void>(net_.run(60s, [&] { return client_->count<MessageConfirmed>() > 0; }));
    ASSERT_EQ(client_->count<MessageConfirmed>(), 1U);
    EXPECT_TRUE(received_ == content_);
    EXPECT_EQ(chunks_, kBytes / 1130 + 1);
  }

  MemoryNetwork net_;
  MemoryNetwork::Node* client_ = nullptr;
  MemoryNetwork::Node* server_ = nullptr;
  std::vector<std::uint8_t> content_ = std::vector<std::uint8_t>(kBytes);
  std::vector<std::uint8_t> received_;
  std::uint64_t chunks_ = 0;
  std::uint64_t in_runs_ = 0;
};

TEST_P(Runs, ABatchOfAStreamIsOneEvent) {
  transfer();
  // Alone go the first fragment of the stream, the last, and what a batch or a turn ends with.
  EXPECT_GE(in_runs_, chunks_ * 9 / 10);
  const std::uint64_t events = server_->count<StreamChunks>() + server_->count<StreamChunk>();
  EXPECT_LE(events, 2 * server_->endpoint->statistics().batches_received);
  EXPECT_LE(server_->count<StreamChunks>(), server_->endpoint->statistics().batches_received);
}

TEST_P(Runs, LossesBreakThemUpAndNothingElse) {
  std::uint64_t passed = 0;
  net_.on_path = [&](Flight& flight) {
    // What does not authenticate is lost.
    for (std::size_t at = 0; flight.to == server_->address && at + 50 < flight.bytes.size();
         at += flight.segment_size) {
      if (++passed % 47 == 0) flight.bytes[at + 40] ^= 1;
    }
    return true;
  };
  transfer();
  EXPECT_GT(in_runs_, 0U);
}

INSTANTIATE_TEST_SUITE_P(Forms, Runs, ::testing::Values(ExtendedPolicy::kOff, ExtendedPolicy::kRequire));

}  // namespace
}  // namespace godwit::established_runs_test
