#include "runtime/metrics_text.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "runtime/counters.h"

namespace godwit {
namespace {

// The value behind "NAME " at the beginning of a line.
std::string value_of(const std::string& text, const std::string& name) {
  const std::size_t found = text.find("\n" + name + " ");
  if (found == std::string::npos) return "absent";
  const std::size_t begin = found + name.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST(MetricsText, HasEveryCounterOfTheListUnderItsOwnName) {
  ShardsStatistics group;
  std::uint64_t number = 100;
  for (const EndpointCounter& each : endpoint_counters()) group.endpoint.*each.member = ++number;
  for (const BackendCounter& each : backend_counters()) group.backend.*each.member = ++number;
  for (const NodeCounter& each : node_counters()) group.node.*each.member = ++number;
  for (const ShardLinkCounter& each : shard_link_counters()) group.link.*each.member = ++number;
  const std::string text = metrics_text(group);
  auto expect = [&, next = std::uint64_t{100}](const std::string& part, const auto& list) mutable {
    for (const auto& each : list) {
      const std::string name = "godwit_" + part + "_" + std::string(each.name) + (each.level ? "" : "_total");
      EXPECT_EQ(value_of(text, name), std::to_string(++next)) << name;
    }
  };
  expect("endpoint", endpoint_counters());
  expect("socket", backend_counters());
  expect("node", node_counters());
  expect("shard", shard_link_counters());
  EXPECT_EQ(value_of(text, "godwit_endpoint_reassembly_bytes"), "111") << "a level, which no rate is taken of";
}

TEST(MetricsText, CountsReasonsClassesAndErrors) {
  ShardsStatistics group;
  group.connections = {2, 3};
  group.endpoint.drops.add(trace::DropReason::kRateLimited, 4);
  group.endpoint.connections_closed.add(CloseReason::kIdleTimeout, 5);
  group.backend.send_refusals.add(90, 6);
  group.backend.send_occupancy.add(1, 7);
  group.backend.send_occupancy.add(54, 8);
  group.backend.datagrams_sent = 7 + 54 * 8;
  const std::string text = metrics_text(group);
  EXPECT_EQ(value_of(text, "godwit_connections"), "5");
  EXPECT_EQ(value_of(text, "godwit_endpoint_drops_total{reason=\"rate_limited\"}"), "4");
  EXPECT_EQ(value_of(text, "godwit_endpoint_connections_closed_total{reason=\"idle time-out\"}"), "5");
  EXPECT_EQ(value_of(text, "godwit_socket_send_refusals_total{errno=\"90\"}"), "6");
  EXPECT_EQ(value_of(text, "godwit_socket_send_occupancy_bucket{le=\"1\"}"), "7");
  EXPECT_EQ(value_of(text, "godwit_socket_send_occupancy_bucket{le=\"32\"}"), "7");
  EXPECT_EQ(value_of(text, "godwit_socket_send_occupancy_bucket{le=\"64\"}"), "15");
  EXPECT_EQ(value_of(text, "godwit_socket_send_occupancy_bucket{le=\"+Inf\"}"), "15");
  EXPECT_EQ(value_of(text, "godwit_socket_send_occupancy_sum"), "439");
  EXPECT_EQ(value_of(text, "godwit_socket_send_occupancy_count"), "15");
}

TEST(MetricsText, NamesNothingTwice) {
  std::set<std::string> names;
  const auto add = [&](const auto& list) {
    for (const auto& each : list) {
      EXPECT_TRUE(names.insert(std::string(each.name)).second) << each.name;
      EXPECT_FALSE(each.help.empty());
      EXPECT_EQ(each.help.find('\n'), std::string_view::npos);
    }
    names.clear();
  };
  add(connection_counters());
  add(endpoint_counters());
  add(backend_counters());
  add(node_counters());
  add(shard_link_counters());
}

}  // namespace
}  // namespace godwit
