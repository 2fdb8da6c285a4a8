// Level 2: what kernel and cipher allow, and the analysed original's shape by name.

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>

#include "benches/perf_cases.h"
#include "benches/suite.h"
#include "udp/sockaddr.h"
#include "udp/socket.h"

namespace godwit::bench {
namespace {

const char* title_of(RawPath path) {
  switch (path) {
    case RawPath::kCeiling: return "the ceiling: seal, GSO, GRO, open, digest; no protocol";
    case RawPath::kSealSendto: return "seal, one send a datagram, open, digest";
    case RawPath::kUdpGso: return "GSO and GRO without a cipher";
    case RawPath::kUdpSendto: return "one send a datagram without a cipher";
    case RawPath::kTcp: return "kernel TCP, plaintext, segments of 1200 bytes, CUBIC";
    case RawPath::kTls: return "TLS 1.3 (AES-128-GCM) over kernel TCP";
  }
  return "";
}

// With `packaged` by the packaged cipher, otherwise by the one that the transport takes.
Case raw_case(RawPath path, bool packaged = false) {
  return {.name = fmt::format("level2/raw/{}{}", to_string(path), packaged ? "-packaged" : ""),
          .title = fmt::format("{}{}", title_of(path), packaged ? ", by the packaged cipher" : ""),
          .unit = "bit/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [path, packaged](Bench& bench) {
            bench.whole([&] {
              const auto result =
                  run_raw(bench, {.path = path, .cipher = packaged ? packaged_cipher() : chosen_cipher()});
              if (!result) return;
              bench.outcome.value = result->goodput_bits_per_second;
              bench.outcome.verified = result->failures == 0 && result->delivered_bytes > 0;
              bench.outcome.proof = "counted and verified in the receiving process";
              bench.outcome.metrics = {
                  {"nanoseconds_per_packet", result->nanoseconds_per_packet},
                  {"cpu_seconds_per_gigabyte", (result->sender_cpu_seconds + result->receiver_cpu_seconds) /
                                                   static_cast<double>(result->delivered_bytes) * 1e9}};
              bench.outcome.evidence = {{"delivered_bytes", static_cast<double>(result->delivered_bytes)},
                                        {"drops", static_cast<double>(result->kernel_drops)},
                                        {"decrypt_failures", static_cast<double>(result->failures)}};
            });
          }};
}

// The analysed original sent 1364 bytes to its own socket and never read: beside it, the same with a read for each
// send.
Case original_case(bool reads) {
  return {
      .name = reads ? "level2/original/self-connected-read" : "level2/original/self-connected-unread",
      .title = reads
                   ? "1364 bytes to one's own socket, and read: what the shape below costs when somebody takes delivery"
                   : "1364 bytes to one's own socket that nobody reads, as the analysed original measured sending",
      .parameters = {{"bytes", "1364"}},
      .body = [reads](Bench& bench) {
        auto socket = Socket::open({.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0)});
        if (!socket || !socket->connect(socket->local_address())) {
          bench.outcome.skipped = "the socket could not be connected to itself";
          return;
        }
        std::array<std::uint8_t, 1364> bytes{};
        std::array<std::uint8_t, 2048> in;
        std::uint64_t sent = 0;
        std::uint64_t read_back = 0;
        bench.outcome.bytes = 1364;
        bench.measure([&] {
          sent += send(socket->descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0 ? 1U : 0U;
          if (reads) read_back += recv(socket->descriptor(), in.data(), in.size(), MSG_DONTWAIT) > 0 ? 1U : 0U;
        });
        std::uint64_t left = 0;
        while (recv(socket->descriptor(), in.data(), in.size(), MSG_DONTWAIT) > 0) ++left;
        bench.outcome.evidence = {{"sent", static_cast<double>(sent)},
                                  {"delivered", static_cast<double>(read_back + left)}};
        bench.outcome.verified = sent > 0 && (!reads || read_back == sent);
        bench.outcome.proof = reads ? "every datagram was read" : "none: nobody reads, most are dropped by the kernel";
        if (!reads) bench.outcome.marks.emplace_back("original's shape: measures the kernel's drop path");
      }};
}

}  // namespace

void add_level2_raw(Cases& cases) {
  for (const RawPath path : all_raw_paths()) cases.push_back(raw_case(path));
  cases.push_back(raw_case(RawPath::kCeiling, true));
  cases.push_back(original_case(false));
  cases.push_back(original_case(true));
}

}  // namespace godwit::bench
