// Level 3: the system's limits: loss, many connections and what they cost, many streams, churn.

#include <fmt/format.h>

#include "benches/endpoint_pair.h"
#include "benches/perf_rows.h"
#include "benches/suite.h"
#include "measure/cpu_time.h"

namespace godwit::bench {
namespace {

Row loss_row(std::string controller, std::string loss, std::string delay) {
  return {.name = fmt::format("level3/loss/{}/{}-{}", controller, loss, delay),
          .title = fmt::format("one stream, {} loss, {} of added delay each way, {}", loss, delay, controller),
          .parameters = {{"congestion", controller}, {"loss", loss}, {"delay", delay}},
          .unit = "bit/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [controller, loss, delay](Bench& bench) {
            bench.whole([&] {
              PerfRunPlan plan;
              plan.client_arguments = {"--congestion", controller};
              if (loss != "0%") plan.client_arguments.insert(plan.client_arguments.end(), {"--drop", loss});
              if (delay != "0ms") {
                plan.client_arguments.insert(plan.client_arguments.end(), {"--delay", delay});
                plan.server_arguments = {"--delay", delay};
              }
              static_cast<void>(run_perf(bench, plan));
            });
          }};
}

Row memory_row(std::size_t connections) {
  return {.name = fmt::format("level3/connections/memory/{}", connections),
          .title = fmt::format("resident bytes of an idle connection, both ends, among {}", connections),
          .unit = "bytes",
          .whole = true,
          .body = [connections](Bench& bench) {
            bench.whole([&] {
              Config config;
              config.streams.delivery = DeliveryMode::kChunks;
              const std::uint64_t before = measure::cpu_usage_of_this_process().largest_resident_bytes;
              EndpointNet net(config, connections);
              bench.outcome.verified = net.connect();
              bench.outcome.proof = "all are established";
              const std::uint64_t after = measure::cpu_usage_of_this_process().largest_resident_bytes;
              bench.outcome.value = static_cast<double>(after - before) / static_cast<double>(connections);
              bench.outcome.marks.emplace_back("includes one whole endpoint a connection on the client's side");
            });
          }};
}

Row streams_row(int streams) {
  return {.name = fmt::format("level3/streams/{}", streams),
          .title = fmt::format("{} streams share one connection over loopback", streams),
          .unit = "bit/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [streams](Bench& bench) {
            bench.whole([&] {
              PerfRunPlan plan;
              plan.client_arguments = {"-P", std::to_string(streams)};
              static_cast<void>(run_perf(bench, plan));
            });
          }};
}

}  // namespace

void add_level3_limits(Rows& rows) {
  for (const char* controller : {"cubic", "bbr"}) {
    for (const char* loss : {"0%", "0.1%", "1%", "5%"}) {
      for (const char* delay : {"0ms", "10ms"}) rows.push_back(loss_row(controller, loss, delay));
    }
  }
  rows.push_back(memory_row(1000));
  for (const int streams : {1, 16, 128}) rows.push_back(streams_row(streams));
}

}  // namespace godwit::bench
