// Level 2: the whole transport by back end, datagrams a batch and size of a datagram, between two threads of this
// process; and what socket buffers hold before the kernel drops.

#include <fmt/format.h>

#include <algorithm>

#include "benches/connected_pair.h"
#include "runtime/clock.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kStreamDatagram = 1200;

// Sizes below 1200 are short messages of as many payload bytes; 1200 is a stream's full datagrams.
Case whole_case(BackendKind kind, std::size_t batch, std::size_t bytes) {
  return {
      .name = fmt::format("level2/whole/{}/{}x{}", to_string(kind), batch, bytes),
      .title = fmt::format("{}, at most {} a batch, back end {}, through the whole transport; wall time of a packet",
                           bytes == kStreamDatagram ? std::string("full packets of a stream")
                                                    : fmt::format("messages of {} bytes", bytes),
                           batch, to_string(kind)),
      .parameters = {{"backend", std::string(to_string(kind))},
                     {"batch", std::to_string(batch)},
                     {"bytes", std::to_string(bytes)}},
      .whole = true,
      .body = [kind, batch, bytes](Bench& bench) {
        bench.whole([&] {
          auto pair = connected_pair(bench, {.backend = kind, .batch = batch});
          if (!pair) return;
          BenchServer& server = *pair->server;
          BenchClient& client = *pair->client;
          bench.outcome.proof = "everything arrived once, compared, and was confirmed";
          bool feeding = true;
          std::function<void()> work;
          if (bytes == kStreamDatagram) {
            feed_streams(client, feeding);
          } else {
            work = [&] {
              for (std::size_t i = 0; i < batch && client.send_message(0, bytes); ++i) {
              }
            };
          }
          const Duration time = run_time(bench);
          client.run_for(time / 4, work);
          const ServerTotals before = server.totals();
          const BackendStatistics sent_before = client.backend().statistics();
          const double own_before = thread_cpu_seconds();
          const Instant begin = boot_time_now();
          client.run_for(time, work);
          const double own = thread_cpu_seconds() - own_before;
          const ServerTotals after = server.totals();
          const BackendStatistics sent_after = client.backend().statistics();
          const double nanoseconds = std::chrono::duration<double, std::nano>(boot_time_now() - begin).count();
          feeding = false;
          const bool done = drained(client);
          const ServerTotals end = server.totals();
          const double packets = bytes == kStreamDatagram
                                     ? static_cast<double>(after.stream_bytes - before.stream_bytes) / 1130
                                     : static_cast<double>(after.messages - before.messages);
          if (packets <= 0) return;
          const double carried = bytes == kStreamDatagram ? 1130 : static_cast<double>(bytes);
          bench.outcome.value = nanoseconds / packets;
          bench.outcome.metrics = {
              {"bits_per_second", packets * carried * 8e9 / nanoseconds},
              {"packets_per_second", packets * 1e9 / nanoseconds},
              {"client_nanoseconds", own * 1e9 / packets},
              {"server_nanoseconds", (after.cpu_seconds - before.cpu_seconds) * 1e9 / packets},
              {"datagrams_per_send_call",
               static_cast<double>(sent_after.datagrams_sent - sent_before.datagrams_sent) /
                   static_cast<double>(std::max<std::uint64_t>(1, sent_after.send_calls - sent_before.send_calls))}};
          bench.outcome.evidence = {{"delivered_packets", packets}, {"drops", static_cast<double>(end.kernel_drops)}};
          bench.outcome.verified = done && all_arrived(end, client);
        });
      }};
}

// A burst of 16 MiB to a socket whose reader is busy elsewhere, then all that it held is read: exact, no timing in it.
Case buffer_case(std::size_t kibibytes, BackendKind kind) {
  return {
      .name = fmt::format("level2/buffer/{}/{}k", to_string(kind), kibibytes),
      .title = fmt::format("share of a burst of 13,824 datagrams that a receive buffer of {} KiB keeps, back end {}",
                           kibibytes, to_string(kind)),
      .parameters = {{"buffer", std::to_string(kibibytes)}, {"backend", std::string(to_string(kind))}},
      .unit = "share",
      .better = measure::Better::kHigher,
      .whole = true,
      .body = [kibibytes, kind](Bench& bench) {
        bench.whole([&] {
          const SocketAddress loopback = SocketAddress::ipv4({127, 0, 0, 1}, 0);
          auto in_socket = Socket::open({.bind = loopback, .receive_buffer_bytes = kibibytes * 1024});
          auto out_socket = Socket::open({.bind = loopback});
          if (!in_socket || !out_socket) {
            bench.outcome.skipped = "no sockets";
            return;
          }
          const SocketAddress target = in_socket->local_address();
          const std::size_t granted = in_socket->receive_buffer_bytes();
          auto in = make_backend(kind, std::move(*in_socket), {});
          auto out = make_backend(kind, std::move(*out_socket), {});
          if (!in || !out) {
            bench.outcome.skipped = (!in ? in : out).error().message;
            return;
          }
          ReceivedBatches inbox;
          static_cast<void>((*in)->receive(inbox));
          constexpr std::size_t kBatch = 54;
          constexpr std::size_t kBatches = 256;
          std::vector<std::uint8_t> memory(kBatch * kStreamDatagram, 7);
          const DatagramBatch batch{.local = {}, .remote = target, .bytes = memory, .segment_size = kStreamDatagram};
          std::size_t sent = 0;
          for (std::size_t i = 0; i < kBatches; ++i) {
            while ((*out)->send({&batch, 1}) == 0) static_cast<void>((*out)->wait(1ms));
            sent += kBatch;
          }
          std::size_t kept = 0;
          bool right = true;
          for (int empty = 0; empty < 3;) {
            if ((*in)->receive(inbox) == 0) {
              ++empty;
              static_cast<void>((*in)->wait(1ms));
              continue;
            }
            for (const DatagramBatch& arrived : inbox.batches()) {
              kept += arrived.segment_count();
              right = right && arrived.segment(0).size() == kStreamDatagram && arrived.bytes[0] == 7;
            }
          }
          bench.outcome.value = static_cast<double>(kept) / static_cast<double>(sent);
          bench.outcome.metrics = {{"granted_bytes", static_cast<double>(granted)}};
          bench.outcome.evidence = {{"delivered_packets", static_cast<double>(kept)},
                                    {"drops", static_cast<double>(sent - kept)}};
          bench.outcome.verified = right && kept > 0 && kept <= sent;
          bench.outcome.proof = "what was read is counted, with its size";
        });
      }};
}

}  // namespace

void add_level2_messages(Cases& cases) {
  for (const BackendKind kind : {BackendKind::kSendto, BackendKind::kMmsg, BackendKind::kGso, BackendKind::kUring}) {
    for (const std::size_t batch : {std::size_t{1}, std::size_t{16}, std::size_t{54}}) {
      for (const std::size_t bytes : {std::size_t{64}, std::size_t{512}, kStreamDatagram})
        cases.push_back(whole_case(kind, batch, bytes));
    }
  }
  for (const BackendKind kind : {BackendKind::kMmsg, BackendKind::kGso}) {
    for (const std::size_t kibibytes : {std::size_t{208}, std::size_t{1024}, std::size_t{4096}, std::size_t{16'384}})
      cases.push_back(buffer_case(kibibytes, kind));
  }
}

}  // namespace godwit::bench
