// Recorded handshakes of deployed peers (testdata/vectors), replayed: one side of each is played by the code under
// test, given the recorded random numbers, and must send the recorded datagrams byte for byte and accept the other
// side's.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/source_tree_test_support.h"
#include "handshake/handshake.h"
#include "handshake/handshake_test_support.h"

namespace godwit::handshake_golden_test {
namespace {

using nlohmann::json;
using test::Bytes;
using test::kStart;

Bytes bytes_of(const json& object, const char* name) {
  return *from_hex(object.at(name).get<std::string>());
}

json recording(const std::string& file) {
  std::ifstream stream(std::filesystem::path(test::source_tree()) / "testdata" / "vectors" / file);
  return json::parse(stream);
}

KeyPair static_keys(const json& file, const char* owner) {
  return *KeyPair::from_secret(bytes_of(file.at("static_keys").at(owner), "secret"));
}

SymmetricKey key_of(ByteView bytes) {
  return SymmetricKey(bytes.first<kSymmetricKeySize>());
}
SymmetricKey intro_key(const json& intro) {
  return key_of(ByteView(bytes_of(intro, "plaintext")).subspan(8));
}

wire::AckOk ack_in(const json& vector) {
  const Bytes plaintext = bytes_of(vector, "plaintext");
  return std::get<wire::AckOk>(wire::decode(plaintext)->message);
}

// Hands out what the recorded party drew, byte after byte; afterwards anything.
class RecordedRandom final : public RandomSource {
 public:
  explicit RecordedRandom(const std::vector<Bytes>& draws) {
    for (const Bytes& draw : draws) left_.insert(left_.end(), draw.begin(), draw.end());
  }
  void fill(MutableBytes bytes) override {
    const std::size_t count = std::min(bytes.size(), left_.size());
    std::copy_n(left_.begin(), count, bytes.begin());
    left_.erase(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(count));
    rest_.fill(bytes.subspan(count));
  }

 private:
  Bytes left_;
  DeterministicRandom rest_{1};
};

Bytes key_bytes(const SymmetricKey& key) {
  return Bytes(key.bytes().begin(), key.bytes().end());
}

struct Side {
  Side(KeyPair key_pair, std::vector<Bytes> draws) : keys(std::move(key_pair)), random(std::move(draws)) {
    // As the recorded peers: in a simultaneous open they send success acks (wire spec 4.5).
    config.require_authenticated_peer = false;
    context = {.config = &config, .self = &keys, .random = &random};
  }
  KeyPair keys;
  RecordedRandom random;
  HandshakeConfig config;
  HandshakeContext context;
};

TEST(HandshakeGolden, PlaysTheGatewayOfARecordedSessionByteForByte) {
  const json file = recording("gateway_short.json");
  const json& vectors = file.at("vectors");
  const wire::AckOk ack = ack_in(vectors[1]);
  // Its inbound key, then the start of its nonces.
  Side gateway(static_keys(file, "B (gateway/responder)"), {key_bytes(ack.key), bytes_of(vectors[1], "nonce")});

  const auto intro = open_intro_datagram(gateway.keys, bytes_of(vectors[0], "datagram"));
  ASSERT_TRUE(intro.has_value());
  EXPECT_EQ(intro->intro.version, wire::kAnnouncedVersion);
  auto handshake = Handshake::accept(kStart, gateway.context, ack.remote_address, *intro);
  ASSERT_TRUE(handshake.has_value());
  const auto sent = test::drain(kStart, *handshake);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(to_hex(sent[0]), vectors[1].at("datagram").get<std::string>());

  Bytes completion = bytes_of(vectors[2], "datagram");
  const HandshakeStep step = test::deliver(kStart, *handshake, completion);
  ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(step.confirmed_by_ack);
  Session session = handshake->take_session();
  EXPECT_EQ(session.observed_self(), ack_in(vectors[2]).remote_address);

  // Everything the initiator sent afterwards opens.
  std::array<std::uint8_t, wire::kMaxReceivedPlaintext> scratch;
  std::size_t opened = 0;
  for (std::size_t i = 3; i < vectors.size(); ++i) {
    if (vectors[i].at("dir") != "A>B") continue;
    Bytes datagram = bytes_of(vectors[i], "datagram");
    const auto plaintext = session.open(datagram, scratch);
    ASSERT_TRUE(plaintext.has_value()) << i;
    EXPECT_EQ(to_hex(plaintext->plaintext), vectors[i].at("plaintext").get<std::string>());
    ++opened;
  }
  EXPECT_EQ(opened, 4u);
}

TEST(HandshakeGolden, PlaysTheInitiatorOfARecordedSessionByteForByte) {
  const json file = recording("gateway_short.json");
  const json& vectors = file.at("vectors");
  const wire::AckOk completion = ack_in(vectors[2]);
  // Its inbound key, an ephemeral secret that the recording does not know, the start of its nonces.
  Side initiator(static_keys(file, "A (initiator)"),
                 {key_bytes(intro_key(vectors[0])), Bytes(32, 0x33), bytes_of(vectors[2], "nonce")});
  const KeyPair gateway = static_keys(file, "B (gateway/responder)");
  auto handshake = Handshake::initiate(kStart, initiator.context, completion.remote_address, gateway.public_key());
  ASSERT_TRUE(handshake.has_value());
  const auto intros = test::drain(kStart, *handshake);
  ASSERT_EQ(intros.size(), 1u);
  // The same content under another ephemeral key.
  EXPECT_EQ(open_intro_datagram(gateway, intros[0])->intro.key, intro_key(vectors[0]));

  Bytes ack = bytes_of(vectors[1], "datagram");
  ASSERT_EQ(test::deliver(kStart, *handshake, ack).kind, HandshakeStep::Kind::kEstablished);
  const auto sent = test::drain(kStart, *handshake);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(to_hex(sent[0]), vectors[2].at("datagram").get<std::string>());
  Session session = handshake->take_session();
  EXPECT_TRUE(session.peer_authenticated());
  EXPECT_EQ(session.sending_key(), ack_in(vectors[1]).key);

  std::array<std::uint8_t, wire::kMaxReceivedPlaintext> scratch;
  for (std::size_t i = 3; i < vectors.size(); ++i) {
    if (vectors[i].at("dir") != "B>A") continue;
    Bytes datagram = bytes_of(vectors[i], "datagram");
    EXPECT_TRUE(session.open(datagram, scratch).has_value()) << i;
  }
}

TEST(HandshakeGolden, OpensSimultaneouslyWithARecordedPeerOnEitherSide) {
  const json file = recording("simultaneous_open.json");
  const json& vectors = file.at("vectors");
  for (const bool play_a : {true, false}) {
    const char* self = play_a ? "A (initiator)" : "B (gateway/responder)";
    const char* peer = play_a ? "B (gateway/responder)" : "A (initiator)";
    const json& own_intro = vectors[play_a ? 0 : 1];
    const json& peer_intro = vectors[play_a ? 1 : 0];
    const json& peer_ack = vectors[play_a ? 2 : 3];
    Side side(static_keys(file, self), {key_bytes(intro_key(own_intro))});
    auto handshake = Handshake::initiate(kStart, side.context, test::kBob, static_keys(file, peer).public_key());
    ASSERT_TRUE(handshake.has_value());
    test::drain(kStart, *handshake);

    Bytes intro = bytes_of(peer_intro, "datagram");
    ASSERT_EQ(test::deliver(kStart, *handshake, intro).kind, HandshakeStep::Kind::kProgress);
    const auto sent = test::drain(kStart, *handshake);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(test::message_in<wire::AckOk>(intro_key(peer_intro), sent[1])->version, wire::kAnnouncedVersion);

    Bytes ack = bytes_of(peer_ack, "datagram");
    ASSERT_EQ(test::deliver(kStart, *handshake, ack).kind, HandshakeStep::Kind::kEstablished);
    const Session session = handshake->take_session();
    EXPECT_EQ(session.sending_key(), intro_key(peer_intro));
    EXPECT_TRUE(session.peer_authenticated());
    EXPECT_EQ(session.observed_self(), ack_in(peer_ack).remote_address);
  }
}

TEST(HandshakeGolden, Item2ReproducesTheReferencePeersDatagrams) {
  const json file = recording("reference_vs_D.json");
  const json& vectors = file.at("vectors");
  // Keys b0 … bf, ephemeral secret 32 × 22, and the nonce of its completion ack.
  Side reference(static_keys(file, "A (initiator)"),
                 {key_bytes(intro_key(vectors[0])), Bytes(32, 0x22), bytes_of(vectors[2], "nonce")});
  const PublicKey gateway = static_keys(file, "B (gateway/responder)").public_key();
  auto handshake = Handshake::initiate(kStart, reference.context, ack_in(vectors[2]).remote_address, gateway);
  ASSERT_TRUE(handshake.has_value());
  EXPECT_EQ(to_hex(test::drain(kStart, *handshake).at(0)), vectors[0].at("datagram").get<std::string>());
  Bytes ack = bytes_of(vectors[1], "datagram");
  ASSERT_EQ(test::deliver(kStart, *handshake, ack).kind, HandshakeStep::Kind::kEstablished);
  EXPECT_EQ(to_hex(test::drain(kStart, *handshake).at(0)), vectors[2].at("datagram").get<std::string>());
}

TEST(HandshakeGolden, Item23WritesTheRecordedErrorAckByteForByte) {
  const json file = recording("reference_vs_D.json");
  const json& vectors = file.at("vectors");
  const json& intro = vectors[vectors.size() - 2];
  const json& error = vectors[vectors.size() - 1];
  Side gateway(static_keys(file, "B (gateway/responder)"), {bytes_of(error, "nonce")});
  const auto seen = open_intro_datagram(gateway.keys, bytes_of(intro, "datagram"));
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(Handshake::accept(kStart, gateway.context, test::kAlice, *seen).error(),
            trace::DropReason::kIncompatibleVersion);
  Bytes out(wire::kMaxDatagram);
  out.resize(write_error_ack(gateway.context, seen->intro, version_mismatch_text(gateway.context), out));
  EXPECT_EQ(to_hex(out), error.at("datagram").get<std::string>());

  // And read on the other side it ends the attempt with the version in words.
  Side initiator(static_keys(file, "A (initiator)"), {key_bytes(seen->intro.key)});
  auto handshake = Handshake::initiate(kStart, initiator.context, test::kBob, gateway.keys.public_key());
  test::drain(kStart, *handshake);
  Bytes received = bytes_of(error, "datagram");
  EXPECT_EQ(test::deliver(kStart, *handshake, received).kind, HandshakeStep::Kind::kFailed);
  EXPECT_EQ(handshake->failure_text(), "the peer expects version 0.2.154");
}

}  // namespace
}  // namespace godwit::handshake_golden_test
