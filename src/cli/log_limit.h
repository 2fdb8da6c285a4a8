// How many lines about peers a log takes: a rate for each prefix that they come from (SocketAddress::prefix()), one for
// each network of prefixes and one for all together, so that no stranger fills a disk. A long line counts as several,
// so that bytes are limited too. What was left out is counted, and told in a line of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/keyed_hash.h"
#include "base/time.h"
#include "transport/rate_limiter.h"

namespace godwit::cli {

class LogLimit {
 public:
  static constexpr std::size_t kLineBytes = 512;  // a longer line counts as so many of them

  struct Options {
    Rate prefix = Rate::per_second(1, 20);
    Rate network = Rate::per_second(2, 40);
    Rate all = Rate::per_second(10, 200);
    Duration report_interval = 10s;  // between lines about what was left out
  };
  LogLimit();
  explicit LogLimit(const Options& options);

  // Whether a line of so many bytes about this peer may be written now; a no is counted.
  [[nodiscard]] bool allow(Instant now, const SocketAddress& peer, std::size_t bytes);
  // Lines left out, and where from, since the last call that returned something. Nothing before report_interval has
  // passed since the first of them, unless `at_end`.
  struct LeftOut {
    std::uint64_t lines = 0;
    std::string prefix;  // of the last of them
  };
  [[nodiscard]] std::optional<LeftOut> poll_left_out(Instant now, bool at_end = false);
  // When poll_left_out() will have something.
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  static constexpr std::size_t kEntries = 1024;

  HashKey key_;  // peers choose their addresses
  Duration report_interval_;
  RateLimiter all_;
  HashedLimiter prefixes_;
  HashedLimiter networks_;
  std::uint64_t left_out_ = 0;
  SocketAddress last_prefix_;
  std::optional<Instant> report_at_;
};

// "12 more lines about peers were left out, the last about 192.0.2.7".
[[nodiscard]] std::string describe(const LogLimit::LeftOut& left_out);

}  // namespace godwit::cli
