#include "recovery/pacer.h"

#include <algorithm>

namespace godwit {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t kNano = 1'000'000'000;      // units of credit in a byte
constexpr std::uint64_t kLargestBurst = 1u << 30;  // keeps the credit within 63 bits at any rate
constexpr Duration kLongestDebt = 1s;

}  // namespace

Pacer::Pacer(Bandwidth rate, const PacerConfig& config) : config_(&config) {
  apply(rate);
}

void Pacer::set_rate(Instant now, Bandwidth rate) {
  if (rate == rate_) return;
  const bool was_unlimited = rate_.is_unlimited();
  refill(now);
  apply(rate);
  // No credit was kept while there was no limit: begin with a full bucket, like a new pacer.
  if (was_unlimited) {
    credit_ = capacity();
    waiting_ = false;
  }
  credit_ = std::min(credit_, capacity());
}

std::uint64_t Pacer::budget(Instant now) {
  if (rate_.is_unlimited()) return kUnlimited;
  refill(now);
  if (waiting_) {
    if (credit_ < wanted()) return 0;
    waiting_ = false;
  }
  return static_cast<std::uint64_t>(credit_ / kNano);
}

Duration Pacer::until_credit(Instant now, std::uint64_t bytes) {
  if (rate_.is_unlimited()) return Duration::zero();
  refill(now);
  return until(static_cast<std::int64_t>(std::min(bytes, burst_)) * kNano);
}

void Pacer::on_sent(Instant now, std::uint64_t bytes) {
  if (rate_.is_unlimited()) return;
  refill(now);
  const std::uint64_t longest_debt = std::min(std::max(burst_, rate_.bytes_in(kLongestDebt)), kLargestBurst);
  const auto minimum = -static_cast<std::int64_t>(longest_debt) * kNano;
  credit_ -= static_cast<std::int64_t>(std::min(bytes, 2 * kLargestBurst)) * kNano;
  credit_ = std::max(credit_, minimum);
  waiting_ = waiting_ || credit_ < static_cast<std::int64_t>(config_->datagram_bytes) * kNano;
}

Duration Pacer::until_release(Instant now) {
  if (budget(now) > 0) return Duration::zero();
  return until(wanted());
}

Duration Pacer::until(std::int64_t credit) const {
  const std::uint64_t rate = rate_.bytes_per_second();
  const Wide missing = static_cast<Wide>(credit) - credit_;
  if (missing <= 0) return Duration::zero();
  if (rate == 0) return Duration::max();
  return Duration{static_cast<Duration::rep>((missing + rate - 1) / rate)};
}

std::optional<Instant> Pacer::next_release(Instant now) {
  const Duration wait = until_release(now);
  if (wait == Duration::zero() || wait == Duration::max()) return std::nullopt;
  return now + wait;
}

void Pacer::apply(Bandwidth rate) {
  rate_ = rate;
  if (rate.is_unlimited()) return;
  const std::uint64_t datagram = config_->datagram_bytes;
  const std::uint64_t least = config_->min_release_datagrams * datagram;
  release_ = std::clamp(rate.bytes_in(config_->release_interval), least,
                        std::max<std::uint64_t>(config_->max_release_bytes, least));
  burst_ = std::max(release_ + std::min(rate.bytes_in(config_->lateness), kLargestBurst - release_),
                    config_->min_burst_datagrams * datagram);
  if (!started_) credit_ = capacity();
}

// Time that runs backwards gives nothing; time that leaps gives no more than a full bucket.
void Pacer::refill(Instant now) {
  const Duration elapsed = now - refilled_at_;
  refilled_at_ = now;
  if (!started_ || rate_.is_unlimited()) {
    started_ = true;
    return;
  }
  if (elapsed <= Duration::zero()) return;
  const Wide gained = static_cast<Wide>(elapsed.count()) * rate_.bytes_per_second();
  credit_ = static_cast<std::int64_t>(std::min<Wide>(credit_ + gained, capacity()));
}

std::int64_t Pacer::capacity() const {
  return static_cast<std::int64_t>(burst_) * kNano;
}

std::int64_t Pacer::wanted() const {
  return static_cast<std::int64_t>(release_) * kNano;
}

}  // namespace godwit
