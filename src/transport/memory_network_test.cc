#include <gtest/gtest.h>

#include <string>

#include "handshake/handshake_test_support.h"
#include "transport/memory_network_test_support.h"

namespace godwit::test {
namespace {

// Two peers that a test plays, and what the second one has heard.
class MemoryNetworkTest : public testing::Test {
 protected:
  MemoryNetworkTest() {
    net_.add_scripted(kAlice);
    net_.add_scripted(kBob).on_datagram = [this](Instant at, const SocketAddress& from, MutableBytes datagram) {
      heard_ += std::string(datagram.begin(), datagram.end()) + "@" + std::to_string((at - kBegin) / 1ms) + " ";
      from_ = from;
    };
  }
  void say(std::string_view text) { net_.post(kAlice, kBob, {text.begin(), text.end()}); }

  static constexpr Instant kBegin{1h};
  MemoryNetwork net_;
  std::string heard_;
  SocketAddress from_;
};

TEST_F(MemoryNetworkTest, CarriesWhatIsSentAfterTheDelayAndNoLater) {
  say("a");
  net_.run(4ms);
  EXPECT_EQ(heard_, "");
  say("b");
  net_.run(1ms);
  EXPECT_EQ(heard_, "a@5 ");
  EXPECT_TRUE(net_.run(1s, [this] { return heard_ == "a@5 b@9 "; }));
  EXPECT_EQ(net_.now, kBegin + 9ms);
  EXPECT_EQ(from_, kAlice);
}

TEST_F(MemoryNetworkTest, WhoeverHoldsThePathLosesChangesRedirectsAndDelays) {
  net_.on_path = [](Flight& flight) {
    if (flight.bytes[0] == 'l') flight.due += 10ms;
    if (flight.bytes[0] == 'c') flight.bytes[0] = 'C';
    if (flight.bytes[0] == 'f') flight.from = address("198.51.100.1:7");
    if (flight.bytes[0] == 'r') flight.to = kAlice;
    return flight.bytes[0] != 'x';
  };
  for (const char* const text : {"late", "change", "x", "redirect", "from"}) say(text);
  net_.run(1s);
  EXPECT_EQ(heard_, "Change@5 from@5 late@15 ");
  EXPECT_NE(from_, address("198.51.100.1:7")) << "the late one came last";
}

TEST_F(MemoryNetworkTest, SplitsABatchWhereDatagramsAreLostByThemselves) {
  net_.inject(kAlice, kBob, {'a', 'b', 'c', 'd', 'e'}, 2);
  EXPECT_EQ(heard_, "ab@0 cd@0 e@0 ");
  heard_.clear();
  net_.loss = 0.5;
  for (int i = 0; i < 1000; ++i) say("y");
  net_.run(1s);
  EXPECT_GT(heard_.size() / 4, 400U);
  EXPECT_LT(heard_.size() / 4, 600U);
}

TEST_F(MemoryNetworkTest, WhoMovesIsReachedAtTheNewAddressAlone) {
  say("lost");
  const SocketAddress elsewhere = address("198.51.100.1:7");
  MemoryNetwork::Node& third = net_.add_scripted(address("198.51.100.2:8"));
  third.on_datagram = [this](Instant, const SocketAddress&, MutableBytes) { heard_ += "third "; };
  net_.move(third, elsewhere);
  net_.post(kAlice, elsewhere, {1});
  net_.post(kAlice, address("198.51.100.2:8"), {1});
  net_.run(1s);
  EXPECT_EQ(heard_, "lost@5 third ");
  net_.remove(third);
  net_.post(kAlice, elsewhere, {1});
  net_.run(1s);
  EXPECT_EQ(heard_, "lost@5 third ");
}

// A stream through two endpoints, in all ways that the network has to carry it.
TEST(MemoryNetworkEndpoints, AStreamArrivesInEachModeAndItsEventsAreLogged) {
  for (const int mode : {0, 1, 2}) {
    SCOPED_TRACE(mode);
    MemoryNetwork net;
    net.split = mode == 1;
    net.direct = mode == 2;
    MemoryNetwork::Node& client = net.add(kAlice);
    MemoryNetwork::Node& server = net.add(kBob);
    EXPECT_EQ(client.last<Connected>(), nullptr);
    const ConnectionId connection = net.connect(client, server);
    const Bytes body(300'000, 7);
    ASSERT_TRUE(client.endpoint->send(net.now, connection, Body::borrowed(body)));
    std::size_t batches = 0;
    net.on_path = [&batches, mode](const Flight& flight) {
      if (flight.bytes.size() > flight.segment_size) ++batches;
      EXPECT_TRUE(mode != 1 || flight.bytes.size() == flight.segment_size);
      return true;
    };
    ASSERT_TRUE(net.run(10s, [&client] { return client.count<MessageConfirmed>() == 1; }));
    EXPECT_EQ(batches > 0, mode != 1);
    ASSERT_NE(server.last<StreamMessage>(), nullptr);
    EXPECT_EQ(server.last<StreamMessage>()->payload, body);
    EXPECT_EQ(client.events.connected(), connection);
    EXPECT_NE(server.events.connected(), 0U);
    EXPECT_GE(client.datagrams_sent, 300'000U / 1200);
    EXPECT_EQ(client.count<Closed>() + server.count<Closed>(), 0U);
    // A process that dies takes its sessions along, and keeps its key.
    const PublicKey key = server.endpoint->public_key();
    net.restart(server);
    EXPECT_EQ(server.endpoint->public_key(), key);
    EXPECT_EQ(server.endpoint->connection_count(), 0U);
  }
}

}  // namespace
}  // namespace godwit::test
