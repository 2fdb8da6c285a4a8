// Tickets through both interfaces.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "godwit/godwit_c.h"
#include "godwit/ticket.h"

namespace godwit::v1 {
namespace {

const std::string kKey(64, 'a');
const std::string kOtherKey(64, 'b');

Ticket full_ticket() {
  return {.public_key = kKey,
          .requires_extended = true,
          .addresses = {"192.0.2.7:31337", "[2001:db8::7]:4000"},
          .hosts = {"peer.example:31337"},
          .rendezvous = {{.address = "198.51.100.1:7000", .public_key = kOtherKey}}};
}

TEST(TicketApi, ComesBackFromItsText) {
  const auto text = format_ticket(full_ticket());
  ASSERT_TRUE(text) << text.error().message;
  const auto again = parse_ticket(*text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->public_key, kKey);
  EXPECT_TRUE(again->requires_extended);
  EXPECT_EQ(again->addresses, full_ticket().addresses);
  EXPECT_EQ(again->hosts, full_ticket().hosts);
  ASSERT_EQ(again->rendezvous.size(), 1U);
  EXPECT_EQ(again->rendezvous[0].address, "198.51.100.1:7000");
  EXPECT_EQ(again->rendezvous[0].public_key, kOtherKey);
}

TEST(TicketApi, WhatIsWrongIsSaid) {
  Ticket ticket = full_ticket();
  ticket.public_key = "abc";
  EXPECT_EQ(format_ticket(ticket).error().code, ErrorCode::kInvalidArgument);
  ticket = full_ticket();
  ticket.addresses.emplace_back("host:1");
  EXPECT_NE(format_ticket(ticket).error().message.find("host:1"), std::string::npos);
  ticket = full_ticket();
  ticket.hosts.emplace_back("host");
  EXPECT_FALSE(format_ticket(ticket));
  ticket = full_ticket();
  ticket.rendezvous[0].public_key.clear();
  EXPECT_FALSE(format_ticket(ticket));
  std::string text = *format_ticket(full_ticket());
  text[12] = text[12] == 'q' ? 'p' : 'q';
  EXPECT_EQ(parse_ticket(text).error().code, ErrorCode::kInvalidArgument);
}

TEST(TicketApi, TheInterfaceOfCGivesTheSame) {
  const std::string text = *format_ticket(full_ticket());
  godwit_ticket ticket{};
  ticket.size = sizeof ticket;
  ASSERT_EQ(godwit_ticket_parse(text.c_str(), &ticket), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(std::string(ticket.public_key), kKey);
  ASSERT_EQ(ticket.addresses_count, 2U);
  EXPECT_EQ(std::string(ticket.addresses[1]), "[2001:db8::7]:4000");
  EXPECT_EQ(std::string(ticket.hosts[0]), "peer.example:31337");
  EXPECT_EQ(std::string(ticket.rendezvous_keys[0]), kOtherKey);
  char formatted[1024];
  ASSERT_EQ(godwit_ticket_format(&ticket, formatted, sizeof formatted), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(std::string(formatted), text);
  EXPECT_EQ(godwit_ticket_format(&ticket, formatted, text.size()), GODWIT_TOO_LARGE);
  ticket.addresses_count = 17;
  EXPECT_EQ(godwit_ticket_format(&ticket, formatted, sizeof formatted), GODWIT_TOO_LARGE);
  EXPECT_EQ(godwit_ticket_parse("godwit1nonsense", &ticket), GODWIT_INVALID_ARGUMENT);
}

TEST(TicketApi, AProgramThatKnowsLessOfATicketGetsThatPart) {
  const std::string text = *format_ticket(full_ticket());
  godwit_ticket ticket{};
  ticket.size = offsetof(godwit_ticket, hosts_count);
  ticket.hosts_count = 77;
  ASSERT_EQ(godwit_ticket_parse(text.c_str(), &ticket), GODWIT_OK);
  EXPECT_EQ(ticket.addresses_count, 2U);
  EXPECT_EQ(ticket.hosts_count, 77U);
}

}  // namespace
}  // namespace godwit::v1
