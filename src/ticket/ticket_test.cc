#include "ticket/ticket.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/random.h"
#include "ticket/bech32.h"

namespace godwit {
namespace {

constexpr std::string_view kLetters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

PublicKey key_of(std::uint8_t seed) {
  std::array<std::uint8_t, kPublicKeySize> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(seed + i * 7);
  return PublicKey(bytes);
}

Ticket full_ticket() {
  return {.key = key_of(1),
          .requires_extended = true,
          .addresses = {*SocketAddress::parse("192.0.2.7:31337"), *SocketAddress::parse("[2001:db8::7]:4000")},
          .hosts = {{.name = "peer.example", .port = 31337}},
          .rendezvous = {{.key = key_of(2), .address = *SocketAddress::parse("198.51.100.1:7000")}}};
}

Ticket short_ticket() {
  return {.key = key_of(1), .addresses = {*SocketAddress::parse("192.0.2.7:31337")}};
}

TEST(Bech32m, AgreesWithThePublishedVectors) {
  // BIP 350, "Test vectors": valid ones, with their prefixes.
  for (const auto& [prefix, text] :
       {std::pair{"a", "A1LQFN3A"}, std::pair{"a", "a1lqfn3a"},
        std::pair{"abcdef", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx"}, std::pair{"?", "?1v759aa"},
        std::pair{"split", "split1checkupstagehandshakeupstreamerranterredcaperredlc445v"}}) {
    EXPECT_FALSE(decode_bech32(prefix, text).error) << text;
  }
  EXPECT_EQ(decode_bech32("a", "a1lqfn3q").error, Bech32Error::kChecksum);
  EXPECT_EQ(encode_bech32("a", {}), "a1lqfn3a");
  EXPECT_EQ(encode_bech32("?", {}), "?1v759aa");
}

TEST(FiveBits, ComeBackAsTheBytesTheyWere) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t count = 0; count < 40; ++count) {
    const auto values = to_five_bits(bytes);
    EXPECT_EQ(from_five_bits(values.data(), values.size()), bytes) << count;
    bytes.push_back(static_cast<std::uint8_t>(count * 37 + 11));
  }
  const std::vector<std::uint8_t> left_over = {0, 1};  // ten bits: a byte and two that are not zeros
  EXPECT_FALSE(from_five_bits(left_over.data(), left_over.size()));
}

TEST(Ticket, ComesBackFromItsText) {
  for (const Ticket& ticket : {full_ticket(), short_ticket()}) {
    const auto text = format_ticket(ticket);
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_TRUE(looks_like_ticket(*text));
    const auto again = parse_ticket(*text);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, ticket);
  }
}

TEST(Ticket, IsTheExampleOfTheSpecification) {
  EXPECT_EQ(format_ticket(short_ticket()).value_or(""),
            "godwit1pqqqssrckr5jzkv3egpr5u42uvd48z7rls6xefxaz4xct00k9enfa5qgxcqqqypm6dyshqfg7");
  EXPECT_EQ(format_ticket(full_ticket()).value_or(""),
            "godwit1pqyqssrckr5jzkv3egpr5u42uvd48z7rls6xefxaz4xct00k9enfa5qgxcqqqypm6dyppygqppkuqqqqqqq"
            "qqqqqqqqqqqpc05qpsu7nfwpjk2u3wv4uxzmtsd3jsgfszpygpw8399sen5s2gfat96ertwfucppuwjkw28243hzludnw5m0rrxeqprdvq"
            "edcjj0");
}

TEST(Ticket, IsReadInAnyCaseAndWithSpaceAround) {
  const std::string text = *format_ticket(full_ticket());
  std::string upper = text;
  std::ranges::transform(upper, upper.begin(),
                         [](char letter) { return static_cast<char>(letter >= 'a' ? letter - 'a' + 'A' : letter); });
  EXPECT_EQ(parse_ticket(upper).value_or(Ticket{}), full_ticket());
  EXPECT_EQ(parse_ticket("  " + text + "\r\n").value_or(Ticket{}), full_ticket());
}

TEST(Ticket, EveryWrongLetterIsFound) {
  const std::string text = *format_ticket(full_ticket());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char letter : kLetters) {
      if (letter == text[i]) continue;
      std::string typed = text;
      typed[i] = letter;
      const auto parsed = parse_ticket(typed);
      ASSERT_FALSE(parsed) << typed;
      EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << typed;
    }
  }
}

TEST(Ticket, EveryPairOfExchangedNeighboursAndEveryTwoWrongLettersAreFound) {
  const std::string text = *format_ticket(short_ticket());
  for (std::size_t i = kTicketPrefix.size(); i + 1 < text.size(); ++i) {
    if (text[i] == text[i + 1]) continue;
    std::string typed = text;
    std::swap(typed[i], typed[i + 1]);
    EXPECT_FALSE(parse_ticket(typed)) << typed;
  }
  DeterministicRandom random(3);
  for (int round = 0; round < 10'000; ++round) {
    std::string typed = text;
    for (int wrong = 0; wrong < 2; ++wrong) {
      const std::size_t at = kTicketPrefix.size() + random.below(text.size() - kTicketPrefix.size());
      typed[at] = kLetters[random.below(32)];
    }
    if (typed == text) continue;
    EXPECT_FALSE(parse_ticket(typed)) << typed;
  }
}

TEST(Ticket, CutShortOrLengthenedItIsRefused) {
  const std::string text = *format_ticket(full_ticket());
  for (std::size_t count = 0; count < text.size(); ++count) EXPECT_FALSE(parse_ticket(text.substr(0, count))) << count;
  for (const char letter : kLetters) EXPECT_FALSE(parse_ticket(text + letter)) << letter;
  EXPECT_FALSE(parse_ticket(text + " " + text));
}

TEST(Ticket, ALetterOfNoTicketIsNamedByItsPlace) {
  std::string text = *format_ticket(short_ticket());
  text[20] = 'b';
  EXPECT_NE(parse_ticket(text).error().message.find("letter 21"), std::string::npos);
}

// With a correct checksum, as a later version or somebody malicious would make it.
std::string with_values(std::vector<std::uint8_t> values) {
  return encode_bech32("godwit", values);
}
std::string with_bytes(const std::vector<std::uint8_t>& bytes) {
  std::vector<std::uint8_t> values = to_five_bits(bytes);
  values.insert(values.begin(), 1);
  return with_values(values);
}
std::vector<std::uint8_t> start_of_bytes() {
  std::vector<std::uint8_t> bytes = {0};
  bytes.insert(bytes.end(), 32, 9);
  return bytes;
}

TEST(Ticket, OfALaterVersionIsToldFromAMistake) {
  for (const std::uint8_t version : std::vector<std::uint8_t>{2, 31}) {
    const auto parsed = parse_ticket(with_values({version, 0, 0}));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(parsed.error().message.find("later version"), std::string::npos);
  }
  EXPECT_EQ(parse_ticket(with_values({0, 0})).error().code, ErrorCode::kInvalidArgument);
}

TEST(Ticket, UnknownElementsAreSkippedUnlessTheyAreEssential) {
  std::vector<std::uint8_t> bytes = start_of_bytes();
  for (const std::uint8_t byte : std::vector<std::uint8_t>{0x7f, 2, 1, 2}) bytes.push_back(byte);
  for (const std::uint8_t byte : std::vector<std::uint8_t>{1, 6, 192, 0, 2, 7, 0x7a, 0x69}) bytes.push_back(byte);
  const auto parsed = parse_ticket(with_bytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->addresses.front().to_string(), "192.0.2.7:31337");
  bytes[33] = 0x80;
  EXPECT_EQ(parse_ticket(with_bytes(bytes)).error().code, ErrorCode::kUnsupported);
}

TEST(Ticket, WhatMeansNothingElsewhereIsInNoTicket) {
  for (const char* const address :
       {"0.0.0.0:1", "224.0.0.1:1", "192.0.2.7:0", "[::]:1", "[fe80::1%3]:1", "[ff02::1]:1"}) {
    Ticket ticket = short_ticket();
    ticket.addresses.push_back(*SocketAddress::parse(address));
    EXPECT_FALSE(format_ticket(ticket)) << address;
  }
  Ticket nowhere = short_ticket();
  nowhere.addresses.clear();
  EXPECT_FALSE(format_ticket(nowhere));
  for (const char* const name : {"", "a b", "a:b", "\xc3\xa4"}) {
    Ticket ticket = short_ticket();
    ticket.hosts.push_back({.name = name, .port = 1});
    EXPECT_FALSE(format_ticket(ticket)) << name;
  }
  Ticket many = short_ticket();
  many.addresses.resize(Ticket::kMaxAddresses + 1, many.addresses.front());
  EXPECT_EQ(format_ticket(many).error().code, ErrorCode::kTooLarge);
}

TEST(Ticket, HostileElementsAreRefused) {
  const std::vector<std::vector<std::uint8_t>> elements = {
      {},                                                                   // none: no way to the peer
      {1},                                                                  // cut short
      {1, 6, 192, 0, 2, 7, 0},                                              // the same
      {1, 5, 192, 0, 2, 7, 0},                                              // of the wrong length
      {1, 6, 192, 0, 2, 7, 0, 0},                                           // port 0
      {1, 6, 0, 0, 0, 0, 0, 1},                                             // the wildcard
      {3, 2, 0, 1},                                                         // a host without a name
      {3, 3, 0, 0, 'a'},                                                    // port 0
      {3, 3, 0, 1, '\n'},                                                   // no name
      {4, 1, 0},                                                            // a rendezvous without a key
      {2, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7, 0, 1},  // an IPv4 address in disguise
  };
  for (const auto& element : elements) {
    std::vector<std::uint8_t> bytes = start_of_bytes();
    bytes.insert(bytes.end(), element.begin(), element.end());
    const auto parsed = parse_ticket(with_bytes(bytes));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
  std::vector<std::uint8_t> many = start_of_bytes();
  for (int i = 0; i < 17; ++i) many.insert(many.end(), {1, 6, 192, 0, 2, 7, 0, 1});
  EXPECT_FALSE(parse_ticket(with_bytes(many)));
  EXPECT_FALSE(parse_ticket(with_bytes({0, 1, 2})));
}

}  // namespace
}  // namespace godwit
