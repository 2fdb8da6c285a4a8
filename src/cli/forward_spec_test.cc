#include "cli/forward_spec.h"

#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

TEST(ForwardSpec, IsReadAsSshReadsIt) {
  struct Case {
    const char* text;
    const char* listen;
    const char* target;
  };
  for (const Case& each :
       {Case{"8080:host:80", "127.0.0.1:8080", "host:80"}, Case{"localhost:8080:host:80", "127.0.0.1:8080", "host:80"},
        Case{"192.0.2.1:0:host.example:80", "192.0.2.1:0", "host.example:80"},
        Case{"*:8080:127.0.0.1:80", "[::]:8080", "127.0.0.1:80"},
        Case{"[::1]:8080:[2001:db8::1]:80", "[::1]:8080", "[2001:db8::1]:80"}}) {
    const auto spec = parse_forward(each.text);
    ASSERT_TRUE(spec) << each.text;
    EXPECT_EQ(spec->listen.to_string(), each.listen) << each.text;
    EXPECT_EQ(spec->target, each.target) << each.text;
  }
}

TEST(ForwardSpec, WhatIsNoForwardIsRefused) {
  for (const char* text : {"", ":", "8080", "8080:host", "8080:host:", "8080::80", "x:host:80", "70000:host:80",
                           "8080:host:0", "8080:host:*", "a:b:8080:host:80", "8080:ho st:80", "name:8080:host:80",
                           "8080:[::1:80", "8080:2001:db8::1:80", "8080:host:80 "}) {
    EXPECT_FALSE(parse_forward(text)) << text;
  }
}

TEST(TargetPattern, MatchesTheSameHostAndPortAlone) {
  const auto allowed = [](const char* pattern, const char* target) {
    return matches(*parse_target(pattern), *parse_target(target));
  };
  EXPECT_TRUE(allowed("host:22", "HOST:22"));
  EXPECT_TRUE(allowed("host:*", "host:22"));
  EXPECT_TRUE(allowed("[::1]:22", "[::1]:22"));
  EXPECT_FALSE(allowed("host:22", "host:23"));
  EXPECT_FALSE(allowed("host:22", "host.example:22"));
  EXPECT_FALSE(allowed("host:*", "other:22"));
  EXPECT_FALSE(allowed("host:*", "host:*")) << "a target has a port";
  EXPECT_FALSE(allowed("host:*", "host:0"));
}

TEST(ForwardSpec, DatagramsAreAskedForBehindThePort) {
  const auto spec = parse_forward("5353:[2001:db8::1]:53/udp");
  ASSERT_TRUE(spec);
  EXPECT_TRUE(spec->udp);
  EXPECT_EQ(spec->target, "[2001:db8::1]:53/udp");
  EXPECT_FALSE(parse_forward("53:host:53/tcp")->udp);
  EXPECT_EQ(parse_forward("53:host:53/tcp")->target, "host:53");
  EXPECT_FALSE(parse_forward("53/udp:host:53"));
  EXPECT_FALSE(parse_forward("53:host:53/sctp"));
  EXPECT_TRUE(matches(*parse_target("host:*/udp"), *parse_target("host:53/udp")));
  EXPECT_FALSE(matches(*parse_target("host:53"), *parse_target("host:53/udp"))) << "one says nothing of the other";
  EXPECT_FALSE(matches(*parse_target("host:53/udp"), *parse_target("host:53")));
  EXPECT_TRUE(parse_listen_place("*:53/udp")->udp);
  EXPECT_FALSE(parse_listen_place("53")->udp);
}

TEST(ListenAddress, IsLoopbackUnlessTheTextSaysOtherwise) {
  EXPECT_EQ(parse_listen_address("80")->to_string(), "127.0.0.1:80");
  EXPECT_EQ(parse_listen_address("*:80")->to_string(), "[::]:80");
  EXPECT_EQ(parse_listen_address("192.0.2.1:80")->to_string(), "192.0.2.1:80");
  EXPECT_FALSE(parse_listen_address("host:80"));
  EXPECT_FALSE(parse_listen_address("1:2:3"));
}

}  // namespace
}  // namespace godwit::cli
