// Any bytes in every state: a handshake survives them, answers none of them, and finishes afterwards as if nothing had
// been.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "handshake/handshake.h"
#include "handshake/handshake_test_support.h"

namespace godwit::handshake_hostile_test {
namespace {

using test::Bytes;
using test::kAlice;
using test::kBob;
using test::kStart;

// A handshake brought to one of its states, and the datagram that finishes it there.
struct Waiting {
  std::string state;
  Handshake handshake;
  Bytes finishing;
};

class HostileTest : public testing::Test {
 protected:
  Handshake initiate(test::Party& self) {
    auto handshake = Handshake::initiate(kStart, self.context, kBob, peer_.keys.public_key());
    GODWIT_ASSERT(handshake.has_value());
    return std::move(*handshake);
  }
  Bytes ack(const SymmetricKey& under, const SymmetricKey& named) {
    return test::seal_message(peer_.random, under, 0,
                              wire::AckOk{.key = named, .remote_address = kAlice, .version = wire::kAnnouncedVersion});
  }
  SymmetricKey new_key() { return SymmetricKey::generate(peer_.random); }

  std::vector<Waiting> every_state() {
    std::vector<Waiting> states;
    {
      Handshake handshake = initiate(plain_);
      const SymmetricKey k1 = test::seen(peer_.keys, test::drain(kStart, handshake).front()).intro.key;
      states.push_back({"connecting", std::move(handshake), ack(k1, new_key())});
    }
    for (test::Party* self : {&plain_, &strict_}) {
      Handshake handshake = initiate(*self);
      const SymmetricKey k1 = test::seen(peer_.keys, test::drain(kStart, handshake).front()).intro.key;
      const SymmetricKey theirs = new_key();
      Bytes intro =
          test::make_intro(peer_.random, self->keys.public_key(), {.version = wire::kAnnouncedVersion, .key = theirs});
      test::deliver(kStart, handshake, intro);
      test::drain(kStart, handshake);
      states.push_back(
          {self == &plain_ ? "simultaneous" : "simultaneous, strict", std::move(handshake), ack(k1, theirs)});
    }
    {
      Handshake handshake = initiate(plain_);
      const SymmetricKey k1 = test::seen(peer_.keys, test::drain(kStart, handshake).front()).intro.key;
      const SymmetricKey theirs = new_key();
      Bytes intro =
          test::make_intro(peer_.random, plain_.keys.public_key(), {.version = wire::kAnnouncedVersion, .key = theirs});
      test::deliver(kStart, handshake, intro);
      test::drain(kStart, handshake);
      Bytes second = ack(k1, new_key());
      test::deliver(kStart, handshake, second);
      const auto sent = test::drain(kStart, handshake);
      const std::uint64_t sequence = test::message_in<wire::Ping>(theirs, sent.back())->sequence;
      states.push_back(
          {"probing", std::move(handshake), test::seal_message(peer_.random, k1, 1, wire::Pong{sequence})});
    }
    {
      const SymmetricKey theirs = new_key();
      const Bytes intro =
          test::make_intro(peer_.random, plain_.keys.public_key(), {.version = wire::kAnnouncedVersion, .key = theirs});
      auto handshake = Handshake::accept(kStart, plain_.context, kBob, test::seen(plain_.keys, intro));
      const Bytes sent = test::drain(kStart, *handshake).front();
      const SymmetricKey ours = test::message_in<wire::AckOk>(theirs, sent)->key;
      states.push_back({"accepting", std::move(*handshake), ack(ours, theirs)});
    }
    return states;
  }

  // `attack` yields datagrams until it yields nothing.
  void expect_unmoved(const std::function<std::optional<Bytes>()>& attack) {
    std::vector<Waiting> states = every_state();
    while (auto datagram = attack()) {
      for (Waiting& waiting : states) {
        Bytes copy = *datagram;
        const HandshakeStep step = test::deliver(kStart + 10ms, waiting.handshake, copy);
        ASSERT_EQ(step.kind, HandshakeStep::Kind::kNothing) << waiting.state << ": " << to_hex(*datagram);
        ASSERT_TRUE(step.drop.has_value());
        ASSERT_EQ(copy, *datagram) << waiting.state << ": the bytes may belong to another key";
      }
    }
    for (Waiting& waiting : states) {
      EXPECT_TRUE(test::drain(kStart + 10ms, waiting.handshake).empty()) << waiting.state;
      EXPECT_EQ(test::deliver_copy(kStart + 20ms, waiting.handshake, waiting.finishing),
                HandshakeStep::Kind::kEstablished)
          << waiting.state;
    }
  }

  HostileTest() { strict_.config.require_authenticated_peer = true; }

  test::Party plain_{1};
  test::Party strict_{2};
  test::Party peer_{3};
  DeterministicRandom random_{4};
};

TEST_F(HostileTest, Item11SurvivesEveryLengthUpToTheEnvelopeInEveryState) {
  std::size_t size = 0;
  std::size_t type = 0;
  expect_unmoved([&]() -> std::optional<Bytes> {
    if (type == 256) {
      type = 0;
      ++size;
    }
    if (size > 29) return std::nullopt;
    Bytes datagram(size);
    random_.fill(datagram);
    if (size > 0) datagram[0] = static_cast<std::uint8_t>(type);
    type = size == 0 ? 256 : type + 1;
    return datagram;
  });
}

TEST_F(HostileTest, Item13DropsEveryOtherFirstByteInEveryState) {
  std::size_t type = 0;
  expect_unmoved([&]() -> std::optional<Bytes> {
    if (type == 1) type = 3;
    if (type > 255) return std::nullopt;
    Bytes datagram(200);
    random_.fill(datagram);
    datagram[0] = static_cast<std::uint8_t>(type++);
    return datagram;
  });
}

TEST_F(HostileTest, Item10SurvivesSymmetricJunkOfEveryLengthUpTo1600) {
  std::size_t size = 29;
  expect_unmoved([&]() -> std::optional<Bytes> {
    if (size > 1600) return std::nullopt;
    Bytes datagram(size++);
    random_.fill(datagram);
    datagram[0] = 0x02;
    return datagram;
  });
}

TEST_F(HostileTest, Item72SurvivesAHundredThousandRandomDatagramsInEveryState) {
  int left = 100'000;
  expect_unmoved([&]() -> std::optional<Bytes> {
    if (left-- == 0) return std::nullopt;
    Bytes datagram(random_.below(120));
    random_.fill(datagram);
    // Mostly what is worth a decryption; intros are few, as Admission lets few through.
    if (!datagram.empty() && random_.below(4) != 0) datagram[0] = left % 1000 == 0 ? 0x01 : 0x02;
    return datagram;
  });
}

TEST_F(HostileTest, SurvivesBitFlipsOfItsOwnDatagrams) {
  std::vector<Bytes> originals;
  for (Waiting& waiting : every_state()) originals.push_back(waiting.finishing);
  std::size_t which = 0;
  std::size_t bit = 0;
  expect_unmoved([&]() -> std::optional<Bytes> {
    if (bit == originals[which].size() * 8) {
      bit = 0;
      if (++which == originals.size()) return std::nullopt;
    }
    Bytes datagram = originals[which];
    datagram[bit / 8] = static_cast<std::uint8_t>(datagram[bit / 8] ^ (1u << (bit % 8)));
    ++bit;
    return datagram;
  });
}

TEST_F(HostileTest, IgnoresEverythingOnceItHasFinished) {
  for (Waiting& waiting : every_state()) {
    ASSERT_EQ(test::deliver_copy(kStart, waiting.handshake, waiting.finishing), HandshakeStep::Kind::kEstablished);
    EXPECT_EQ(test::deliver_copy(kStart, waiting.handshake, waiting.finishing), HandshakeStep::Kind::kNothing);
    EXPECT_EQ(waiting.handshake.next_timeout(), std::nullopt);
    EXPECT_EQ(waiting.handshake.handle_timeout(kStart + 1h).kind, HandshakeStep::Kind::kNothing);
  }
}

TEST_F(HostileTest, EveryPlaintextLengthUnderARightKeyIsSurvived) {
  // Authentic, but not a message: an initiator waits on, all others are confirmed by it (conformance items 12, 36).
  const SymmetricKey theirs = new_key();
  for (std::size_t size = 0; size < 200; ++size) {
    const Bytes intro =
        test::make_intro(peer_.random, plain_.keys.public_key(), {.version = wire::kAnnouncedVersion, .key = theirs});
    auto handshake = Handshake::accept(kStart, plain_.context, kBob, test::seen(plain_.keys, intro));
    const SymmetricKey ours = test::message_in<wire::AckOk>(theirs, test::drain(kStart, *handshake).front())->key;
    Bytes plaintext(size);
    random_.fill(plaintext);
    Bytes datagram = test::seal_plaintext(peer_.random, ours, plaintext);
    const HandshakeStep step = test::deliver(kStart, *handshake, datagram);
    ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
    EXPECT_EQ(Bytes(step.plaintext.begin(), step.plaintext.end()), plaintext);
  }
}

}  // namespace
}  // namespace godwit::handshake_hostile_test
