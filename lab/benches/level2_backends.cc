// Level 2: every back end by itself, by batch and datagram size: one thread sends and takes delivery over loopback.

#include <fmt/format.h>

#include <numeric>

#include "benches/suite.h"
#include "udp/backend.h"

namespace godwit::bench {
namespace {

Row backend_row(BackendKind kind, std::size_t batch, std::size_t bytes) {
  return {
      .name = fmt::format("level2/backend/{}/{}x{}", to_string(kind), batch, bytes),
      .title = fmt::format("send and take delivery of {} bytes, {} a run, back end {}; a datagram", bytes, batch,
                           to_string(kind)),
      .parameters = {{"backend", std::string(to_string(kind))},
                     {"batch", std::to_string(batch)},
                     {"bytes", std::to_string(bytes)}},
      .whole = true,
      .body = [kind, batch, bytes](Bench& bench) {
        const SocketAddress loopback = SocketAddress::ipv4({127, 0, 0, 1}, 0);
        auto in_socket = Socket::open({.bind = loopback});
        auto out_socket = Socket::open({.bind = loopback});
        if (!in_socket || !out_socket) {
          bench.outcome.skipped = "no sockets";
          return;
        }
        const SocketAddress target = in_socket->local_address();
        auto in =
            make_backend(kind == BackendKind::kConnected ? BackendKind::kSendto : kind, std::move(*in_socket), {});
        auto out = make_backend(kind, std::move(*out_socket), {.peer = target});
        if (!in || !out) {
          bench.outcome.skipped = (!in ? in : out).error().message;
          return;
        }
        std::vector<std::uint8_t> memory(batch * bytes);
        std::iota(memory.begin(), memory.end(), std::uint8_t{0});
        const std::uint64_t want =
            std::accumulate(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(bytes), std::uint64_t{0});
        const DatagramRun run{.local = {}, .remote = target, .bytes = memory, .segment_size = bytes};
        ReceiveBatch inbox;
        static_cast<void>((*in)->receive(inbox));
        std::uint64_t delivered = 0;
        bool right = true;
        bool checked = false;
        bench.whole([&] {
          const auto begin = std::chrono::steady_clock::now();
          const auto end = begin + std::chrono::duration<double>(bench.seconds());
          std::uint64_t sent = 0;
          auto now = begin;
          while (now < end) {
            for (int i = 0; i < 16; ++i) {
              sent += (*out)->send({&run, 1}) * batch;
              for (int tries = 0; delivered < sent && tries < 1000; ++tries) {
                if ((*in)->receive(inbox) == 0) {
                  static_cast<void>((*in)->wait(std::chrono::milliseconds(1)));
                  continue;
                }
                for (const DatagramRun& arrived : inbox.runs()) {
                  delivered += arrived.segment_count();
                  right = right && arrived.segment(0).size() == bytes;
                  if (!checked) {
                    checked = true;
                    const MutableBytes first = arrived.segment(0);
                    right = right && std::accumulate(first.begin(), first.end(), std::uint64_t{0}) == want;
                  }
                }
              }
            }
            now = std::chrono::steady_clock::now();
          }
          const double nanoseconds = std::chrono::duration<double, std::nano>(now - begin).count();
          bench.outcome.value = delivered > 0 ? nanoseconds / static_cast<double>(delivered) : 0;
          const BackendStatistics& sending = (*out)->statistics();
          const BackendStatistics& receiving = (*in)->statistics();
          bench.outcome.counts = {{"send_calls", static_cast<double>(sending.send_calls) / static_cast<double>(sent)}};
          bench.outcome.metrics = {
              {"receive_calls", static_cast<double>(receiving.receive_calls) / static_cast<double>(delivered)},
              {"bits_per_second", static_cast<double>(bytes) * 8e9 / *bench.outcome.value}};
          bench.outcome.evidence = {{"delivered_packets", static_cast<double>(delivered)},
                                    {"drops", static_cast<double>(sent - delivered)}};
          bench.outcome.verified = right && checked && delivered == sent;
          bench.outcome.proof = "every datagram arrived with its size, the first with its bytes";
        });
      }};
}

}  // namespace

void add_level2_backends(Rows& rows) {
  for (const BackendKind kind :
       {BackendKind::kSendto, BackendKind::kConnected, BackendKind::kMmsg, BackendKind::kGso, BackendKind::kUring}) {
    for (const std::size_t batch : {std::size_t{1}, std::size_t{16}, std::size_t{54}}) {
      for (const std::size_t bytes : {std::size_t{64}, std::size_t{1200}})
        rows.push_back(backend_row(kind, batch, bytes));
    }
  }
}

}  // namespace godwit::bench
