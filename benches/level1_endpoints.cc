// Level 1: the whole core in memory: a packet's processor time on both sides together, handshakes, tracing, capacity.

#include <fmt/format.h>

#include "benches/endpoint_pair.h"
#include "benches/suite.h"
#include "trace/events.h"
#include "wire/limits.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

Config chunk_config() {
  Config config;
  config.streams.delivery = DeliveryMode::kChunks;
  return config;
}

class CountingTrace final : public trace::Sink {
 public:
  void on_event(const trace::Event&) override { ++events; }
  std::uint64_t events = 0;
};

const std::vector<std::uint8_t>& payload() {
  static const std::vector<std::uint8_t> kBytes = [] {
    std::vector<std::uint8_t> bytes(std::size_t{8} << 20);
    DeterministicRandom(5).fill(bytes);
    return bytes;
  }();
  return kBytes;
}

// An operation is one full packet: sealed, sent, opened, delivered and in the end acknowledged.
void stream_body(Bench& bench, trace::Sink* sink) {
  EndpointNet net(chunk_config(), 1, sink);
  if (!net.connect()) {
    bench.outcome.proof = "the endpoints did not connect";
    return;
  }
  // Past slow start: a run is full.
  std::uint64_t sent_bytes = 0;
  std::uint64_t open = 0;
  const auto feed = [&] {
    if (net.confirmed < open) return;
    if (net.client(0).send(net.now(), net.connection(0), Body::borrowed(payload()), {.as = SendAs::kStream})) {
      ++open;
      sent_bytes += payload().size();
    }
  };
  std::uint64_t target = 0;
  const auto packets = [&net] { return net.delivered_bytes / wire::kFragmentPayload; };
  const auto advance = [&](std::uint64_t count) {
    target += count;
    while (packets() < target) {
      feed();
      net.exchange_with(0, 100us);
    }
  };
  advance(20'000);
  const std::uint64_t datagrams = net.datagrams;
  const std::uint64_t wire = net.wire_bytes;
  const std::uint64_t delivered = net.delivered_bytes;
  bench.outcome.bytes = static_cast<double>(wire::kFragmentPayload);
  bench.measure([&] { advance(1); });
  const auto bytes = static_cast<double>(net.delivered_bytes - delivered);
  bench.outcome.metrics.emplace_back("datagrams_per_packet", static_cast<double>(net.datagrams - datagrams) /
                                                                 (bytes / static_cast<double>(wire::kFragmentPayload)));
  bench.outcome.evidence.emplace_back("delivered_bytes", bytes);
  bench.outcome.evidence.emplace_back("wire_bytes", static_cast<double>(net.wire_bytes - wire));
  bench.outcome.verified = net.delivered_bytes <= sent_bytes && net.closed == 0 && bytes > 0;
  bench.outcome.proof = "every packet was delivered in order";
}

// What goes over the wire for a delivered byte: exact, since time is virtual.
Row wire_bytes_row() {
  return {.name = "level1/endpoints/wire-bytes",
          .title = "bytes on the wire, both directions, for one delivered byte of a stream of 8 MiB",
          .unit = "bytes",
          .whole = true,
          .body = [](Bench& bench) {
            bench.whole([&bench] {
              EndpointNet net(chunk_config());
              if (!net.connect()) return;
              const std::uint64_t before = net.wire_bytes;
              static_cast<void>(
                  net.client(0).send(net.now(), net.connection(0), Body::borrowed(payload()), {.as = SendAs::kStream}));
              for (int round = 0; round < 20'000 && net.confirmed == 0; ++round) net.exchange_with(0, 100us);
              bench.outcome.verified = net.delivered_bytes == payload().size() && net.confirmed == 1;
              bench.outcome.proof = "the whole stream was delivered and confirmed";
              const double ratio = static_cast<double>(net.wire_bytes - before) / static_cast<double>(payload().size());
              bench.outcome.value = ratio;
              bench.outcome.counts.emplace_back("wire_bytes", ratio);
            });
          }};
}

Row handshake_row() {
  return {.name = "level1/endpoints/handshake",
          .title = "a handshake, both sides, until both are connected, and the end of the connection",
          .body = [](Bench& bench) {
            Config config = chunk_config();
            EndpointNet net(config);
            bool right = net.connect();
            bench.outcome.proof = "both sides report each connection";
            std::uint64_t expected = net.connected;
            bench.measure([&] {
              net.client(0).close(net.now(), net.connection(0));
              net.exchange_with(0, 2s);
              EndpointNet fresh(config);
              right = fresh.connect() && right;
              expected += 2;
            });
            bench.outcome.verified = right;
            bench.outcome.marks.emplace_back("includes making two endpoints and three keys");
          }};
}

// 16 connections send one message each in turn, among many that are open.
Row many_connections_row(std::size_t open) {
  return {.name = fmt::format("level1/endpoints/connections/{}", open),
          .title = fmt::format("a short message to one of 16 active among {} open connections, both sides", open),
          .parameters = {{"connections", std::to_string(open)}},
          .body = [open](Bench& bench) {
            Config config = chunk_config();
            config.admission = {};
            EndpointNet net(config, open);
            if (!net.connect()) {
              bench.outcome.proof = fmt::format("{} of {} connected", net.connected / 2, open);
              return;
            }
            static const std::vector<std::uint8_t> kMessage(64, 9);
            std::size_t turn = 0;
            std::uint64_t sent = 0;
            const std::size_t active = std::min<std::size_t>(16, open);
            bench.measure([&] {
              const std::size_t client = turn++ % active;
              if (net.client(client).send(net.now(), net.connection(client), Body::borrowed(kMessage))) ++sent;
              net.exchange_with(client, 1us);
            });
            for (int round = 0; round < 100; ++round) net.exchange_with(static_cast<std::size_t>(round) % active, 2ms);
            bench.outcome.verified = net.delivered_messages == sent && sent > 0;
            bench.outcome.proof = "every message was delivered";
            bench.outcome.evidence.emplace_back("delivered_messages", static_cast<double>(net.delivered_messages));
          }};
}

// The analysed system had a channel of one packet between application and wire; it cost a factor of 27.
Row capacity_row(std::uint32_t capacity) {
  return {.name = fmt::format("level1/queue/endpoint/{}", capacity),
          .title = fmt::format("a message of 1000 bytes between two endpoints through a queue of {}", capacity),
          .parameters = {{"capacity", std::to_string(capacity)}},
          .body = [capacity](Bench& bench) {
            Config config = chunk_config();
            config.send_queue.max_messages = capacity;
            EndpointNet net(config);
            if (!net.connect()) return;
            static const std::vector<std::uint8_t> kMessage(1000, 9);
            std::uint64_t sent = 0;
            bench.outcome.bytes = 1000;
            const auto one = [&] {
              while (!net.client(0).send(net.now(), net.connection(0), Body::borrowed(kMessage)))
                net.exchange_with(0, 100us);
              ++sent;
            };
            for (int i = 0; i < 5000; ++i) one();
            bench.measure(one);
            for (int round = 0; round < 200; ++round) net.exchange_with(0, 2ms);
            bench.outcome.verified = net.delivered_messages == sent;
            bench.outcome.proof = "every message was delivered";
          }};
}

}  // namespace

void add_level1_endpoints(Rows& rows) {
  for (const std::uint32_t capacity : {1U, 10U, 100U, 1000U, 8192U}) rows.push_back(capacity_row(capacity));
  rows.push_back({.name = "level1/endpoints/stream",
                  .title = "a full packet of a stream through two endpoints, both sides together, without a kernel",
                  .parameters = {{"bytes", "1130"}},
                  .body = [](Bench& bench) { stream_body(bench, nullptr); }});
  rows.push_back({.name = "level1/endpoints/stream-traced",
                  .title = "the same with a trace sink that counts events",
                  .parameters = {{"bytes", "1130"}},
                  .body = [](Bench& bench) {
                    CountingTrace sink;
                    stream_body(bench, &sink);
                    bench.outcome.evidence.emplace_back("trace_events", static_cast<double>(sink.events));
                    bench.outcome.verified = bench.outcome.verified && sink.events > 0;
                  }});
  rows.push_back(wire_bytes_row());
  rows.push_back(handshake_row());
  for (const std::size_t open : {std::size_t{16}, std::size_t{100}, std::size_t{1000}})
    rows.push_back(many_connections_row(open));
}

}  // namespace godwit::bench
