// Level 3: many connections on one socket: what a packet costs among them, who gets how much, what idle ones take, and
// how fast they come and go.

#include <dirent.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "benches/connected_pair.h"
#include "benches/endpoint_pair.h"
#include "congestion/jain_index.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

double per_batch(const BackendStatistics& before, const BackendStatistics& after) {
  const std::uint64_t batches = std::max<std::uint64_t>(after.batches_sent - before.batches_sent, 1);
  return static_cast<double>(after.datagrams_sent - before.datagrams_sent) / static_cast<double>(batches);
}

// Which part of it did not arrive, where a case is not verified.
std::string missing_part(const ServerTotals& end, const BenchClient& client) {
  return fmt::format(
      "{} of {} streams confirmed, {} arrived whole, {} bytes more or fewer than sent, {} pieces differ, {} failed, {} "
      "connections closed at the client and {} at the server, {} datagrams dropped by the kernel",
      client.confirmed, client.sent_streams + client.sent_messages, end.streams_finished,
      static_cast<std::int64_t>(end.stream_bytes - client.sent_streams * kPatternBytes), end.differences, client.failed,
      client.closed, end.closed, end.kernel_drops);
}

// `active` of `open` connections send streams back to back; the processor time of both ends together.
Case active_case(std::size_t open, bool all) {
  const std::size_t active = all ? open : std::min<std::size_t>(open, 16);
  return {.name = fmt::format("level3/connections/{}/{}", all ? "all-active" : "active-16", open),
          .title = fmt::format("processor time of a full packet, both ends, {} of {} connections on one socket active",
                               active, open),
          .parameters = {{"active", all ? "all" : "16"}, {"connections", std::to_string(open)}},
          .whole = true,
          .body = [open, active](Bench& bench) {
            bench.whole([&] {
              auto pair = connected_pair(bench, {.connections = open});
              if (!pair) return;
              BenchServer& server = *pair->server;
              BenchClient& client = *pair->client;
              bench.outcome.proof = "every stream arrived whole, compared byte by byte, and was confirmed";
              bool feeding = true;
              client.on_event = [&](std::size_t index, Event& event) {
                if (feeding && std::holds_alternative<MessageConfirmed>(event)) client.send_stream(index);
              };
              // Spread over the table, not neighbours.
              for (std::size_t i = 0; i < active; ++i) client.send_stream(i * (open / active));
              client.run_for(run_time(bench) / 4);
              const ServerTotals before = server.totals();
              const BackendStatistics sent_before = client.backend().statistics();
              const double own_before = thread_cpu_seconds();
              client.run_for(run_time(bench));
              const double own = thread_cpu_seconds() - own_before;
              const BackendStatistics sent_after = client.backend().statistics();
              const ServerTotals after = server.totals();
              feeding = false;
              const bool done = drained(client);
              const ServerTotals end = server.totals();
              const double packets = static_cast<double>(after.stream_bytes - before.stream_bytes) / 1130;
              if (packets <= 0) return;
              const auto received = static_cast<double>(sent_after.datagrams_received - sent_before.datagrams_received);
              const double serving = after.cpu_seconds - before.cpu_seconds;
              bench.outcome.value = (own + serving) * 1e9 / packets;
              bench.outcome.metrics = {{"client_nanoseconds", own * 1e9 / packets},
                                       {"server_nanoseconds", serving * 1e9 / packets},
                                       {"datagrams_per_batch", per_batch(sent_before, sent_after)},
                                       {"ack_packets_per_packet", received / packets},
                                       {"packets_per_second", packets / bench.seconds()}};
              bench.outcome.evidence = {{"delivered_bytes", static_cast<double>(end.stream_bytes)},
                                        {"drops", static_cast<double>(end.kernel_drops)}};
              bench.outcome.verified = done && all_arrived(end, client);
              if (!bench.outcome.verified) bench.outcome.proof = missing_part(end, client);
            });
          }};
}

// What is aimed at; on a machine that is busy with other work the index tells of the scheduler.
constexpr double kFairIndex = 0.95;

Case fairness_case(std::size_t connections) {
  return {
      .name = fmt::format("level3/fairness/{}", connections),
      .title = fmt::format("Jain's index of what {} busy connections on one socket got", connections),
      .parameters = {{"connections", std::to_string(connections)}},
      .unit = "index",
      .better = measure::Better::kHigher,
      .whole = true,
      .body = [connections](Bench& bench) {
        bench.whole([&] {
          auto pair = connected_pair(bench, {.connections = connections});
          if (!pair) return;
          BenchServer& server = *pair->server;
          BenchClient& client = *pair->client;
          bench.outcome.proof = "every stream arrived whole and compared";
          bool feeding = true;
          feed_streams(client, feeding, connections);
          client.run_for(run_time(bench) / 2);
          const ServerTotals before = server.totals();
          client.run_for(std::max<Duration>(run_time(bench), 400ms));
          const ServerTotals after = server.totals();
          feeding = false;
          const bool done = drained(client);
          const ServerTotals end = server.totals();
          std::vector<double> shares;
          for (const auto& [id, bytes] : after.stream_bytes_of) {
            const auto then = before.stream_bytes_of.find(id);
            shares.push_back(static_cast<double>(bytes - (then == before.stream_bytes_of.end() ? 0 : then->second)));
          }
          const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
          if (sum <= 0) return;
          shares.resize(connections);  // who got nothing counts
          const auto [least, most] = std::ranges::minmax(shares);
          const double jain = jain_index(shares);
          bench.outcome.value = jain;
          bench.outcome.metrics = {{"least_share", least * static_cast<double>(connections) / sum},
                                   {"greatest_share", most * static_cast<double>(connections) / sum}};
          bench.outcome.evidence = {{"delivered_bytes", static_cast<double>(end.stream_bytes)}};
          bench.outcome.verified = done && all_arrived(end, client);
          if (jain < kFairIndex) bench.outcome.marks.push_back(fmt::format("below {}", kFairIndex));
        });
      }};
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  if (DIR* const folder = opendir("/proc/self/fd")) {
    while (readdir(folder) != nullptr) ++count;
    closedir(folder);
  }
  return count;
}

// Connections come, deliver one message and go, 32 at a time.
Case churn_case() {
  return {.name = "level3/churn",
          .title = "connections that open, deliver a message, hear that it arrived, and close; over loopback",
          .unit = "connections/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [](Bench& bench) {
            bench.whole([&] {
              auto pair = connected_pair(bench, {.connections = 0});
              if (!pair) return;
              BenchServer& server = *pair->server;
              BenchClient& client = *pair->client;
              constexpr std::size_t kAtOnce = 32;
              client.on_event = [&](std::size_t index, Event& event) {
                if (std::holds_alternative<Connected>(event)) client.send_message(index, 64);
                if (std::holds_alternative<MessageConfirmed>(event))
                  client.endpoint().close(client.now(), client.id(index));
              };
              const std::size_t descriptors = open_descriptors();
              const Instant begin = client.now();
              bool connecting = true;
              client.run_for(run_time(bench), [&] {
                while (connecting && client.initiated() - client.closed < kAtOnce)
                  connecting = client.initiate().has_value();
              });
              const bool done = client.run_until([&] { return client.closed == client.initiated(); });
              const double seconds = std::chrono::duration<double>(client.now() - begin).count();
              ServerTotals end = server.totals();
              for (int wait = 0; wait < 100 && end.closed < end.connected; ++wait) {
                client.run_for(10ms);
                end = server.totals();
              }
              bench.outcome.value = static_cast<double>(client.confirmed) / seconds;
              bench.outcome.metrics = {
                  {"server_microseconds",
                   end.cpu_seconds * 1e6 / static_cast<double>(std::max<std::uint64_t>(1, end.connected))}};
              bench.outcome.evidence = {{"connections", static_cast<double>(end.connected)},
                                        {"left_open", static_cast<double>(end.open)},
                                        {"descriptors_gained", static_cast<double>(open_descriptors() - descriptors)}};
              bench.outcome.verified = done && client.confirmed > 0 && client.failed == 0 &&
                                       client.confirmed == client.initiated() && end.messages == client.sent_messages &&
                                       end.message_sum == client.sent_sum && end.differences == 0 &&
                                       end.closed == end.connected && open_descriptors() == descriptors;
              bench.outcome.proof = "every one connected, delivered its message and was closed on both sides";
            });
          }};
}

// Idle for a minute of virtual time. Heap bytes of one end: what its destruction gives back.
Case idle_case(std::size_t connections, ExtendedPolicy extended) {
  return {.name = fmt::format("level3/connections/idle{}/{}", form_suffix(extended), connections),
          .title = fmt::format("heap of one end for each of {} connections that have been idle for a minute{}",
                               connections, form_title(extended)),
          .parameters = {{"connections", std::to_string(connections)}},
          .unit = "bytes",
          .whole = true,
          .heavy = connections > 1000,
          .body = [connections, extended](Bench& bench) {
            bench.whole([&] {
              Config config;
              config.handshake.extended = extended;
              // Time is virtual and short: how many offers a second are answered is not the question.
              config.admission.offer_rate = config.admission.offer_burst = 1'000'000;
              EndpointNet net(config, connections);
              if (!net.connect() || !net.forms_are(extended)) {
                bench.outcome.proof = "not all were connected, with the form that was asked for";
                return;
              }
              const Instant settled = net.now() + 20s;
              while (net.sleep_until_next_timer(settled)) {
              }
              const std::uint64_t datagrams = net.datagrams;
              const std::uint64_t timers = net.timers;
              const Instant end = settled + 60s;
              while (net.sleep_until_next_timer(end)) {
              }
              const auto minutes = static_cast<double>(connections);
              const double packets = static_cast<double>(net.datagrams - datagrams) / minutes;
              const double wakes = static_cast<double>(net.timers - timers) / minutes;
              const std::size_t before = mallinfo2().uordblks;
              net.destroy_server();
              const double bytes =
                  static_cast<double>(before - mallinfo2().uordblks) / static_cast<double>(connections);
              bench.outcome.value = bytes;
              bench.outcome.counts = {{"datagrams_a_minute", packets}, {"wake_ups_a_minute", wakes}};
              bench.outcome.metrics = {{"bytes", bytes}};
              // Each side pings on its schedule and answers the other's pings. A ping is a wake-up at most, shared by
              // the connections whose pings are due together; another one is a deadline that has moved.
              const double pings = 2 * std::chrono::duration<double>(60s) /
                                   std::chrono::duration<double>(KeepAliveConfig{}.ping_interval);
              bench.outcome.verified = net.closed == 0 && bytes > 100 && packets <= 2.1 * pings && wakes <= 2 * pings;
              bench.outcome.proof = "all stay connected; nothing wakes or is sent beyond keep-alive";
            });
          }};
}

}  // namespace

void add_level3_connections(Cases& cases) {
  for (const std::size_t open :
       {std::size_t{1}, std::size_t{16}, std::size_t{100}, std::size_t{1000}, std::size_t{10'000}})
    cases.push_back(active_case(open, false));
  for (const std::size_t open : {std::size_t{100}, std::size_t{1000}}) cases.push_back(active_case(open, true));
  cases.push_back(fairness_case(100));
  cases.push_back(churn_case());
  for (const std::size_t connections : {std::size_t{1000}, std::size_t{10'000}}) {
    for (const ExtendedPolicy extended : {ExtendedPolicy::kOff, ExtendedPolicy::kRequire}) {
      cases.push_back(idle_case(connections, extended));
    }
  }
}

}  // namespace godwit::bench
