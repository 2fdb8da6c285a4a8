// Level 1: the whole core in memory: a packet's processor time on both sides together, handshakes, tracing, capacity.

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include "benches/endpoint_pair.h"
#include "benches/suite.h"
#include "trace/events.h"
#include "trace/qlog_sink.h"
#include "wire/extension.h"
#include "wire/limits.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

// Datagrams of 1200 bytes, so that the two forms send the same.
Config chunk_config(ExtendedPolicy extended = ExtendedPolicy::kOff) {
  Config config;
  config.streams.delivery = DeliveryMode::kChunks;
  config.streams.runs = true;
  config.handshake.extended = extended;
  config.handshake.largest_datagram = wire::kMaxDatagram;
  return config;
}

class CountingTrace final : public trace::Sink {
 public:
  void on_event(const trace::Event&) override { ++events; }
  std::uint64_t events = 0;
};

// A whole number of full batches, so that every packet of a stream is full and every operation the same.
constexpr std::uint64_t kBatchPackets = 54;
constexpr std::uint64_t kBatchBytes = kBatchPackets * wire::kFragmentPayload;

const std::vector<std::uint8_t>& payload() {
  static const std::vector<std::uint8_t> kBytes = [] {
    std::vector<std::uint8_t> bytes(130 * kBatchBytes);
    DeterministicRandom(5).fill(bytes);
    return bytes;
  }();
  return kBytes;
}

// Streams back to back, a batch at a time: an operation gives credit for exactly one batch and moves datagrams until it
// has been delivered.
class RunByRun {
 public:
  explicit RunByRun(EndpointNet& net) : net_(net) {}

  bool one_batch() {
    if (sent_ % payload().size() == 0) {
      auto message = net_.client().send(net_.now(), net_.connection(0), Body::borrowed(payload()),
                                        {.as = SendAs::kStream, .send_limit = kBatchBytes});
      if (!message) return false;
      message_ = *message;
    } else {
      net_.client().extend_send_limit(net_.now(), net_.connection(0), message_, sent_ % payload().size() + kBatchBytes);
    }
    sent_ += kBatchBytes;
    for (int round = 0; net_.delivered_bytes < sent_; ++round) {
      if (round == kPatience) return false;
      net_.exchange();
    }
    return true;
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  static constexpr int kPatience = 10'000;  // rounds of 100 us
  EndpointNet& net_;
  MessageId message_ = 0;
  std::uint64_t sent_ = 0;
};

void stream_body(Bench& bench, trace::Sink* sink, ExtendedPolicy extended = ExtendedPolicy::kOff,
                 std::uint64_t capabilities = wire::kOwnCapabilities) {
  Config config = chunk_config(extended);
  config.handshake.capabilities = capabilities;
  EndpointNet net(config, 1, sink);
  bench.outcome.proof = "every packet was delivered in order, and a whole stream compared byte by byte";
  if (!net.connect()) return;
  RunByRun streams(net);
  bool right = true;
  // Past slow start, and all storage grown.
  for (int i = 0; i < 400; ++i) right = streams.one_batch() && right;
  const std::uint64_t datagrams = net.datagrams;
  const std::uint64_t wire = net.wire_bytes;
  const std::uint64_t delivered = net.delivered_bytes;
  bench.outcome.bytes = static_cast<double>(wire::kFragmentPayload);
  bench.outcome.per = kBatchPackets;
  bench.measure([&] { right = streams.one_batch() && right; });
  const double packets = static_cast<double>(net.delivered_bytes - delivered) / wire::kFragmentPayload;
  bench.outcome.metrics.emplace_back("datagrams_per_packet", static_cast<double>(net.datagrams - datagrams) / packets);
  bench.outcome.evidence.emplace_back("delivered_packets", packets);
  bench.outcome.evidence.emplace_back("wire_bytes", static_cast<double>(net.wire_bytes - wire));
  net.expect(payload());
  for (std::uint64_t i = 0; i < 2 * payload().size() / kBatchBytes; ++i) right = streams.one_batch() && right;
  bench.outcome.verified = right && net.forms_are(extended) && net.delivered_bytes == streams.sent() &&
                           net.closed == 0 && net.failed == 0 && net.differences == 0 &&
                           net.compared_bytes == 2 * payload().size();
}

Case stream_case(std::string name, std::string title, std::function<void(Bench&)> body) {
  return {.name = "level1/endpoints/" + std::move(name),
          .title = std::move(title),
          .parameters = {{"bytes", "1130"}},
          .body = std::move(body)};
}

void stream_cases(Cases& cases) {
  cases.push_back(stream_case("stream",
                              "a full packet of a stream through two endpoints, both sides together, without a kernel",
                              [](Bench& bench) { stream_body(bench, nullptr); }));
  cases.push_back(stream_case("stream-extended", "the same in an extended session",
                              [](Bench& bench) { stream_body(bench, nullptr, ExtendedPolicy::kRequire); }));
  cases.push_back(stream_case("stream-extended-ids", "the same, every packet acknowledged by itself", [](Bench& bench) {
    stream_body(bench, nullptr, ExtendedPolicy::kRequire, wire::kOwnCapabilities & ~wire::capability::kAckRanges);
  }));
  cases.push_back(stream_case("stream-traced", "the same with a trace sink that counts events", [](Bench& bench) {
    CountingTrace sink;
    stream_body(bench, &sink);
    bench.outcome.evidence.emplace_back("trace_events", static_cast<double>(sink.events));
    bench.outcome.verified = bench.outcome.verified && sink.events > 0;
  }));
  cases.push_back(stream_case("stream-qlog", "the same with every event written as qlog into memory", [](Bench& bench) {
    double written = 0;
    trace::QlogSink sink([&written](std::string_view record) {
      written += static_cast<double>(record.size());
      benchmark::DoNotOptimize(record.data());
    });
    stream_body(bench, &sink);
    bench.outcome.evidence.emplace_back("qlog_bytes", written);
    bench.outcome.verified = bench.outcome.verified && written > 0;
  }));
}

// What goes over the wire for a delivered byte: exact, since time is virtual.
Case wire_bytes_case() {
  return {.name = "level1/endpoints/wire-bytes",
          .title = "bytes on the wire, both directions, for one delivered byte of a stream of 7.6 MiB",
          .unit = "bytes",
          .whole = true,
          .body = [](Bench& bench) {
            bench.whole([&bench] {
              EndpointNet net(chunk_config());
              if (!net.connect()) return;
              net.expect(payload());
              const std::uint64_t before = net.wire_bytes;
              static_cast<void>(
                  net.client().send(net.now(), net.connection(0), Body::borrowed(payload()), {.as = SendAs::kStream}));
              for (int round = 0; round < 20'000 && net.confirmed == 0; ++round) net.exchange();
              bench.outcome.verified =
                  net.compared_bytes == payload().size() && net.differences == 0 && net.confirmed == 1;
              bench.outcome.proof = "the whole stream was delivered, compared and confirmed";
              const double ratio = static_cast<double>(net.wire_bytes - before) / static_cast<double>(payload().size());
              bench.outcome.value = ratio;
              bench.outcome.counts.emplace_back("wire_bytes", ratio);
            });
          }};
}

Case handshake_case(ExtendedPolicy extended) {
  return {.name = fmt::format("level1/endpoints/handshake{}", form_suffix(extended)),
          .title = fmt::format("a connection's whole life, both sides: intro, acks, keys, proof, and its end{}",
                               form_title(extended)),
          .body = [extended](Bench& bench) {
            Config config = chunk_config(extended);
            // Time is virtual and short: what admission allows an address in a quarter of a second is not the question.
            config.admission.address_rate = config.admission.address_burst = 1'000'000;
            EndpointNet net(config);
            bool right = net.connect();
            std::uint64_t lives = 0;
            constexpr std::size_t kAddresses = 256;
            const auto live = [&] {
              const std::uint64_t connected = net.connected;
              const std::uint64_t closed = net.closed;
              const auto id = net.initiate(1 + lives++ % kAddresses);
              for (int round = 0; round < 20 && net.connected < connected + 2; ++round) net.exchange(1ms);
              if (id) net.client().close(net.now(), *id);
              for (int round = 0; round < 20 && net.closed < closed + 2; ++round) net.exchange(1ms);
              right = right && id && net.connected == connected + 2 && net.closed == closed + 2;
            };
            for (int i = 0; i < 8; ++i) live();
            bench.outcome.rate = "handshakes_per_second";
            bench.outcome.proof = "both sides reported each connection and its end";
            const std::uint64_t before = net.wire_bytes;
            const std::uint64_t first = lives;
            bench.measure(live);
            bench.outcome.counts.emplace_back(
                "wire_bytes", static_cast<double>(net.wire_bytes - before) / static_cast<double>(lives - first));
            bench.outcome.verified = right && net.forms_are(extended);
          }};
}

// Short messages one after another, a hundred at a time, so that they share batches and acknowledgements as a busy
// sender's do.
Case message_case(std::size_t bytes, ExtendedPolicy extended) {
  return {.name = fmt::format("level1/endpoints/message{}/{}", form_suffix(extended), bytes),
          .title = fmt::format("a short message of {} bytes through two endpoints, both sides together{}", bytes,
                               form_title(extended)),
          .parameters = {{"bytes", std::to_string(bytes)}},
          .body = [bytes, extended](Bench& bench) {
            EndpointNet net(chunk_config(extended));
            if (!net.connect()) return;
            const ByteView content = ByteView(payload()).first(bytes);
            constexpr std::uint64_t kAtOnce = 100;
            std::uint64_t sent = 0;
            bool right = true;
            const auto hundred = [&] {
              for (std::uint64_t i = 0; i < kAtOnce; ++i) {
                right = net.client().send(net.now(), net.connection(0), Body::borrowed(content)).has_value() && right;
              }
              sent += kAtOnce;
              for (int round = 0; round < 10'000 && net.delivered_messages < sent; ++round) net.exchange();
            };
            for (int i = 0; i < 100; ++i) hundred();
            bench.outcome.bytes = static_cast<double>(bytes);
            bench.outcome.per = kAtOnce;
            bench.outcome.rate = "packets_per_second";
            bench.measure(hundred);
            net.expect(content);
            for (int i = 0; i < 10; ++i) hundred();
            for (int round = 0; round < 1000 && net.confirmed < sent; ++round) net.exchange(1ms);
            bench.outcome.verified = right && net.forms_are(extended) && net.delivered_messages == sent &&
                                     net.confirmed == sent && net.differences == 0 &&
                                     net.compared_bytes == 10 * kAtOnce * bytes;
            bench.outcome.proof = "every message was delivered and confirmed, a thousand were compared";
          }};
}

// 16 connections send one message each in turn, among many that are open. The connections are made once a process.
Case many_connections_case(std::size_t open) {
  return {.name = fmt::format("level1/endpoints/connections/{}", open),
          .title = fmt::format("a short message on one of {} active among {} open connections, both sides",
                               std::min<std::size_t>(16, open), open),
          .parameters = {{"active", "16"}, {"connections", std::to_string(open)}},
          .heavy = open > 1000,
          .body = [open](Bench& bench) {
            static std::map<std::size_t, std::unique_ptr<EndpointNet>> nets;
            std::unique_ptr<EndpointNet>& kept = nets[open];
            if (!kept) {
              kept = std::make_unique<EndpointNet>(chunk_config(), open);
              if (!kept->connect()) {
                bench.outcome.proof = fmt::format("{} of {} connected", kept->connected / 2, open);
                kept.reset();
                return;
              }
            }
            EndpointNet& net = *kept;
            const ByteView content = ByteView(payload()).first(64);
            std::uint64_t sent = net.delivered_messages;
            const std::size_t active = std::min<std::size_t>(16, open);
            std::size_t turn = 0;
            bool right = true;
            const auto one = [&] {
              right =
                  net.client().send(net.now(), net.connection(turn++ % active), Body::borrowed(content)).has_value() &&
                  right;
              ++sent;
              net.exchange(10us);
            };
            for (int i = 0; i < 2000; ++i) one();
            bench.measure(one);
            net.expect(content);
            for (int i = 0; i < 100; ++i) one();
            for (int round = 0; round < 1000 && net.delivered_messages < sent; ++round) net.exchange(1ms);
            net.expect({});
            bench.outcome.verified =
                right && net.delivered_messages == sent && net.differences == 0 && net.closed == 0 && net.failed == 0;
            bench.outcome.proof = "every message was delivered, a hundred were compared";
            bench.outcome.evidence.emplace_back("delivered_messages", static_cast<double>(net.delivered_messages));
          }};
}

// The analysed system had a channel of one packet between application and wire; it cost a factor of 27.
Case capacity_case(std::uint32_t capacity) {
  return {.name = fmt::format("level1/queue/endpoint/{}", capacity),
          .title = fmt::format("a message of 1000 bytes between two endpoints through a queue of {}", capacity),
          .parameters = {{"capacity", std::to_string(capacity)}},
          .body = [capacity](Bench& bench) {
            Config config = chunk_config();
            config.send_queue.max_messages = capacity;
            EndpointNet net(config);
            if (!net.connect()) return;
            const ByteView content = ByteView(payload()).first(1000);
            std::uint64_t sent = 0;
            std::uint64_t waited = 0;
            // The application sends whenever the queue takes a message, and runs the loop when it does not.
            const auto one = [&] {
              while (!net.client().send(net.now(), net.connection(0), Body::borrowed(content))) {
                net.exchange();
                ++waited;
              }
              ++sent;
            };
            for (int i = 0; i < 20'000; ++i) one();
            bench.outcome.bytes = 1000;
            const std::uint64_t sent_before = sent;
            const std::uint64_t waited_before = waited;
            bench.measure(one);
            if (waited > waited_before) {
              bench.outcome.metrics.emplace_back("messages_a_turn", static_cast<double>(sent - sent_before) /
                                                                        static_cast<double>(waited - waited_before));
            }
            for (int round = 0; round < 10'000 && net.confirmed < sent; ++round) net.exchange();
            net.expect(content);
            for (int i = 0; i < 100; ++i) one();
            for (int round = 0; round < 10'000 && net.confirmed < sent; ++round) net.exchange();
            bench.outcome.verified = net.delivered_messages == sent && net.confirmed == sent && net.differences == 0 &&
                                     net.compared_bytes == 100'000;
            bench.outcome.proof = "every message was delivered and confirmed, a hundred were compared";
          }};
}

}  // namespace

void add_level1_endpoints(Cases& cases) {
  for (const std::uint32_t capacity : {1U, 10U, 100U, 1000U, 8192U}) cases.push_back(capacity_case(capacity));
  stream_cases(cases);
  for (const ExtendedPolicy extended : {ExtendedPolicy::kOff, ExtendedPolicy::kRequire}) {
    for (const std::size_t bytes : {std::size_t{64}, wire::kShortMessageLimit}) {
      cases.push_back(message_case(bytes, extended));
    }
    cases.push_back(handshake_case(extended));
  }
  cases.push_back(wire_bytes_case());
  for (const std::size_t open : {std::size_t{1}, std::size_t{100}, std::size_t{1000}, std::size_t{10'000}})
    cases.push_back(many_connections_case(open));
}

}  // namespace godwit::bench
