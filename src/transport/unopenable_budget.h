// How many datagrams a peer is sent that it could not open, if its session should be alive after all: those of a
// handshake beside that session, under a key that somebody else may have named. A deployed peer closes a connection
// that has brought it more than 40 of them in 30 s (wire spec 9.2).
#pragma once

#include <array>
#include <cstddef>

#include "base/time.h"

namespace godwit {

class UnopenableBudget {
 public:
  static constexpr std::size_t kMost = 10;
  static constexpr Duration kWindow = 30s;

  // Whether one more may be sent at `now`; a yes is recorded. At most kMost in any kWindow.
  [[nodiscard]] bool take(Instant now) {
    if (count_ == kMost && now - sent_[next_] <= kWindow) return false;
    sent_[next_] = now;
    next_ = (next_ + 1) % kMost;
    if (count_ < kMost) ++count_;
    return true;
  }

 private:
  std::array<Instant, kMost> sent_{};  // a ring; the oldest at next_ once it is full
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

}  // namespace godwit
