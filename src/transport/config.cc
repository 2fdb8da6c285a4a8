#include "transport/config.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace godwit {
namespace {

// Times are added to instants of 64-bit nanoseconds: a year leaves room for any clock.
constexpr Duration kLongestTime = std::chrono::hours{24 * 365};
constexpr Duration kShortestTimeout = 10ms;
constexpr std::size_t kMostConnections = std::size_t{1} << 24;
constexpr std::uint64_t kLeastRate = 8;                           // bits per second: one byte
constexpr std::uint64_t kLargestRate = 1'000'000'000'000'000ULL;  // a petabit per second

Status check_time(std::string_view name, Duration time, Duration least) {
  if (time >= least && time <= kLongestTime) return {};
  return failure(ErrorCode::kInvalidArgument,
                 fmt::format("the {} must be at least {} ms and at most a year, not {} ms", name,
                             std::chrono::duration_cast<std::chrono::milliseconds>(least).count(),
                             std::chrono::duration_cast<std::chrono::milliseconds>(time).count()));
}

Status check_rate(std::string_view name, const std::optional<Bandwidth>& rate) {
  if (!rate || rate->is_unlimited()) return {};
  if (rate->bytes_per_second() >= kLeastRate / 8 && rate->bytes_per_second() <= kLargestRate / 8) return {};
  return failure(ErrorCode::kInvalidArgument, fmt::format("the rate limit of {} must be at least {} and at most {} "
                                                          "bits per second",
                                                          name, kLeastRate, kLargestRate));
}

}  // namespace

Status check_config(const Config& config) {
  if (config.max_connections == 0 || config.max_connections > kMostConnections) {
    return failure(ErrorCode::kInvalidArgument, fmt::format("an endpoint has 1 to {} connections, not {}",
                                                            kMostConnections, config.max_connections));
  }
  const Status checks[] = {
      check_time("connect time-out", config.handshake.connect_timeout, kShortestTimeout),
      check_time("idle time-out", config.keepalive.idle_timeout, kShortestTimeout),
      check_time("ping interval", config.keepalive.ping_interval, kShortestTimeout),
      check_time("suspicion time", config.keepalive.suspect_after, kShortestTimeout),
      check_rate("a connection", config.connection_rate_limit),
      check_rate("the endpoint", config.endpoint_rate_limit),
  };
  for (const Status& check : checks) {
    if (!check) return check;
  }
  return {};
}

}  // namespace godwit
