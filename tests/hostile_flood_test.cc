// Floods of intros under forged addresses, valid and junk, as many as an endpoint decrypts: who connects meanwhile.
// Counts, in virtual time.

#include <gtest/gtest.h>

#include <functional>

#include "tests/scripted_session.h"
#include "transport/memory_network_test_support.h"

namespace godwit::testing {
namespace {

// An endpoint under attack, and an honest peer at the other end of a path. What answers a forged intro reaches nobody.
class Flood : public test::MemoryNetwork {
 public:
  explicit Flood(Duration one_way, const Config& config = {})
      : MemoryNetwork(9), own_(add(kEndpointAddress, config)), own(*own_.endpoint), peer(*add(kPeerAddress).endpoint) {
    delay = one_way;
  }

  // A millisecond at a time; `attack` is called in each.
  void run_for(Duration time, const std::function<void()>& attack = [] {}) {
    for (const Instant end = now + time; now < end;) {
      attack();
      run(1ms);
    }
  }
  // From an address that is no one's.
  void forge(Bytes intro) {
    const auto octet = [&] { return static_cast<std::uint8_t>(random.below(256)); };
    const auto from =
        SocketAddress::ipv4({static_cast<std::uint8_t>(11 + random.below(90)), octet(), octet(), 1}, 4000);
    inject(from, kEndpointAddress, std::move(intro));
  }
  [[nodiscard]] std::size_t connected() const { return own_.count<Connected>(); }  // times, at `own`

 private:
  Node& own_;

 public:
  Endpoint& own;
  Endpoint& peer;
};

TEST(HostileFlood, APeerThatWasConnectedToComesBackThroughJunk) {
  Config config;
  config.admission.stranger_rate = config.admission.stranger_burst = 10;
  Flood flood(1ms, config);
  const auto junk = [&] {
    for (int i = 0; i < 5; ++i) {
      Bytes bytes(wire::kIntroDatagram);
      flood.random.fill(bytes);
      bytes[0] = wire::kTypeIntro;
      flood.forge(std::move(bytes));
    }
  };
  const auto started = flood.own.connect(flood.now, kPeerAddress, flood.peer.public_key());
  ASSERT_TRUE(started);
  flood.run_for(1s);
  ASSERT_EQ(flood.connected(), 1U);
  flood.own.close(flood.now, *started);
  flood.run_for(2s, junk);
  ASSERT_EQ(flood.own.connection_count(), 0U);
  ASSERT_TRUE(flood.peer.connect(flood.now, kEndpointAddress, flood.own.public_key()));
  flood.run_for(3s, junk);
  EXPECT_EQ(flood.connected(), 2U);
}

// Valid intros, nearly as many as strangers are granted decryptions; none is ever confirmed.
TEST(HostileFlood, AStrangerASecondAwayConnectsThroughValidIntros) {
  Flood flood(500ms);
  ScriptedPeer forger(kEndpointAddress, 77);
  int millisecond = 0;
  ASSERT_TRUE(flood.peer.connect(flood.now, kEndpointAddress, flood.own.public_key()));
  flood.run_for(2s, [&] {
    for (int i = 0; i < (millisecond % 10 == 0 ? 1 : 2); ++i) {
      forger.begin_session();
      flood.forge(forger.intro(flood.own.public_key()));
    }
    ++millisecond;
  });
  EXPECT_EQ(flood.connected(), 1U);
  EXPECT_GT(flood.own.admission().statistics().of(AdmissionVerdict::kDecrypt), 3500U) << "it was a flood";
}

}  // namespace
}  // namespace godwit::testing
