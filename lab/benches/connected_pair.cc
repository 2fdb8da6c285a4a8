#include "benches/connected_pair.h"

#include <fmt/format.h>

#include <chrono>

namespace godwit::bench {

std::optional<ConnectedPair> connected_pair(Bench& bench, const PairOptions& options) {
  const NodeConfig config = loopback_config(options.backend);
  ConnectedPair pair;
  pair.server = BenchServer::start(config, options.server);
  if (pair.server) pair.client = BenchClient::open(config, *pair.server, options.batch);
  if (!pair.client) {
    bench.outcome.skipped = options.backend == BackendKind::kAuto
                                ? "no sockets"
                                : fmt::format("back end {} is not to be had", to_string(options.backend));
    return std::nullopt;
  }
  if (!pair.client->connect(options.connections)) {
    bench.outcome.proof = "not connected";
    return std::nullopt;
  }
  return pair;
}

Duration run_time(const Bench& bench) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bench.seconds()));
}

void feed_streams(BenchClient& client, const bool& feeding, std::size_t connections) {
  client.on_event = [&client, &feeding](std::size_t index, Event& event) {
    if (feeding && std::holds_alternative<MessageConfirmed>(event)) client.send_stream(index);
  };
  for (std::size_t i = 0; i < connections; ++i) {
    client.send_stream(i);
    client.send_stream(i);
  }
}

bool drained(BenchClient& client) {
  return client.run_until([&] { return client.confirmed == client.sent_streams + client.sent_messages; });
}

bool all_arrived(const ServerTotals& end, const BenchClient& client) {
  return end.differences == 0 && client.failed == 0 && end.streams_finished == client.sent_streams &&
         end.stream_bytes == client.sent_streams * kPatternBytes && end.messages == client.sent_messages &&
         end.message_sum == client.sent_sum;
}

}  // namespace godwit::bench
