#include "transport/path_mtu.h"

#include <algorithm>

namespace godwit {

PathMtu::PathMtu(std::uint16_t limit) : limit_(std::max(limit, kBase)) {
  const auto beyond = std::ranges::lower_bound(kLadder, limit_);
  // The steps below the limit, and the limit itself.
  steps_ = static_cast<std::uint8_t>(beyond - kLadder.begin() + 1);
  too_large_ = steps_;
}

std::optional<PathMtu::Probe> PathMtu::poll(Instant now, Duration patience, RandomSource& random) {
  if (given_up_at_ || now < rest_until_) return std::nullopt;
  if (!doubted_ && confirmed_ + 1 == steps_) return std::nullopt;  // there is nothing larger
  if (!doubted_ && confirmed_ + 1 == too_large_) {
    // The rest is over: what did not fit may fit now.
    too_large_ = steps_;
  }
  data_ = random.next_u64();
  given_up_at_ = now + std::max(patience, kLeastWait);
  ++attempts_;
  ++counters_.size_probes_sent;
  return Probe{.data = data_, .bytes = size_of(doubted_ ? confirmed_ : next_step())};
}

bool PathMtu::on_answer(Instant now, std::uint64_t data) {
  if (!given_up_at_ || data != data_) return false;
  given_up_at_.reset();
  attempts_ = 0;
  losses_ = 0;
  if (doubted_) {
    doubted_ = false;
    return true;
  }
  confirmed_ = next_step();
  if (confirmed_ + 1 == too_large_) rest_until_ = now + kRaiseInterval;
  return true;
}

bool PathMtu::on_packets(std::uint32_t largest_acked_bytes, std::uint32_t lost) {
  if (confirmed_ == 0 || doubted_) return false;
  if (largest_acked_bytes > kBase) {
    losses_ = 0;
    return false;
  }
  losses_ = static_cast<std::uint8_t>(std::min<std::uint32_t>(losses_ + lost, kSuspiciousLosses));
  if (losses_ < kSuspiciousLosses) return false;
  // Another question may be under way: this one is more urgent.
  doubted_ = true;
  given_up_at_.reset();
  attempts_ = 0;
  rest_until_ = Instant::min();
  return true;
}

void PathMtu::reset() {
  const PathMtuCounters counted = counters_;
  *this = PathMtu(limit_);
  counters_ = counted;
}

std::optional<Instant> PathMtu::next_timeout() const {
  return given_up_at_;
}

void PathMtu::handle_timeout(Instant now) {
  if (!given_up_at_ || now < *given_up_at_) return;
  given_up_at_.reset();
  ++counters_.size_probes_lost;
  if (attempts_ < kMostAttempts) return;
  attempts_ = 0;
  if (doubted_) return fall_back(now);  // size() was the base already
  too_large_ = next_step();
  if (confirmed_ + 1 == too_large_) rest_until_ = now + kRaiseInterval;
}

void PathMtu::fall_back(Instant now) {
  doubted_ = false;
  confirmed_ = 0;
  losses_ = 0;
  too_large_ = steps_;
  rest_until_ = now + kBlackHoleInterval;
  ++counters_.size_reductions;
}

}  // namespace godwit
