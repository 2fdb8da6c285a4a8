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
  auto parsed = parse_scenario(scenario("", "name = \"a \\\"quoted\\\" \\\\ name\\nof two lines\\u0001\"\n"));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  const auto again = parse_scenario(print_scenario(*parsed));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->name, parsed->name);
}

}  // namespace
}  // namespace godwit::sim
