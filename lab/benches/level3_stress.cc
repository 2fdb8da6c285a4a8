// Level 3: the highest packet rate, a flood beside a good peer, a slow reader beside a fast one, and a soak that
// watches memory and descriptors.

#include <dirent.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "base/random.h"
#include "benches/connected_pair.h"
#include "runtime/clock.h"
#include "udp/socket.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

Case packets_case(std::size_t bytes) {
  return {.name = fmt::format("level3/packets/{}", bytes),
          .title = fmt::format("short messages of {} bytes on one connection, as many as go", bytes),
          .parameters = {{"bytes", std::to_string(bytes)}},
          .unit = "packets/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [bytes](Bench& bench) {
            bench.whole([&] {
              auto pair = connected_pair(bench);
              if (!pair) return;
              BenchClient& client = *pair->client;
              const auto fill = [&] {
                for (int i = 0; i < 256 && client.send_message(0, bytes); ++i) {
                }
              };
              client.run_for(run_time(bench) / 4, fill);
              const ServerTotals before = pair->server->totals();
              const Instant begin = boot_time_now();
              client.run_for(run_time(bench), fill);
              const ServerTotals after = pair->server->totals();
              const double seconds = std::chrono::duration<double>(boot_time_now() - begin).count();
              const bool done = drained(client);
              const ServerTotals end = pair->server->totals();
              const auto delivered = static_cast<double>(after.messages - before.messages);
              bench.outcome.value = delivered / seconds;
              bench.outcome.metrics = {
                  {"bits_per_second", delivered * static_cast<double>(bytes) * 8 / seconds},
                  {"server_nanoseconds", (after.cpu_seconds - before.cpu_seconds) * 1e9 / std::max(1.0, delivered)}};
              bench.outcome.evidence = {{"delivered_packets", static_cast<double>(end.messages)},
                                        {"drops", static_cast<double>(end.kernel_drops)}};
              bench.outcome.verified = done && end.messages > 0 && all_arrived(end, client);
              bench.outcome.proof = "every message arrived once with its number and its bytes";
            });
          }};
}

// Intros that do not open, intros of the right shape from ever new addresses, and data packets of nobody, at a steady
// rate from this machine.
class Flood {
 public:
  Flood(const SocketAddress& target, double per_second) : target_(target), per_second_(per_second) {
    thread_ = std::thread([this] { run(); });
  }
  ~Flood() { end(); }
  void end() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_.load(); }

 private:
  void run() {
    auto socket = Socket::open({.bind = SocketAddress::ipv4({127, 0, 0, 2}, 0)});
    if (!socket || !socket->connect(target_)) return;
    DeterministicRandom random(23);
    std::vector<std::uint8_t> datagram(1200);
    const Instant begin = boot_time_now();
    std::uint64_t sent = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
      const double due = std::chrono::duration<double>(boot_time_now() - begin).count() * per_second_;
      if (static_cast<double>(sent) >= due) {
        usleep(200);
        continue;
      }
      const std::size_t size = sent % 2 == 0 ? 73 : 1200;
      random.fill(MutableBytes(datagram).first(80));
      datagram[0] = sent % 2 == 0 ? 1 : 2;
      static_cast<void>(::send(socket->descriptor(), datagram.data(), size, MSG_DONTWAIT));
      sent_.store(++sent, std::memory_order_relaxed);
    }
  }

  SocketAddress target_;
  double per_second_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> sent_{0};
  std::thread thread_;
};

constexpr double kFloodRate = 50'000;  // datagrams a second

Case flood_case() {
  return {.name = "level3/flood",
          .title = fmt::format("share of its goodput that a good peer keeps beside {:.0f} bogus datagrams a second",
                               kFloodRate),
          .unit = "ratio",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [](Bench& bench) {
            bench.whole([&] {
              auto pair = connected_pair(bench);
              if (!pair) return;
              BenchClient& client = *pair->client;
              bool feeding = true;
              feed_streams(client, feeding);
              client.run_for(run_time(bench) / 4);
              // Quiet and flooded halves in turn, so that the machine's drift falls on both.
              double quiet = 0;
              double flooded = 0;
              std::uint64_t bogus = 0;
              for (int part = 0; part < 4; ++part) {
                const bool with_flood = part == 1 || part == 2;
                std::unique_ptr<Flood> flood;
                if (with_flood) flood = std::make_unique<Flood>(pair->server->address(), kFloodRate);
                const std::uint64_t before = pair->server->stream_bytes();
                const Instant begin = boot_time_now();
                client.run_for(run_time(bench) / 2);
                const double seconds = std::chrono::duration<double>(boot_time_now() - begin).count();
                const double rate = static_cast<double>(pair->server->stream_bytes() - before) / seconds;
                (with_flood ? flooded : quiet) += rate;
                if (flood) {
                  flood->end();
                  bogus += flood->sent();
                }
              }
              feeding = false;
              const bool done = drained(client);
              const ServerTotals end = pair->server->totals();
              if (quiet <= 0) return;
              bench.outcome.value = flooded / quiet;
              bench.outcome.metrics = {{"bits_per_second", flooded * 4}, {"bits_per_second_quiet", quiet * 4}};
              bench.outcome.evidence = {{"bogus_datagrams", static_cast<double>(bogus)},
                                        {"refused", static_cast<double>(end.dropped)},
                                        {"drops", static_cast<double>(end.kernel_drops)}};
              bench.outcome.verified =
                  done && bogus > 0 && end.dropped > 0 && end.connected == 1 && all_arrived(end, client);
              bench.outcome.proof = "the good peer lost nothing, and no stranger was let in";
            });
          }};
}

// One stream whose reader takes 64 KiB every 10 ms, and streams beside it on the same connection that are read at once.
Case slow_reader_case() {
  return {.name = "level3/slow-reader",
          .title = "goodput of streams beside one whose reader takes 6.5 MB/s, on the same connection",
          .unit = "bit/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [](Bench& bench) {
            bench.whole([&] {
              auto pair = connected_pair(bench, {.server = {.slow_bytes = 65536}});
              if (!pair) return;
              BenchClient& client = *pair->client;
              static const std::vector<std::uint8_t> kSlow(BenchServer::kSlowStreamBytes, 3);
              const auto slow = client.endpoint().send(client.now(), client.id(0), Body::borrowed(kSlow),
                                                       {.as = SendAs::kStream, .send_limit = 0});
              bool feeding = true;
              std::uint64_t granted = 0;
              client.on_event = [&](std::size_t index, Event& event) {
                if (const auto* credit = std::get_if<MessageReceived>(&event); credit && credit->payload.size() == 8) {
                  granted = load_le<std::uint64_t>(credit->payload.data());
                  if (slow) client.endpoint().extend_send_limit(client.now(), client.id(0), *slow, granted);
                } else if (feeding && std::holds_alternative<MessageConfirmed>(event)) {
                  client.send_stream(index);
                }
              };
              client.send_stream(0);
              client.send_stream(0);
              client.run_for(run_time(bench) / 4);
              const std::uint64_t before = pair->server->stream_bytes();
              const std::uint64_t slow_before = pair->server->slow_bytes();
              const Instant begin = boot_time_now();
              client.run_for(std::max<Duration>(run_time(bench), 200ms));
              const double seconds = std::chrono::duration<double>(boot_time_now() - begin).count();
              const std::uint64_t fast = pair->server->stream_bytes() - before;
              const std::uint64_t slowly = pair->server->slow_bytes() - slow_before;
              feeding = false;
              const bool done = client.run_until([&] { return client.confirmed == client.sent_streams; });
              const ServerTotals end = pair->server->totals();
              const std::uint64_t taken = pair->server->slow_bytes();
              bench.outcome.value = static_cast<double>(fast) * 8 / seconds;
              bench.outcome.metrics = {{"slow_bits_per_second", static_cast<double>(slowly) * 8 / seconds}};
              bench.outcome.evidence = {{"delivered_bytes", static_cast<double>(end.stream_bytes)},
                                        {"slow_bytes", static_cast<double>(taken)}};
              bench.outcome.verified = done && slow.has_value() && end.differences == 0 && slowly > 0 &&
                                       taken <= pair->server->slow_granted() && fast > slowly &&
                                       end.streams_finished == client.sent_streams;
              bench.outcome.proof =
                  "the slow stream never got ahead of its reader's credit and did not stop the others";
            });
          }};
}

struct Resources {
  double resident_bytes = 0;
  std::size_t descriptors = 0;
};
Resources resources_now() {
  Resources now;
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  now.resident_bytes = pages * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (DIR* const folder = opendir("/proc/self/fd")) {
    while (readdir(folder) != nullptr) ++now.descriptors;
    closedir(folder);
  }
  return now;
}

// Everything at once for a long time: streams, messages and connections that come and go. --whole-seconds sets how
// long.
Case soak_case() {
  return {.name = "level3/soak",
          .title = "streams, messages and churn together, with memory and descriptors watched",
          .unit = "bit/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [](Bench& bench) {
            bench.whole([&] {
              auto pair = connected_pair(bench);
              if (!pair) return;
              BenchClient& client = *pair->client;
              bool feeding = true;
              client.on_event = [&](std::size_t index, Event& event) {
                if (index == 0) {
                  if (feeding && std::holds_alternative<MessageConfirmed>(event)) client.send_stream(0);
                } else if (std::holds_alternative<Connected>(event)) {
                  client.send_message(index, 500);
                } else if (std::holds_alternative<MessageConfirmed>(event)) {
                  client.endpoint().close(client.now(), client.id(index));
                }
              };
              client.send_stream(0);
              const Instant begin = boot_time_now();
              std::uint64_t visitors = 0;
              const auto visit = [&] {
                const double elapsed = std::chrono::duration<double>(client.now() - begin).count();
                if (static_cast<double>(visitors) < elapsed * 100 && client.initiate()) ++visitors;
              };
              client.run_for(2 * run_time(bench), visit);
              const Resources first = resources_now();
              const std::uint64_t before = pair->server->stream_bytes();
              const Instant counted = boot_time_now();
              client.run_for(4 * run_time(bench), visit);
              const double seconds = std::chrono::duration<double>(boot_time_now() - counted).count();
              const std::uint64_t bytes = pair->server->stream_bytes() - before;
              const Resources last = resources_now();
              feeding = false;
              const bool done = client.run_until([&] {
                return client.confirmed == client.sent_streams + client.sent_messages && client.closed == visitors;
              });
              const ServerTotals end = pair->server->totals();
              const double growth = last.resident_bytes - first.resident_bytes;
              bench.outcome.value = static_cast<double>(bytes) * 8 / seconds;
              bench.outcome.metrics = {
                  {"resident_growth_bytes", growth}, {"resident_bytes", last.resident_bytes}, {"seconds", seconds}};
              bench.outcome.evidence = {{"delivered_bytes", static_cast<double>(end.stream_bytes)},
                                        {"visitors", static_cast<double>(visitors)},
                                        {"descriptors_gained", static_cast<double>(last.descriptors) -
                                                                   static_cast<double>(first.descriptors)}};
              constexpr double kMostGrowth = 4.0 * 1024 * 1024;
              bench.outcome.verified =
                  done && growth < kMostGrowth && last.descriptors == first.descriptors && all_arrived(end, client);
              bench.outcome.proof = "everything arrived, memory grew by less than 4 MiB, descriptors not at all";
            });
          }};
}

}  // namespace

void add_level3_stress(Cases& cases) {
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{512}, std::size_t{1106}})
    cases.push_back(packets_case(bytes));
  cases.push_back(flood_case());
  cases.push_back(slow_reader_case());
  cases.push_back(soak_case());
}

}  // namespace godwit::bench
