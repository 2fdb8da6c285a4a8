#include "transport/ecn_path.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit {

std::string_view ecn_state_name(EcnPath::State state) {
  switch (state) {
    case EcnPath::State::kUntested: return "off";
    case EcnPath::State::kTesting:
    case EcnPath::State::kWaiting: return "testing";
    case EcnPath::State::kCapable: return "on";
    case EcnPath::State::kSilent: return "paused";
    case EcnPath::State::kFailed: return "failed";
  }
  return "off";
}

void EcnPath::test(std::uint64_t next_number) {
  state_ = State::kTesting;
  test_left_ = kTestPackets;
  marked_ = {.first = next_number, .last = kOpen};
  timeouts_ = 0;
}

void EcnPath::on_marked(std::uint64_t first, std::uint64_t packets) {
  GODWIT_ASSERT(marks());
  sent_ += packets;
  if (state_ != State::kTesting) return;
  test_left_ -= std::min(test_left_, packets);
  if (test_left_ == 0) stop_marking(State::kWaiting, first + packets);
}

void EcnPath::stop_marking(State state, std::uint64_t next_number) {
  state_ = state;
  if (marked_.last == kOpen) marked_.last = next_number == 0 ? 0 : next_number - 1;
}

// RFC 9000, section 13.4.2.1: counts never fall, tell of each acknowledged packet that was marked, and of none that was
// not sent. ECT(1) is not sent.
bool EcnPath::is_credible(const EcnCounts& counts, std::uint64_t newly) const {
  if (counts.ect0 < told_.ect0 || counts.ce < told_.ce || counts.ect1 != 0) return false;
  if (counts.ect0 > sent_ || counts.ce > sent_ - counts.ect0) return false;
  return (counts.ect0 - told_.ect0) + (counts.ce - told_.ce) >= newly;
}

void EcnPath::on_acknowledged(const std::optional<EcnCounts>& counts, std::uint64_t newly, std::uint64_t largest,
                              std::uint64_t next_number) {
  // A frame that was overtaken has counts that are older than those known.
  if (largest_ && largest <= *largest_) return;
  largest_ = largest;
  timeouts_ = 0;
  if (state_ == State::kUntested || state_ == State::kFailed) return;
  if (!counts) {
    if (newly > 0) return stop_marking(State::kFailed, next_number);
  } else {
    if (!is_credible(*counts, newly)) return stop_marking(State::kFailed, next_number);
    told_ = *counts;
  }
  if (state_ == State::kSilent) return test(next_number);
  if (newly > 0 && state_ != State::kCapable) {
    // What was sent after the test is not marked: the numbers begin anew.
    if (state_ == State::kWaiting) marked_ = {.first = next_number, .last = kOpen};
    state_ = State::kCapable;
  } else if (state_ == State::kWaiting && largest > marked_.last && largest - marked_.last >= kPatience) {
    state_ = State::kFailed;
  }
}

void EcnPath::on_timeout(std::uint64_t next_number) {
  if (state_ == State::kTesting) return stop_marking(State::kWaiting, next_number);
  if (state_ == State::kCapable && ++timeouts_ == 2) stop_marking(State::kSilent, next_number);
}

std::uint64_t EcnPath::take_marks() {
  return told_.ce - std::exchange(taken_, told_.ce);
}

}  // namespace godwit
