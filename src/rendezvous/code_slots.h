// The rendezvous's part in one-time codes (docs/rendezvous.md section 7): gives each a number, and passes the steps of
// the exchange on between the side that has made a code and the first that names its number. It learns the number
// alone. Bounded: so many codes in all and of one network, each for a time, one for a connection; a code has one try,
// however it ends. Fed by RendezvousServer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

#include "base/time.h"
#include "rendezvous/rendezvous_codec.h"
#include "transport/event.h"

namespace godwit {

struct CodeLimits {
  std::size_t codes = 1024;
  std::size_t codes_per_prefix = 16;  // IPv4 address, IPv6 /64
  Duration lifetime = 600s;
};

struct CodeStatistics {
  std::uint64_t opened = 0;   // all time
  std::uint64_t joined = 0;   // of them, tried by somebody
  std::uint64_t matched = 0;  // and both sides say that the words were the same
  std::uint64_t wrong = 0;    // or that they were not
  std::uint64_t expired = 0;
  std::uint64_t unknown = 0;  // tries of a number that is none, or not any more
  std::uint64_t refused = 0;  // for want of a place
  std::uint64_t ignored = 0;  // steps that were not due
};

class CodeSlots {
 public:
  using Send = std::function<void(Instant now, ConnectionId connection, const RendezvousMessage& message)>;

  CodeSlots(const CodeLimits& limits, Send send) : limits_(limits), send_(std::move(send)) {}

  // `prefix`: the network of the one who asks. Codes end when their time is over, as seen by the next call.
  [[nodiscard]] RendezvousCodeOpened open(Instant now, ConnectionId connection, const SocketAddress& prefix);
  void on_step(Instant now, ConnectionId connection, const RendezvousCodeStep& step);
  void on_ended(Instant now, ConnectionId connection, const RendezvousCodeEnded& ended);
  void on_closed(Instant now, ConnectionId connection);

  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  [[nodiscard]] const CodeStatistics& statistics() const { return statistics_; }

 private:
  struct Slot {
    ConnectionId maker = 0;
    ConnectionId other = 0;  // 0: nobody has named the number yet
    SocketAddress prefix;
    Instant until{};
    std::uint8_t next_step = 1;
  };
  using Slots = std::map<std::uint32_t, Slot>;

  void end_old(Instant now);
  void erase(Slots::iterator slot);
  void join(Instant now, ConnectionId connection, const RendezvousCodeStep& step);
  // The exchange that a connection takes part in.
  [[nodiscard]] Slots::iterator slot_of(ConnectionId connection);

  CodeLimits limits_;
  Send send_;
  Slots slots_;  // by number
  std::map<ConnectionId, std::uint32_t> parties_;
  std::uint32_t last_nameplate_ = 0;
  CodeStatistics statistics_;
};

}  // namespace godwit
