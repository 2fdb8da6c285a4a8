#include "sim/codel.h"

#include <cmath>

namespace godwit::sim {

bool Codel::above_for_long(Instant now, Duration waited, bool last) {
  if (waited < kTarget || last) {
    above_ = false;
    return false;
  }
  if (!above_) {
    above_ = true;
    first_above_ = now + kInterval;
    return false;
  }
  return now >= first_above_;
}

Instant Codel::control_law(Instant from, std::uint32_t count) {
  return from + Duration{static_cast<Duration::rep>(static_cast<double>(kInterval.count()) / std::sqrt(count))};
}

// RFC 8289 section 5.5.
bool Codel::drops(Instant now, Duration waited, bool last) {
  const bool long_above = above_for_long(now, waited, last);
  if (dropping_) {
    if (!long_above) {
      dropping_ = false;
      return false;
    }
    if (now < drop_next_) return false;
    ++count_;
    drop_next_ = control_law(drop_next_, count_);
    return true;
  }
  if (!long_above) return false;
  dropping_ = true;
  const std::uint32_t delta = count_ - last_count_;
  count_ = delta > 1 && now - drop_next_ < 16 * kInterval ? delta : 1;
  drop_next_ = control_law(now, count_);
  last_count_ = count_;
  return true;
}

}  // namespace godwit::sim
