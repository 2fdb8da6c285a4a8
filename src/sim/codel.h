// Controlled delay, RFC 8289: drops at the head of a queue whose packets have waited longer than `target` for at least
// `interval`, faster and faster until the wait is short again. Asked once a packet that is about to leave the queue.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace godwit::sim {

class Codel {
 public:
  // `waited`: the packet's time in the queue. `last`: nothing stands behind it. True: drop it and ask about the next.
  [[nodiscard]] bool drops(Instant now, Duration waited, bool last);

 private:
  static constexpr Duration kTarget = 5ms;
  static constexpr Duration kInterval = 100ms;

  [[nodiscard]] bool above_for_long(Instant now, Duration waited, bool last);
  [[nodiscard]] static Instant control_law(Instant from, std::uint32_t count);

  bool above_ = false;
  Instant first_above_{};  // when `interval` will have passed above the target
  bool dropping_ = false;
  Instant drop_next_{};
  std::uint32_t count_ = 0;
  std::uint32_t last_count_ = 0;
};

}  // namespace godwit::sim
