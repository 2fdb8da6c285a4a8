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
      networks_(kNetworks, options.network) {}

bool LogLimit::allow(Instant now, const SocketAddress& peer) {
  const SocketAddress network = peer.prefix();
  const std::uint64_t key = network.hash(key_);
  if (networks_.would_admit(now, key) && all_.admit(now)) {
    networks_.record(now, key);
    return true;
  }
  ++left_out_;
  last_network_ = network;
  if (!report_at_) report_at_ = now + report_interval_;
  return false;
}

std::optional<LogLimit::LeftOut> LogLimit::poll_left_out(Instant now, bool at_end) {
  if (!report_at_ || (now < *report_at_ && !at_end)) return std::nullopt;
  report_at_.reset();
  return LeftOut{.lines = std::exchange(left_out_, 0), .network = without_port(last_network_)};
}

std::optional<Instant> LogLimit::next_timeout() const {
  return report_at_;
}

std::string describe(const LogLimit::LeftOut& left_out) {
  return fmt::format("{} more line{} about peers {} left out, the last about {}", left_out.lines,
                     left_out.lines == 1 ? "" : "s", left_out.lines == 1 ? "was" : "were", left_out.network);
}

}  // namespace godwit::cli
