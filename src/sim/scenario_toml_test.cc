#include "sim/scenario_toml.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::sim {
namespace {

// One link each way, two hosts, one flow; `link` and `rest` are put where their names say.
std::string scenario(const std::string& link, const std::string& rest = {}) {
  return rest + "[[link]]\ndelay = \"1ms\"\n" + link +
         "\n[[link]]\ndelay = \"1ms\"\n[[host]]\negress = [0]\ningress = [1]\n[[host]]\negress = [1]\ningress = [0]\n";
}

TEST(ScenarioToml, RefusesNumbersThatNoUnitCanHold) {
  ASSERT_TRUE(parse_scenario(scenario("")).has_value()) << parse_scenario(scenario("")).error().message;
  for (const char* const line :
       {"rate = \"-1M\"", "rate = \"nan\"", "rate = \"inf\"", "rate = \"1e30G\"", "jitter = \"nanms\"",
        "jitter = \"infs\"", "jitter = \"1e300s\"", "jitter = \"-1e300s\"", "mtu = -1", "lose_packets = [-1]"}) {
    const auto parsed = parse_scenario(scenario(line));
    ASSERT_FALSE(parsed.has_value()) << line;
    EXPECT_FALSE(parsed.error().message.empty()) << line;
  }
}

// Each of these is converted, summed or multiplied later: as whole nanoseconds, bytes, or a share of packets.
TEST(ScenarioToml, RefusesNumbersWithoutMeaning) {
  for (const char* const line : {"loss = nan",
                                 "loss = -0.1",
                                 "loss = 1.5",
                                 "loss = inf",
                                 "burst_begins = nan",
                                 "burst_ends = 2.0",
                                 "burst_loss = -inf",
                                 "reorder = nan",
                                 "duplicate = 1e300",
                                 "corrupt = -1.0",
                                 "queue_bdp = nan",
                                 "queue_bdp = -1.0",
                                 "queue_bdp = 1e300",
                                 "rate = \"0\"",
                                 "rate = \"7\"",
                                 "rate = \"1e18\"",
                                 "delay_spike = [{from = \"0s\", until = \"1s\", extra = \"-1s\"}]",
                                 "jitter = \"-1ns\"",
                                 "jitter = \"101000000s\"",
                                 "reorder_by = \"-5ms\"",
                                 "queue_bytes = 9223372036854775807",
                                 "policer_rate = \"0\"",
                                 "blackout = [{from = \"2s\", until = \"1s\"}]"}) {
    const auto parsed = parse_scenario(scenario(line));
    ASSERT_FALSE(parsed.has_value()) << line;
    EXPECT_FALSE(parsed.error().message.empty()) << line;
  }
}

// Whatever is accepted, what is derived from it neither overflows nor wraps around.
TEST(ScenarioToml, DerivesBoundsFromTheLargestNumbers) {
  const std::string flows =
      "\n[[flow]]\nkind = \"requests\"\ncount = 4294967295\nbytes = 1099511627776\nreply_bytes = 1099511627776\n"
      "window = 4294967295\ninterval = \"8640000s\"\npause_every = 1\npause = \"8640000s\"\n";
  for (const char* const line :
       {"rate = \"8\"\nqueue_bytes = 1099511627776", "rate = \"1e15\"\nqueue_bdp = 1e6", "loss = 1e-300",
        "jitter = \"8640000s\"\nreorder = 1.0\nreorder_by = \"8640000s\"", "mtu = 100",
        "blackout = [{from = \"0s\", until = \"8640000s\"}, {from = \"0s\", until = \"8640000s\"}]"}) {
    const auto parsed = parse_scenario(scenario(line) + flows);
    ASSERT_TRUE(parsed.has_value()) << line << ": " << parsed.error().message;
    EXPECT_GT(parsed->bound(), 1h) << line;
    EXPECT_GT(parsed->message_bound(0), 1s) << line;
    EXPECT_GT(parsed->longest_round_trip(0, 1), 0s) << line;
  }
}

// The TOML library's behaviour is undefined for them, wherever it looks for a space.
TEST(ScenarioToml, RefusesCharactersThatItsParserCannotRead) {
  for (const char* const character : {"\xef\xac\xa6", "\xef\xbb\xba", "\xd0\xb1", "\xc3\xa9", "\xff"}) {
    EXPECT_FALSE(parse_scenario(std::string(character) + scenario("")).has_value());
    EXPECT_FALSE(parse_scenario(scenario(std::string("jitter =") + character)).has_value());
  }
  const auto refused = parse_scenario("\n\n# \xc3\xa9\n" + scenario(""));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "line 3 is no ASCII text");
}

TEST(ScenarioToml, RefusesWholeNumbersThatWouldBeCut) {
  const auto parsed = parse_scenario(scenario("") + "max_streams = 4294967297\n");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_NE(parsed.error().message.find("too large"), std::string::npos) << parsed.error().message;
}

TEST(ScenarioToml, ReadsEveryTimeAsItWasPrinted) {
  for (const std::int64_t nanoseconds : {1, 3, 29, 43, 57, 289'999'999, 1'000'000'007}) {
    auto parsed = parse_scenario(scenario("jitter = \"" + std::to_string(nanoseconds) + "ns\""));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->links[0].jitter, Duration{nanoseconds});
  }
  for (int i = 0; i < 2000; ++i) {
    const std::int64_t nanoseconds = i * 7919;
    const auto parsed = parse_scenario(scenario("jitter = \"" + std::to_string(nanoseconds) + "ns\""));
    ASSERT_TRUE(parsed.has_value());
    ASSERT_EQ(parsed->links[0].jitter.count(), nanoseconds);
  }
}

TEST(ScenarioToml, PrintsNamesThatReadTheSame) {
  auto parsed = parse_scenario(
      scenario("", "name = \"a \\\"quoted\\\" \\\\ name\\nof two lines\\u0001 \\u00e9 \\u0431 \\U0001f986\"\n"));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  const auto again = parse_scenario(print_scenario(*parsed));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->name, parsed->name);
}

}  // namespace
}  // namespace godwit::sim
