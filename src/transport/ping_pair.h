// Two pings with a packet of acknowledgements between them, sent at one instant. The second one's answer comes later by
// the time that the slowest link of the way there takes for what follows the first ping: a packet pair, whose spread is
// next to nothing when a queue is not on that way. Answers are adjacent on the way back, so that a queue there delays
// both alike. Part of a Connection, which sends the pings and hands their round trips over.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace godwit {

class PingPair {
 public:
  struct Spread {
    std::uint32_t bytes = 0;  // that followed the first ping, the second included
    Duration apart{};         // zero or more
  };

  void begin(Instant now, std::uint64_t sequence) {
    *this = PingPair();
    stage_ = Stage::kFirst;
    began_at_ = now;
    first_ = sequence;
  }
  // A packet of acknowledgements goes out.
  void on_acknowledgements(std::uint32_t bytes) {
    if (stage_ != Stage::kFirst && stage_ != Stage::kBetween) return;
    stage_ = Stage::kBetween;
    bytes_ += bytes;
  }
  // Whether the second ping is to go now. A pair that has been interrupted says nothing, and ends.
  [[nodiscard]] bool second_due(Instant now) {
    if (stage_ != Stage::kFirst && stage_ != Stage::kBetween) return false;
    if (now - began_at_ > kLongestPause) stage_ = Stage::kNone;
    return stage_ == Stage::kBetween;
  }
  void end(std::uint64_t sequence, std::uint32_t bytes) {
    stage_ = Stage::kSent;
    second_ = sequence;
    bytes_ += bytes;
  }
  [[nodiscard]] bool is_second(std::uint64_t sequence) const { return stage_ == Stage::kSent && sequence == second_; }
  // A ping was answered; the answers may change places. Once for each pair.
  [[nodiscard]] std::optional<Spread> on_answer(std::uint64_t sequence, Duration round_trip) {
    if (stage_ != Stage::kSent) return std::nullopt;
    if (sequence == first_) first_trip_ = round_trip;
    if (sequence == second_) second_trip_ = round_trip;
    if (first_trip_ == Duration::zero() || second_trip_ == Duration::zero()) return std::nullopt;
    stage_ = Stage::kNone;
    return Spread{.bytes = bytes_, .apart = std::max(second_trip_ - first_trip_, Duration::zero())};
  }

 private:
  enum class Stage : std::uint8_t { kNone, kFirst, kBetween, kSent };
  static constexpr Duration kLongestPause = 500us;

  std::uint64_t first_ = 0;
  std::uint64_t second_ = 0;
  Instant began_at_{};
  Duration first_trip_{};  // zero: not answered
  Duration second_trip_{};
  std::uint32_t bytes_ = 0;
  Stage stage_ = Stage::kNone;
};

}  // namespace godwit
