// A rendezvous, a peer that is registered there and one that looks for it, joined in memory.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "rendezvous/rendezvous_client.h"
#include "rendezvous/rendezvous_server.h"
#include "transport/endpoint_pair_test_support.h"

namespace godwit {
namespace {

TEST(RendezvousMessage, ComesBackFromItsBytes) {
  const PublicKey key(std::array<std::uint8_t, kPublicKeySize>{1, 2, 3});
  const Candidates candidates = {*SocketAddress::parse("192.0.2.7:1"), *SocketAddress::parse("[2001:db8::1]:2")};
  const RendezvousMessage messages[] = {
      RendezvousRegister{.candidates = candidates},
      RendezvousFind{.request = 7, .key = key, .relay = true, .candidates = candidates},
      RendezvousRegistered{.code = RendezvousCode::kFull, .observed = candidates[1]},
      RendezvousRegistered{.code = RendezvousCode::kDone, .observed = std::nullopt},
      RendezvousFound{.request = 8,
                      .code = RendezvousCode::kDone,
                      .candidates = candidates,
                      .relay = candidates[0],
                      .pause = 80ms,
                      .relay_full = false},
      RendezvousFound{.request = 9,
                      .code = RendezvousCode::kDone,
                      .candidates = candidates,
                      .relay = {},
                      .pause = 80ms,
                      .relay_full = true},
      RendezvousIntroduced{.key = key, .candidates = candidates, .relay = std::nullopt, .pause = 90ms},
      RendezvousWhere{.port = candidates[0]},
      RendezvousSeen{.port = candidates[0], .observed = candidates[1]},
      RendezvousSeen{.port = candidates[0], .observed = std::nullopt},
      RendezvousCodeOpened{.code = RendezvousCode::kDone, .nameplate = 4711, .lifetime_seconds = 600},
      RendezvousCodeStep{.nameplate = 4711, .step = 2, .bytes = std::vector<std::uint8_t>(kMaxCodeBytes, 7)},
      RendezvousCodeStep{.nameplate = 4711, .step = 3, .bytes = {}},
      RendezvousCodeEnded{.nameplate = 4711, .code = RendezvousCode::kWrongCode},
  };
  for (const RendezvousMessage& message : messages) {
    const auto bytes = encode_rendezvous(message);
    const auto again = decode_rendezvous(bytes);
    ASSERT_TRUE(again) << message.index();
    EXPECT_EQ(again->index(), message.index());
    EXPECT_EQ(encode_rendezvous(*again), bytes);
    // A rendezvous of before says nothing of a pause, nor of ports.
    const bool pauses =
        std::holds_alternative<RendezvousFound>(message) || std::holds_alternative<RendezvousIntroduced>(message);
    const std::size_t least = bytes.size() - (pauses ? 3 : std::holds_alternative<RendezvousSeen>(message) ? 3 : 0);
    EXPECT_TRUE(decode_rendezvous(ByteView(bytes).first(least)));
    for (std::size_t count = 0; count < least; ++count) {
      EXPECT_FALSE(decode_rendezvous(ByteView(bytes).first(count))) << message.index() << " " << count;
    }
  }
}

TEST(RendezvousMessage, AddressesThatNoPeerCanHaveAreLeftOutAndTooManyAreNone) {
  const auto registered =
      decode_rendezvous(*from_hex("47575201"
                                  "01"
                                  "03"
                                  "04000000000100"
                                  "04e00000010100"
                                  "04c00002070100"));
  ASSERT_TRUE(registered);
  ASSERT_EQ(std::get<RendezvousRegister>(*registered).candidates.size(), 1U);
  EXPECT_EQ(std::get<RendezvousRegister>(*registered).candidates[0].to_string(), "192.0.2.7:1");
  std::string many =
      "47575201"
      "01"
      "09";
  for (int i = 0; i < 9; ++i) many += "04c00002070100";
  EXPECT_FALSE(decode_rendezvous(*from_hex(many)));
}

TEST(RendezvousMessage, AStepOfACodeHasABound) {
  const std::string step =
      "47575201"
      "12"
      "01000000"
      "01";
  EXPECT_TRUE(decode_rendezvous(*from_hex(step + "80" + std::string(256, '0'))));
  EXPECT_FALSE(decode_rendezvous(*from_hex(step + "81" + std::string(258, '0'))));
  EXPECT_FALSE(decode_rendezvous(*from_hex(step + "80" + std::string(254, '0'))));
  EXPECT_TRUE(decode_rendezvous(encode_rendezvous(RendezvousCodeOpen{})));
}

TEST(PlausibleCandidate, IsOfTheSameHostOrOfNoStranger) {
  const auto plausible = [](const char* claimed, const char* observed) {
    return is_plausible_candidate(*SocketAddress::parse(claimed), *SocketAddress::parse(observed));
  };
  EXPECT_TRUE(plausible("192.0.2.7:99", "192.0.2.7:1"));
  EXPECT_TRUE(plausible("10.1.2.3:1", "192.0.2.7:1"));
  EXPECT_TRUE(plausible("[fd00::1]:1", "192.0.2.7:1"));
  EXPECT_FALSE(plausible("192.0.2.8:1", "192.0.2.7:1"));
  EXPECT_FALSE(plausible("[2001:db8::1]:1", "192.0.2.7:1"));
  EXPECT_FALSE(plausible("127.0.0.1:1", "192.0.2.7:1"));
  EXPECT_TRUE(plausible("127.0.0.2:1", "127.0.0.1:1"));
}

class RendezvousTest : public testing::Test {
 protected:
  static Config config(bool accepts) {
    Config config = EndpointPair::chunk_config();
    config.handshake.extended = ExtendedPolicy::kAuto;
    config.accept_incoming = accepts;
    return config;
  }

  explicit RendezvousTest(const RendezvousLimits& limits = {})
      : pair_(config(true), config(true)),
        seeking_(pair_.add_third(*SocketAddress::parse("10.0.0.3:3000"), config(false))),
        server_(*pair_.server.endpoint, nullptr, limits),
        client_(*pair_.client.endpoint, place(), {*SocketAddress::parse("10.0.0.1:1000")}) {
    pair_.server.on_event = [this](Instant now, ConnectionId connection, Event& event) {
      server_.on_event(now, connection, event);
    };
    pair_.client.on_event = [this](Instant now, ConnectionId connection, Event& event) {
      if (client_.on_event(now, connection, event)) return;
      if (const auto* connected = std::get_if<Connected>(&event)) found_by_.push_back(*connected);
    };
    pair_.client.on_turn = [this](Instant now) { client_.on_turn(now); };
    pair_.client.next_timeout = [this] { return client_.next_timeout(); };
  }

  RendezvousPlace place() { return {.key = pair_.server.endpoint->public_key(), .addresses = {pair_.server.address}}; }
  void seek(const PublicKey& wanted) {
    seeker_.emplace(*seeking_.endpoint, place(), wanted, Candidates{seeking_.address}, false);
    seeking_.on_event = [this](Instant now, ConnectionId connection, Event& event) {
      if (direct_ && direct_->on_event(now, connection, event)) return;
      if (direct_ && connection == direct_->connection()) {
        if (const auto* connected = std::get_if<Connected>(&event)) found_ = *connected;
        return;
      }
      seeker_->on_event(now, connection, event);
    };
    seeking_.on_turn = [this](Instant now) {
      seeker_->on_turn(now);
      if (direct_) direct_->on_turn(now);
      if (!seeker_->answer() || direct_ || !*seeker_->answer()) return;
      direct_.emplace(*seeking_.endpoint, seeker_->answer()->value().candidates, client_key());
      ASSERT_TRUE(direct_->start(now));
    };
    seeking_.next_timeout = [this] { return seeker_->next_timeout(); };
    ASSERT_TRUE(seeker_->start(pair_.now));
  }
  const PublicKey& client_key() { return pair_.client.endpoint->public_key(); }
  bool register_client() {
    return pair_.run_until([this] { return client_.observed().has_value(); });
  }

  EndpointPair pair_;
  EndpointPair::Side& seeking_;
  RendezvousServer server_;
  RendezvousClient client_;
  std::optional<RendezvousSeeker> seeker_;
  std::optional<Connector> direct_;
  std::optional<Connected> found_;
  std::vector<Connected> found_by_;
};

TEST_F(RendezvousTest, TellsAPeerItsAddress) {
  ASSERT_TRUE(register_client());
  EXPECT_EQ(*client_.observed(), pair_.client.address);
  EXPECT_EQ(server_.registrations(), 1U);
  EXPECT_NE(client_.poll_notice().value_or("").find("10.0.0.1:1000"), std::string::npos);
}

TEST_F(RendezvousTest, IntroducesTwoPeersWhoConnectToEachOtherAtOnce) {
  ASSERT_TRUE(register_client());
  seek(client_key());
  ASSERT_TRUE(pair_.run_until([this] { return found_.has_value() && !found_by_.empty(); }));
  EXPECT_EQ(found_->remote, pair_.client.address);
  EXPECT_EQ(*found_->peer->key, client_key());
  EXPECT_EQ(*found_by_.front().peer->key, seeking_.endpoint->public_key());
  EXPECT_EQ(found_by_.size(), 1U) << "one connection, though both have begun it";
  EXPECT_EQ(server_.statistics().introductions, 1U);
}

TEST_F(RendezvousTest, OthersAreToldOfCandidatesThatCameLater) {
  ASSERT_TRUE(register_client());
  ASSERT_TRUE(client_.poll_notice());
  const SocketAddress mapped = pair_.client.address.with_port(4711);
  client_.set_candidates(pair_.now, {mapped});
  ASSERT_TRUE(pair_.run_until([this] { return server_.statistics().registered == 1 && client_.observed(); }));
  seek(client_key());
  ASSERT_TRUE(pair_.run_until([this] { return seeker_->answer().has_value(); }));
  EXPECT_EQ(seeker_->answer()->value().candidates, (Candidates{pair_.client.address, mapped}));
  EXPECT_FALSE(client_.poll_notice()) << "it is registered as before";
}

TEST_F(RendezvousTest, LossDoesNotMatter) {
  pair_.loss = 0.2;
  ASSERT_TRUE(register_client());
  seek(client_key());
  ASSERT_TRUE(pair_.run_until([this] { return found_.has_value() && !found_by_.empty(); }));
}

TEST_F(RendezvousTest, AKeyThatIsNotRegisteredIsSaid) {
  seek(client_key());
  // Asked before the peer has registered: the question may come first.
  pair_.client.on_turn = [](Instant) {};
  ASSERT_TRUE(pair_.run_until([this] { return seeker_->answer().has_value(); }));
  ASSERT_FALSE(seeker_->answer()->has_value());
  EXPECT_NE(seeker_->answer()->error().message.find("not registered"), std::string::npos);
  EXPECT_EQ(server_.statistics().unknown, 1U);
}

TEST_F(RendezvousTest, APeerIsForgottenWithItsConnectionAndRegistersAnew) {
  ASSERT_TRUE(register_client());
  pair_.server.endpoint->close_all(pair_.now, "restarting");
  ASSERT_TRUE(pair_.run_until([this] { return !client_.observed(); }));
  EXPECT_EQ(server_.registrations(), 0U);
  ASSERT_TRUE(register_client()) << "it comes back by itself";
  EXPECT_EQ(server_.registrations(), 1U);
}

TEST_F(RendezvousTest, OnlyARendezvousThatIsLostIsSaid) {
  ASSERT_TRUE(register_client());
  ASSERT_TRUE(client_.poll_notice()) << "it is registered";
  pair_.server.endpoint->close_all(pair_.now, "restarting");
  ASSERT_TRUE(pair_.run_until([this] { return !client_.observed(); }));
  EXPECT_NE(client_.poll_notice().value_or("").find("is lost, and asked again: restarting"), std::string::npos);
  ASSERT_TRUE(register_client());
  ASSERT_TRUE(client_.poll_notice()) << "it is registered again";
  pair_.client.endpoint->close_all(pair_.now, "done");
  ASSERT_TRUE(pair_.run_until([this] { return !client_.observed(); }));
  EXPECT_FALSE(client_.poll_notice()) << "this side has ended it";
}

TEST_F(RendezvousTest, QuestionsBeyondTheRateAreRefused) {
  ASSERT_TRUE(register_client());
  seek(client_key());
  ASSERT_TRUE(pair_.run_until([this] { return seeker_->answer().has_value(); }));
  const ConnectionId connection = seeking_.endpoint->connections().front();
  for (std::uint32_t i = 0; i < 200; ++i) {
    const RendezvousFind question{.request = i, .key = client_key(), .relay = false, .candidates = {}};
    ASSERT_TRUE(seeking_.endpoint->send(pair_.now, connection, Body::owned(encode_rendezvous(question))));
  }
  ASSERT_TRUE(pair_.run_until([this] { return server_.statistics().refused > 100; }));
  EXPECT_LE(server_.statistics().introductions, 40U);
}

TEST_F(RendezvousTest, WhatIsNoMessageChangesNothing) {
  ASSERT_TRUE(register_client());
  const ConnectionId connection = pair_.client.endpoint->connections().front();
  for (const char* const text : {"", "hello", "47575201", "4757520199", "4757520101ff"}) {
    const auto bytes = from_hex(text).value_or(std::vector<std::uint8_t>{'h', 'i'});
    if (bytes.empty()) continue;
    ASSERT_TRUE(pair_.client.endpoint->send(pair_.now, connection, Body::owned(std::vector<std::uint8_t>(bytes))));
  }
  ASSERT_TRUE(pair_.run_until([this] { return server_.statistics().ignored == 4; }));
  EXPECT_EQ(server_.registrations(), 1U);
}

// Has heard from one address at each of two ports.
class ScriptedRelay final : public RelayPorts {
 public:
  std::optional<Pair> open(Instant, const SocketAddress&, const SocketAddress&) override { return std::nullopt; }
  [[nodiscard]] std::optional<SocketAddress> heard_from(const SocketAddress& port) const override {
    const auto found = heard.find(port);
    return found == heard.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<SocketAddress, SocketAddress> heard;
};

TEST_F(RendezvousTest, ARelaysPortSaysWhereItHearsFromTheAskersOwnHostAlone) {
  const SocketAddress own_port = *SocketAddress::parse("192.0.2.1:5");
  const SocketAddress others_port = *SocketAddress::parse("192.0.2.1:6");
  ScriptedRelay relay;
  relay.heard = {{own_port, pair_.client.address.with_port(4711)}, {others_port, *SocketAddress::parse("192.0.2.9:1")}};
  RendezvousServer server(*pair_.server.endpoint, &relay, {});
  pair_.server.on_event = [&server](Instant now, ConnectionId connection, Event& event) {
    server.on_event(now, connection, event);
  };
  std::vector<RendezvousSeen> answers;
  pair_.client.on_event = [this, &answers](Instant now, ConnectionId connection, Event& event) {
    if (const auto* message = std::get_if<MessageReceived>(&event)) {
      const auto decoded = decode_rendezvous(message->payload);
      const auto* const seen = decoded ? std::get_if<RendezvousSeen>(&*decoded) : nullptr;
      if (seen != nullptr) answers.push_back(*seen);
    }
    static_cast<void>(client_.on_event(now, connection, event));
  };
  ASSERT_TRUE(register_client());
  const ConnectionId connection = pair_.client.endpoint->connections().front();
  for (const SocketAddress& port : {own_port, others_port, *SocketAddress::parse("192.0.2.1:7")}) {
    const std::size_t before = answers.size();
    const auto question = encode_rendezvous(RendezvousWhere{.port = port});
    ASSERT_TRUE(pair_.client.endpoint->send(pair_.now, connection, Body::owned(std::vector<std::uint8_t>(question))));
    ASSERT_TRUE(pair_.run_until([&] { return answers.size() > before; }));
    EXPECT_EQ(answers.back().port, port);
    EXPECT_EQ(answers.back().observed.has_value(), port == own_port);
  }
  EXPECT_EQ(answers.front().observed->port(), 4711);
}

TEST_F(RendezvousTest, ACodeBringsTwoPeersTogetherWhoKnowNothingOfEachOther) {
  if (!cpace::available()) GTEST_SKIP() << "built without libsodium";
  pair_.loss = 0.1;
  DeterministicRandom random(3);
  client_.meet_by_code(CodeExchange(random, client_key(), place().key, std::nullopt));
  std::optional<std::string> code;
  ASSERT_TRUE(pair_.run_until([&] { return (code = client_.exchange()->poll_code()).has_value(); }));
  seek(PublicKey());
  seeker_->meet_by_code(CodeExchange(random, seeking_.endpoint->public_key(), place().key, *OneTimeCode::parse(*code)));
  ASSERT_TRUE(pair_.run_until([this] { return found_.has_value() && !found_by_.empty(); }));
  EXPECT_EQ(*found_->peer->key, client_key());
  EXPECT_EQ(client_.exchange()->peer(), seeking_.endpoint->public_key());
  EXPECT_EQ(seeker_->wanted(), client_key());
  EXPECT_EQ(server_.codes().statistics().matched, 1U);
}

TEST_F(RendezvousTest, ACodeThatIsTypedWronglyFindsNobody) {
  if (!cpace::available()) GTEST_SKIP() << "built without libsodium";
  DeterministicRandom random(3);
  client_.meet_by_code(CodeExchange(random, client_key(), place().key, std::nullopt));
  std::optional<std::string> code;
  ASSERT_TRUE(pair_.run_until([&] { return (code = client_.exchange()->poll_code()).has_value(); }));
  OneTimeCode wrong = *OneTimeCode::parse(*code);
  ++wrong.words[0];
  seek(PublicKey());
  seeker_->meet_by_code(CodeExchange(random, seeking_.endpoint->public_key(), place().key, wrong));
  ASSERT_TRUE(pair_.run_until([this] { return seeker_->answer() && client_.exchange()->failure(); }));
  EXPECT_NE(seeker_->answer()->error().message.find("the code is wrong"), std::string::npos);
  EXPECT_EQ(server_.codes().size(), 0U);
  EXPECT_EQ(server_.registrations(), 1U) << "it can still be found by its key";
}

class SmallRendezvousTest : public RendezvousTest {
 protected:
  SmallRendezvousTest() : RendezvousTest({.registrations = 0, .registrations_per_prefix = 1}) {}
};

TEST_F(SmallRendezvousTest, AFullRegistryIsSaid) {
  ASSERT_TRUE(pair_.run_until([this] { return server_.statistics().refused > 0; }));
  std::string notice;
  ASSERT_TRUE(pair_.run_until([&] {
    notice = client_.poll_notice().value_or("");
    return !notice.empty();
  }));
  EXPECT_NE(notice.find("no place left"), std::string::npos) << notice;
  EXPECT_EQ(server_.registrations(), 0U);
}

}  // namespace
}  // namespace godwit
