// What an endpoint tells a key log opens everything that it and its peer have sent to one another.
#include "trace/key_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crypto/hkdf.h"
#include "crypto/packet_opener.h"
#include "handshake/handshake_test_support.h"
#include "transport/memory_network_test_support.h"
#include "wire/datagram.h"
#include "wire/limits.h"

namespace godwit::key_log_test {
namespace {

using test::Flight;
using test::kAlice;
using test::kBob;
using test::MemoryNetwork;

class Collected final : public trace::KeyLog {
 public:
  void on_key(ByteView key) override { keys.emplace(key.begin(), key.end()); }
  void on_secret(ByteView secret) override { secrets.emplace(secret.begin(), secret.end()); }
  std::set<std::vector<std::uint8_t>> keys;
  std::set<std::vector<std::uint8_t>> secrets;
};

struct Session {
  std::shared_ptr<Collected> alice = std::make_shared<Collected>();
  std::shared_ptr<Collected> bob = std::make_shared<Collected>();
  std::vector<std::vector<std::uint8_t>> datagrams;  // those that are sealed with a symmetric key
};

Session talk(ExtendedPolicy policy) {
  Session session;
  MemoryNetwork net;
  net.split = true;
  net.on_path = [&session](Flight& flight) {
    if (wire::classify(flight.bytes) == wire::DatagramClass::kSymmetric) {
      session.datagrams.emplace_back(flight.bytes.begin(), flight.bytes.end());
    }
    return true;
  };
  Config config;
  config.handshake.extended = policy;
  config.key_log = session.alice;
  MemoryNetwork::Node& alice = net.add(kAlice, config);
  config.key_log = session.bob;
  MemoryNetwork::Node& bob = net.add(kBob, config);
  const ConnectionId connection = net.connect(alice, bob);
  EXPECT_TRUE(net.run(10s, [&] { return alice.count<Connected>() > 0 && bob.count<Connected>() > 0; }));
  EXPECT_TRUE(alice.endpoint->send(net.now, connection, Body::owned(std::vector<std::uint8_t>(5000, 1))));
  EXPECT_TRUE(bob.endpoint->send(net.now, bob.events.connected(), Body::owned(std::vector<std::uint8_t>(10, 2))));
  EXPECT_TRUE(net.run(10s, [&] { return alice.count<MessageConfirmed>() > 0 && bob.count<MessageConfirmed>() > 0; }));
  return session;
}

bool opens(const std::set<std::vector<std::uint8_t>>& keys, ByteView datagram) {
  return std::ranges::any_of(keys, [datagram](const std::vector<std::uint8_t>& bytes) {
    const SymmetricKey key(std::span<const std::uint8_t, kSymmetricKeySize>(bytes.data(), kSymmetricKeySize));
    PacketOpener opener(make_packet_cipher(CipherKind::kOpenssl, key));
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    return opener.open_copy(datagram, scratch).has_value();
  });
}

TEST(KeyLog, OpensEveryPacketOfASessionOfTheDeployedFormOnEitherSide) {
  const Session session = talk(ExtendedPolicy::kOff);
  ASSERT_GE(session.datagrams.size(), 6U);
  for (const std::vector<std::uint8_t>& datagram : session.datagrams) {
    EXPECT_TRUE(opens(session.alice->keys, datagram));
    EXPECT_TRUE(opens(session.bob->keys, datagram));
  }
  EXPECT_TRUE(session.alice->secrets.empty());
}

TEST(KeyLog, HasTheSecretsOfBothDirectionsOfAnExtendedSessionOnEitherSide) {
  const Session session = talk(ExtendedPolicy::kRequire);
  EXPECT_EQ(session.alice->secrets.size(), 2U);
  EXPECT_EQ(session.alice->secrets, session.bob->secrets);
  // The acceptor's answer to the offer is sealed with the intro's key, and everything else under the secrets.
  const auto by_key = [&](const std::vector<std::uint8_t>& datagram) { return opens(session.bob->keys, datagram); };
  EXPECT_EQ(std::ranges::count_if(session.datagrams, by_key), 1);
  EXPECT_TRUE(opens(session.alice->keys, session.datagrams.front()));
}

}  // namespace
}  // namespace godwit::key_log_test
