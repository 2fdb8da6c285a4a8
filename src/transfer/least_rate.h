// Whether a sender that holds something others may need also uses it: it is to send so many bytes a second. Who sends
// faster may pause for a while, who sends slower, or one byte now and then, may lose its place to others. Owned by a
// transfer of FileReceiver.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace godwit {

class LeastRate {
 public:
  static constexpr std::uint64_t kBytesPerSecond = 16 << 10;
  static constexpr Duration kGrace = 5s;        // to the first byte
  static constexpr Duration kMostCredit = 30s;  // for what came faster

  void start(Instant now) { kept_until_ = now + kGrace; }
  void on_bytes(Instant now, std::uint64_t bytes) {
    constexpr Duration::rep kNanosecondsPerByte = Duration(1s).count() / static_cast<Duration::rep>(kBytesPerSecond);
    constexpr auto kMost = static_cast<std::uint64_t>(kMostCredit.count() / kNanosecondsPerByte);
    const Duration earned{kNanosecondsPerByte * static_cast<Duration::rep>(std::min(bytes, kMost))};
    kept_until_ = std::min(std::max(kept_until_, now) + earned, now + kMostCredit);
  }
  // The sender had to wait for this side so long.
  void excuse(Duration time) { kept_until_ += time; }
  [[nodiscard]] bool kept(Instant now) const { return now < kept_until_; }

 private:
  Instant kept_until_{};
};

}  // namespace godwit
