// Level 3: the shipped program between two processes: loss and delay, many streams, both directions.

#include <fmt/format.h>

#include "benches/perf_cases.h"
#include "benches/suite.h"

namespace godwit::bench {
namespace {

Case loss_case(std::string controller, std::string loss, std::string delay) {
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
              // Short streams: the ones begun are finished, and at 5 % loss that may take long.
              if (loss != "0%" || delay != "0ms")
                plan.client_arguments.insert(plan.client_arguments.end(), {"--stream-bytes", "128K"});
              if (delay != "0ms") {
                plan.client_arguments.insert(plan.client_arguments.end(), {"--delay", delay});
                plan.server_arguments = {"--delay", delay};
                plan.seconds = 4 * bench.seconds();  // past slow start
              }
              static_cast<void>(run_perf(bench, plan));
            });
          }};
}

Case streams_case(int streams) {
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

Case bidirectional_case() {
  return {.name = "level3/bidirectional",
          .title = "both sides send at once over loopback; the sum of both directions",
          .unit = "bit/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [](Bench& bench) {
            bench.whole([&] {
              PerfRunPlan plan;
              plan.client_arguments = {"--bidir"};
              const auto run = run_perf(bench, plan);
              if (!run) return;
              double sum = 0;
              bool right = run->at("results").size() == 2;
              for (const measure::Json& direction : run->at("results")) {
                sum += direction.at("goodput_bits_per_second").get<double>();
                right = right && direction.at("digest_match").is_boolean() && direction.at("digest_match").get<bool>();
              }
              bench.outcome.value = sum;
              bench.outcome.verified = bench.outcome.verified && right;
              bench.outcome.proof = "byte count and XXH3 of both processes agree, in both directions";
            });
          }};
}

}  // namespace

void add_level3_limits(Cases& cases) {
  for (const char* controller : {"cubic", "bbr"}) {
    for (const char* loss : {"0%", "0.1%", "1%", "5%"}) {
      for (const char* delay : {"0ms", "10ms", "25ms"}) cases.push_back(loss_case(controller, loss, delay));
    }
  }
  for (const int streams : {1, 16, 128}) cases.push_back(streams_case(streams));
  cases.push_back(bidirectional_case());
}

}  // namespace godwit::bench
