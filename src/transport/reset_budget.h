// How often strangers are told that their session is unknown here: they may have forged their address, and one that has
// a deployed session elsewhere counts such datagrams (wire spec 9.2). At most one in three seconds to an address, and
// kMost in three seconds to all.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "base/address.h"
#include "base/time.h"

namespace godwit {

class ResetBudget {
 public:
  static constexpr std::size_t kMost = 64;
  static constexpr Duration kWindow = 3s;

  // Whether one may go to `remote` at `now`; a yes is recorded.
  [[nodiscard]] bool take(Instant now, const SocketAddress& remote) {
    const auto recent = [now](const Sent& sent) { return sent.at && now - *sent.at < kWindow; };
    Sent& oldest = sent_[next_];
    if (recent(oldest)) return false;
    if (std::ranges::any_of(sent_, [&](const Sent& sent) { return recent(sent) && sent.to == remote; })) return false;
    oldest = {.to = remote, .at = now};
    next_ = (next_ + 1) % kMost;
    return true;
  }

 private:
  struct Sent {
    SocketAddress to;
    std::optional<Instant> at;
  };
  std::array<Sent, kMost> sent_{};  // a ring; the oldest at next_
  std::size_t next_ = 0;
};

}  // namespace godwit
