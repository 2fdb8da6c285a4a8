#include "cli/log_limit.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/system_random.h"

namespace godwit::cli {
namespace {

HashKey random_key() {
  SystemRandom random;
  return HashKey(random);
}

std::string without_port(const SocketAddress& address) {
  const std::string text = address.to_string();
  return text.substr(0, text.rfind(':'));
}

}  // namespace

LogLimit::LogLimit() : LogLimit(Options{}) {}

LogLimit::LogLimit(const Options& options)
    : key_(random_key()),
      report_interval_(options.report_interval),
      all_(options.all),
      prefixes_(kEntries, options.prefix),
      networks_(kEntries, options.network) {}

bool LogLimit::allow(Instant now, const SocketAddress& peer, std::size_t bytes) {
  const std::uint64_t prefix = peer.prefix().hash(key_);
  const std::uint64_t network = peer.network().hash(key_);
  if (prefixes_.would_admit(now, prefix) && networks_.would_admit(now, network) && all_.admit(now)) {
    for (std::size_t rest = bytes; rest > kLineBytes; rest -= kLineBytes) {
      prefixes_.record(now, prefix);
      networks_.record(now, network);
      static_cast<void>(all_.admit(now));
    }
    prefixes_.record(now, prefix);
    networks_.record(now, network);
    return true;
  }
  ++left_out_;
  last_prefix_ = peer.prefix();
  if (!report_at_) report_at_ = now + report_interval_;
  return false;
}

std::optional<LogLimit::LeftOut> LogLimit::poll_left_out(Instant now, bool at_end) {
  if (!report_at_ || (now < *report_at_ && !at_end)) return std::nullopt;
  report_at_.reset();
  return LeftOut{.lines = std::exchange(left_out_, 0), .prefix = without_port(last_prefix_)};
}

std::optional<Instant> LogLimit::next_timeout() const {
  return report_at_;
}

std::string describe(const LogLimit::LeftOut& left_out) {
  return fmt::format("{} more line{} about peers {} left out, the last about {}", left_out.lines,
                     left_out.lines == 1 ? "" : "s", left_out.lines == 1 ? "was" : "were", left_out.prefix);
}

}  // namespace godwit::cli
