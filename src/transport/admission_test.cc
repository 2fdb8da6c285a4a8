#include "transport/admission.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/random.h"

namespace godwit::admission_test {
namespace {

constexpr Instant kStart{50s};

using Intro = std::array<std::uint8_t, wire::kIntroDatagram>;

class AdmissionTest : public testing::Test {
 protected:
  Intro intro() {
    Intro bytes{};
    random_.fill(bytes);
    bytes[0] = wire::kTypeIntro;
    return bytes;
  }
  static SocketAddress address(std::uint32_t ip, std::uint16_t port) {
    return SocketAddress::ipv4({static_cast<std::uint8_t>(ip >> 24), static_cast<std::uint8_t>(ip >> 16),
                                static_cast<std::uint8_t>(ip >> 8), static_cast<std::uint8_t>(ip)},
                               port);
  }
  AdmissionVerdict ask(Admission& admission, Instant now, const SocketAddress& from,
                       IntroSource source = IntroSource::kStranger) {
    return admission.admit_intro(now, from, intro(), source);
  }

  DeterministicRandom random_{1};
  AdmissionConfig config_;
};

TEST_F(AdmissionTest, Item38LimitsTheDecryptionsOfOneAddress) {
  Admission admission(config_, random_);
  const SocketAddress from = address(0x0a000001, 4000);
  std::size_t decrypted = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (ask(admission, kStart + i * 1ms, from) == AdmissionVerdict::kDecrypt) ++decrypted;
  }
  EXPECT_GE(decrypted, config_.address_burst + 9 * config_.address_rate);
  EXPECT_LE(decrypted, config_.address_burst + 10 * config_.address_rate);
}

TEST_F(AdmissionTest, JunkFromAPeersAddressDoesNotUseUpThePeersAllowance) {
  // Fresh junk at any of these rates; the peer's own intro comes again and again, every 250 ms.
  for (const Duration interval : {Duration{250ms}, Duration{10ms}, Duration{1ms}}) {
    Admission admission(config_, random_);
    const SocketAddress from = address(0x0a000001, 4000);
    Instant now = kStart;
    for (; now < kStart + 20s; now += interval) static_cast<void>(ask(admission, now, from, IntroSource::kKnown));
    const Intro own = intro();
    int tries = 0;
    for (Instant repeat = now; tries < 12; now += interval) {
      static_cast<void>(ask(admission, now, from, IntroSource::kKnown));
      if (now < repeat) continue;
      repeat += 250ms;
      ++tries;
      if (admission.admit_intro(now, from, own, IntroSource::kKnown) == AdmissionVerdict::kDecrypt) break;
    }
    EXPECT_LE(tries, 2) << interval.count();
  }
}

TEST_F(AdmissionTest, DecryptsTheSameJunkOnce) {
  Admission admission(config_, random_);
  const SocketAddress from = address(0x0a000001, 4000);
  const Intro junk = intro();
  EXPECT_EQ(admission.admit_intro(kStart, from, junk, IntroSource::kStranger), AdmissionVerdict::kDecrypt);
  admission.on_junk(from, junk);
  EXPECT_EQ(admission.admit_intro(kStart + 1h, from, junk, IntroSource::kStranger), AdmissionVerdict::kJunk);
  // Junk with the ephemeral key of a real intro does not shut that one out.
  Intro real = junk;
  real[50] ^= 1;
  EXPECT_EQ(admission.admit_intro(kStart + 1h, from, real, IntroSource::kStranger), AdmissionVerdict::kDecrypt);
}

TEST_F(AdmissionTest, Item41TreatsThePortsOfOneAddressApart) {
  Admission admission(config_, random_);
  for (std::uint16_t port = 1; port <= 100; ++port) {
    EXPECT_EQ(ask(admission, kStart, address(0x0a000001, port)), AdmissionVerdict::kDecrypt) << port;
  }
}

TEST_F(AdmissionTest, LimitsAnIpv4AddressOverAllItsPorts) {
  Admission admission(config_, random_);
  std::size_t decrypted = 0;
  for (std::uint16_t port = 1; port <= 5000; ++port) {
    if (ask(admission, kStart, address(0x0a000001, port)) == AdmissionVerdict::kDecrypt) ++decrypted;
  }
  EXPECT_EQ(decrypted, config_.prefix_burst);
  EXPECT_EQ(admission.statistics().of(AdmissionVerdict::kPrefixLimited), 5000u - config_.prefix_burst);
  // Others are not affected.
  EXPECT_EQ(ask(admission, kStart, address(0x0a000002, 1)), AdmissionVerdict::kDecrypt);
}

TEST_F(AdmissionTest, LimitsAnIpv6NetworkOfSixtyFourBits) {
  Admission admission(config_, random_);
  std::size_t decrypted = 0;
  for (std::uint16_t host = 0; host < 2000; ++host) {
    std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8};
    octets[14] = static_cast<std::uint8_t>(host >> 8);
    octets[15] = static_cast<std::uint8_t>(host);
    if (ask(admission, kStart, SocketAddress::ipv6(octets, 9)) == AdmissionVerdict::kDecrypt) ++decrypted;
  }
  EXPECT_EQ(decrypted, config_.prefix_burst);
}

TEST_F(AdmissionTest, LimitsStrangersAltogetherAndLeavesTheKnownTheirShare) {
  Admission admission(config_, random_);
  std::size_t decrypted = 0;
  for (std::uint32_t ip = 1; ip <= 10'000; ++ip) {
    if (ask(admission, kStart, address(ip << 8, 1)) == AdmissionVerdict::kDecrypt) ++decrypted;
  }
  EXPECT_EQ(decrypted, config_.stranger_burst);
  EXPECT_EQ(ask(admission, kStart, address(0x7f000001, 1)), AdmissionVerdict::kGloballyLimited);
  EXPECT_EQ(ask(admission, kStart, address(0x7f000001, 1), IntroSource::kKnown), AdmissionVerdict::kDecrypt);
}

// Whoever may connect may open hundreds of connections, and is then known by hundreds of addresses.
TEST_F(AdmissionTest, TheManyConnectionsOfOneHostLeaveTheKnownOfOthersTheirShare) {
  Admission admission(config_, random_);
  int asked = 0;
  int decrypted = 0;
  for (int millisecond = 0; millisecond < 10'000; ++millisecond) {
    const Instant now = kStart + millisecond * 1ms;
    for (int i = 0; i < 4; ++i) {
      const auto port = static_cast<std::uint16_t>(1 + random_.below(1000));
      static_cast<void>(ask(admission, now, address(0x0a000001, port), IntroSource::kKnown));
    }
    if (millisecond % 250 != 0) continue;
    ++asked;
    const bool admitted =
        ask(admission, now, address(0xc0000201, 4000), IntroSource::kKnown) == AdmissionVerdict::kDecrypt;
    decrypted += admitted ? 1 : 0;
  }
  EXPECT_EQ(decrypted, asked);
}

TEST_F(AdmissionTest, DoesNotChargeAnAddressForARefusal) {
  config_.stranger_rate = 1;
  config_.stranger_burst = 1;
  Admission admission(config_, random_);
  EXPECT_EQ(ask(admission, kStart, address(1, 1)), AdmissionVerdict::kDecrypt);
  EXPECT_EQ(ask(admission, kStart, address(2, 1)), AdmissionVerdict::kGloballyLimited);
  EXPECT_EQ(ask(admission, kStart + 1s, address(2, 1)), AdmissionVerdict::kDecrypt);
}

TEST_F(AdmissionTest, RefusesAnAnsweredIntroFromTheSameAddressAlone) {
  Admission admission(config_, random_);
  const Intro one = intro();
  const SocketAddress from = address(1, 1);
  ASSERT_EQ(admission.admit_intro(kStart, from, one, IntroSource::kStranger), AdmissionVerdict::kDecrypt);
  admission.on_answered(from, IntroFingerprint::of(one));
  EXPECT_EQ(admission.admit_intro(kStart + 1h, from, one, IntroSource::kKnown), AdmissionVerdict::kReplay);
  // A copy from elsewhere may be the peer behind another port of its NAT, or may have come before the peer's own.
  EXPECT_EQ(admission.admit_intro(kStart + 1h, address(1, 2), one, IntroSource::kStranger), AdmissionVerdict::kDecrypt);
  EXPECT_EQ(admission.admit_intro(kStart + 1h, address(2, 1), one, IntroSource::kStranger), AdmissionVerdict::kDecrypt);
  // A replay costs nobody a decryption.
  EXPECT_EQ(ask(admission, kStart + 1h, from), AdmissionVerdict::kDecrypt);
}

TEST_F(AdmissionTest, Item23RationsErrorAcks) {
  Admission admission(config_, random_);
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    if (admission.may_send_error_ack(kStart)) ++sent;
  }
  EXPECT_EQ(sent, config_.error_ack_burst);
  EXPECT_TRUE(admission.may_send_error_ack(kStart + 1s));
  EXPECT_EQ(admission.statistics().error_acks_suppressed, 1000u - config_.error_ack_burst);
}

TEST_F(AdmissionTest, DropsTheOldestHalfOpenHandshake) {
  config_.max_half_open = 3;
  Admission admission(config_, random_);
  for (std::uint64_t owner = 1; owner <= 3; ++owner) admission.on_half_open(owner);
  EXPECT_EQ(admission.poll_evicted(), std::nullopt);
  admission.on_half_open(4);
  EXPECT_EQ(admission.poll_evicted(), 1u);
  EXPECT_EQ(admission.poll_evicted(), std::nullopt);
  admission.on_half_open_ended(2);
  admission.on_half_open(5);
  EXPECT_EQ(admission.poll_evicted(), std::nullopt);
  EXPECT_EQ(admission.half_open(), 3u);
  EXPECT_EQ(admission.statistics().half_open_dropped, 1u);
}

TEST_F(AdmissionTest, Item73StaysBoundedUnderAHundredThousandSpoofedPorts) {
  Admission admission(config_, random_);
  std::size_t most_bytes = 0;
  std::uint64_t decrypted = 0;
  std::size_t most_half_open = 0;
  Instant now = kStart;
  // 100,000 distinct sources over 10 s, each a valid intro that is answered.
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    now += 100us;
    const Intro bytes = intro();
    const SocketAddress from = address(0x0a000000 + i / 10'000, static_cast<std::uint16_t>(1 + i % 60'000));
    if (admission.admit_intro(now, from, bytes, IntroSource::kStranger) == AdmissionVerdict::kDecrypt) {
      ++decrypted;
      admission.on_answered(from, IntroFingerprint::of(bytes));
      admission.on_half_open(i);
      static_cast<void>(admission.poll_evicted());
    }
    most_bytes = std::max(most_bytes, admission.memory_bytes());
    most_half_open = std::max(most_half_open, admission.half_open());
  }
  // Ten addresses that send one after the other for a second each.
  EXPECT_LE(decrypted, 10 * (config_.prefix_burst + config_.prefix_rate));
  EXPECT_LE(most_half_open, config_.max_half_open);
  EXPECT_LE(most_bytes, 640u * 1024);
  std::uint64_t judged = 0;
  for (const std::uint64_t count : admission.statistics().verdicts) judged += count;
  EXPECT_EQ(judged, 100'000u);
}

TEST_F(AdmissionTest, LetsRepeatedIntrosThroughAFlood) {
  // 20,000 spoofed intros a second, at random instants, against a budget of 2,000; initiators repeat their intro every
  // 250 ms for 15 s, and the path adds a few milliseconds to each.
  constexpr std::uint32_t kInitiators = 100;
  constexpr std::size_t kWanted = 95;
  Admission admission(config_, random_);
  std::array<Instant, kInitiators> next;
  for (Instant& at : next) at = kStart + 1s + Duration{static_cast<Duration::rep>(random_.below(250'000'000))};
  std::size_t served = 0;
  for (Instant now = kStart; now < kStart + 16s && served < kWanted;
       now += Duration{static_cast<Duration::rep>(random_.below(100'000))}) {
    for (std::uint32_t initiator = 0; initiator < kInitiators; ++initiator) {
      if (next[initiator] > now) continue;
      const bool admitted =
          ask(admission, next[initiator], address(0xc6336400 + initiator, 9)) == AdmissionVerdict::kDecrypt;
      if (admitted) ++served;
      next[initiator] = admitted
                            ? Instant::max()
                            : next[initiator] + 250ms + Duration{static_cast<Duration::rep>(random_.below(5'000'000))};
    }
    static_cast<void>(ask(admission, now, address(static_cast<std::uint32_t>(random_.next_u64()), 7)));
  }
  EXPECT_GE(served, kWanted);
}

TEST(AdmissionConfigTest, AllThatStrangersMayTogetherGrowsInOneProportion) {
  const AdmissionConfig usual;
  const AdmissionConfig same = AdmissionConfig::for_offers(usual.offer_rate);
  EXPECT_EQ(same.stranger_rate, usual.stranger_rate);
  EXPECT_EQ(same.max_half_open, usual.max_half_open);
  const AdmissionConfig server = AdmissionConfig::for_offers(10 * usual.offer_rate);
  EXPECT_EQ(server.offer_burst, 10 * usual.offer_burst);
  EXPECT_EQ(server.stranger_rate, 10 * usual.stranger_rate);
  EXPECT_EQ(server.known_rate, 10 * usual.known_rate);
  EXPECT_EQ(server.replay_entries, 10 * usual.replay_entries);
  EXPECT_EQ(server.max_half_open, 10 * usual.max_half_open);
  EXPECT_EQ(server.address_rate, usual.address_rate);
  EXPECT_EQ(server.prefix_rate, usual.prefix_rate);
  EXPECT_EQ(server.network_rate, usual.network_rate);
}

TEST(AdmissionOffers, AreBoundedApartForStrangersAndForKnownAddresses) {
  DeterministicRandom random(1);
  Admission admission({.offer_rate = 10, .offer_burst = 4, .known_offer_rate = 10, .known_offer_burst = 2}, random);
  const Instant now{1h};
  const auto admitted = [&](Instant at, IntroSource source) {
    int count = 0;
    for (int i = 0; i < 50; ++i) count += admission.admit_offer(at, source) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(admitted(now, IntroSource::kStranger), 4);
  EXPECT_EQ(admitted(now, IntroSource::kKnown), 2);
  EXPECT_EQ(admission.statistics().offers_refused, 46u + 48u);
  EXPECT_EQ(admitted(now + 100ms, IntroSource::kStranger), 1);
}

// One cookie that is passed around opens a door of one offer a second.
TEST(AdmissionOffers, OfStrangersWithACookieCountWithKnownAddressesWhenTheirShareIsUsedUp) {
  DeterministicRandom random(3);
  Admission admission({.offer_rate = 10, .offer_burst = 4, .known_offer_rate = 100, .known_offer_burst = 100}, random);
  const Instant now{1h};
  const auto admitted = [&](Instant at, std::uint8_t cookie) {
    const std::array<std::uint8_t, 24> bytes = {cookie};
    int count = 0;
    for (int i = 0; i < 50; ++i) count += admission.admit_offer(at, IntroSource::kStranger, ByteView(bytes)) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(admitted(now, 1), 4 + 4) << "the strangers' share first, then a burst of the cookie";
  EXPECT_EQ(admitted(now, 1), 0);
  EXPECT_EQ(admitted(now, 2), 4);
  EXPECT_EQ(admission.statistics().cookies_honoured, 8u);
  EXPECT_EQ(admitted(now + 1s, 1), 4 + 1);
}

// Junk draws on the decryptions alone: whoever is let in among it with an offer gets its answer.
TEST(AdmissionOffers, AreAnsweredWhileJunkUsesUpTheDecryptions) {
  DeterministicRandom random(2);
  Admission admission({}, random);
  int let_in = 0;
  int answered = 0;
  // 5,000 a second from everywhere, among them one of an honest peer every 10 ms.
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    const Instant now = Instant{1h} + i * 200us;
    const bool honest = i % 50 == 0;
    const auto octet = [i](unsigned shift) { return static_cast<std::uint8_t>(i * 2654435761U >> shift); };
    const SocketAddress remote = SocketAddress::ipv4({octet(24), octet(16), octet(8), 1}, 9);
    Intro intro{0x01};
    random.fill(std::span(intro).subspan(1));
    if (admission.admit_intro(now, remote, intro, IntroSource::kStranger) != AdmissionVerdict::kDecrypt) continue;
    if (!honest) continue;
    ++let_in;
    answered += admission.admit_offer(now, IntroSource::kStranger) ? 1 : 0;
  }
  EXPECT_GT(let_in, 200);
  EXPECT_EQ(answered, let_in);
}

}  // namespace
}  // namespace godwit::admission_test
