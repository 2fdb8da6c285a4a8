#include "transport/keepalive.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace godwit {
namespace {

// wire spec 7: up to five unanswered pings the interval stays, with six it is doubled, from seven on tripled.
constexpr std::uint32_t kPingsBeforeBackOff = 5;
constexpr std::uint32_t kLargestFactor = 3;
// Pings older than this are forgotten (wire spec 7).
constexpr Duration kPingMemory = 120s;
constexpr Duration kSmallestInterval = 1ms;
// Between pings that overdue answers ask for.
constexpr Duration kPromptInterval = 1s;
constexpr int kTickShift = 10;

std::uint32_t ticks(Instant time) {
  return static_cast<std::uint32_t>(time.time_since_epoch().count() >> kTickShift);
}

}  // namespace

KeepAlive::KeepAlive(const KeepAliveConfig& config, Instant now, ProofRule rule, RandomSource& random)
    : config_(&config),
      random_(&random),
      last_authentic_(now),
      last_ping_(now),
      proof_deadline_(now + config.proof_timeout) {
  switch (rule) {
    case ProofRule::kProven: proof_ = Proof::kNone; break;
    case ProofRule::kPing: proof_ = Proof::kPinging; break;
    case ProofRule::kPingOrFail: proof_ = Proof::kPingingOrFail; break;
  }
  next_ping_ = proof_pending() ? now : now + interval_after_ping();
  forget_pings();
}

KeepAlive::Outcome KeepAlive::handle_timeout(Instant now) {
  Outcome outcome;
  if (now - next_timeout() > config_->suspension_gap) {
    // Nobody drove this object: its silence was not the peer's. The peer gets as long to answer as a fresh session.
    outcome.suspended = true;
    if (proof_ == Proof::kNone) proof_ = Proof::kPinging;
    proof_deadline_ = now + config_->proof_timeout;
    next_ping_ = now;
  }
  if (unanswered_ == 0) suspect_ = false;
  if (proof_pending() && now >= proof_deadline_) {
    outcome.proof_failed = proof_ == Proof::kPingingOrFail;
    proof_ = Proof::kNone;
  }
  if (hurried_ && !proof_pending()) {
    // The answer came between two hurried pings: the next one belongs to the ordinary rhythm.
    hurried_ = false;
    next_ping_ = std::max(next_ping_, last_ping_ + interval_after_ping());
  }
  outcome.idle_expired = now >= idle_deadline();
  if (!suspect_ && now >= suspect_deadline()) {
    suspect_ = true;
    outcome.became_suspect = true;
  }
  outcome.ping = now >= next_ping_;
  // Asked again soon if the ping does not begin, and not at once: a timer that stays due would never let go.
  if (outcome.ping) next_ping_ = now + config_->proof_interval;
  return outcome;
}

Instant KeepAlive::next_timeout() const {
  Instant next = std::min(next_ping_, idle_deadline());
  if (proof_pending()) next = std::min(next, proof_deadline_);
  if (!suspect_) next = std::min(next, suspect_deadline());
  return next;
}

void KeepAlive::expect_answer(Instant now, Duration patience) noexcept {
  if (proof_pending()) return;
  patience = std::max(patience, config_->prompt_suspect_after);
  if (unanswered_ > 0) {
    patience_ = std::min(patience_, patience);
    return;
  }
  next_patience_ = std::min(next_patience_, patience);
  next_ping_ = std::min(next_ping_, std::max(now, last_ping_ + kPromptInterval));
  hurried_ = false;
}

void KeepAlive::restart_proof(Instant now) {
  proof_ = Proof::kPinging;
  proof_deadline_ = now + config_->proof_timeout;
  next_ping_ = now;
  forget_pings();
}

std::uint64_t KeepAlive::begin_ping(Instant now) {
  if (unanswered_ == 0) {
    suspect_ = false;
    first_unanswered_ = now;
    patience_ = std::exchange(next_patience_, Duration::max());
  }
  // Consecutive remembered pings are that close, so that ticks, which come round after 73 minutes, tell all of them.
  if (now - last_ping_ > kPingMemory) outstanding_ = 0;
  const std::uint64_t number = pings_++;
  sent_ticks_[number % kRememberedPings] = ticks(now);
  outstanding_ |= bit(number);
  ++unanswered_;
  last_ping_ = now;
  hurried_ = proof_pending();
  next_ping_ = now + interval_after_ping();
  return first_sequence_ + number;
}

std::optional<Duration> KeepAlive::on_pong(Instant now, std::uint64_t sequence) {
  const std::uint64_t number = sequence - first_sequence_;
  if (number >= pings_ || pings_ - number > kRememberedPings) return std::nullopt;
  if ((outstanding_ & bit(number)) == 0) return std::nullopt;
  outstanding_ &= ~bit(number);
  const bool latest = number + 1 == pings_;
  const Duration round_trip =
      latest ? now - last_ping_
             : Duration{static_cast<Duration::rep>(ticks(now) - sent_ticks_[number % kRememberedPings]) << kTickShift};
  if (round_trip > kPingMemory) return std::nullopt;
  answered_ = std::max(answered_, static_cast<std::uint32_t>(number + 1));
  return round_trip;
}

std::size_t KeepAlive::outstanding_pings() const {
  return static_cast<std::size_t>(std::popcount(outstanding_));
}

void KeepAlive::forget_pings() {
  first_sequence_ = random_->next_u64();
  pings_ = 0;
  outstanding_ = 0;
  answered_ = 0;
}

Duration KeepAlive::interval_after_ping() {
  if (proof_pending()) return config_->proof_interval;
  const std::uint32_t factor =
      unanswered_ <= kPingsBeforeBackOff ? 1 : std::min(unanswered_ - kPingsBeforeBackOff + 1, kLargestFactor);
  Duration interval = base_interval() * factor;
  if (config_->ping_jitter > Duration::zero()) {
    const auto width = static_cast<std::uint64_t>(config_->ping_jitter.count()) * 2 + 1;
    interval += Duration{static_cast<Duration::rep>(random_->below(width))} - config_->ping_jitter;
  }
  return std::clamp(interval, kSmallestInterval, wire::kMaxPingInterval);
}

Duration KeepAlive::base_interval() const {
  constexpr int kPingsPerIdleTimeout = 3;
  return std::min(config_->ping_interval, config_->idle_timeout / kPingsPerIdleTimeout);
}

Instant KeepAlive::idle_deadline() const {
  const Instant deadline = last_authentic_ + config_->idle_timeout;
  return proof_pending() ? std::max(deadline, proof_deadline_) : deadline;
}

Instant KeepAlive::suspect_deadline() const {
  if (unanswered_ == 0 || proof_pending()) return Instant::max();
  const Instant deadline = last_authentic_ + config_->suspect_after;
  return patience_ == Duration::max() ? deadline : std::min(deadline, first_unanswered_ + patience_);
}

}  // namespace godwit
