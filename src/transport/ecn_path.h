// Whether a path carries marks of explicit congestion notification, and what they say (docs/extended_sessions.md,
// section 5.3; RFC 9000, section 13.4.2). Of one extended session with the capability on both sides: the first packets
// are marked as a test, all further ones once the peer has counted them as they were sent. A path that clears the
// marks, or loses what carries them, gets none. Part of EstablishedConnection, from the first marked packet of either
// side on.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/ecn.h"
#include "base/number_range.h"

namespace godwit {

class EcnPath {
 public:
  // Packets of the test, and unmarked ones after it without any of the test acknowledged that say that it has failed.
  static constexpr std::uint64_t kTestPackets = 10;
  static constexpr std::uint64_t kPatience = 32;

  enum class State : std::uint8_t {
    kUntested,
    kTesting,  // packets are marked
    kWaiting,  // the test is over: what became of it will show
    kCapable,  // packets are marked
    kSilent,   // time-outs in a row: what is marked may be lost; the next acknowledgement begins another test
    kFailed,   // the path or the peer does not carry marks, or counts what was not sent
  };

  // --- Sending ---
  [[nodiscard]] bool marks() const { return state_ == State::kTesting || state_ == State::kCapable; }
  // Begins the test with the next packet number: at first, and on a new path.
  void test(std::uint64_t next_number);
  // Requires marks(). `packets` from number `first` on have been sent with Ecn::kEct0.
  void on_marked(std::uint64_t first, std::uint64_t packets);
  // The tracked packets among these numbers were marked; none if first > last.
  [[nodiscard]] NumberRange marked() const { return marked_; }
  // A frame of acknowledgements up to number `largest` has acknowledged `newly` of marked(). `counts`: what it tells.
  void on_acknowledged(const std::optional<EcnCounts>& counts, std::uint64_t newly, std::uint64_t largest,
                       std::uint64_t next_number);
  // The retransmission time-out has fired.
  void on_timeout(std::uint64_t next_number);
  // Packets that the peer says were marked by routers, since the latest call.
  std::uint64_t take_marks();

  // --- Receiving ---
  // Each packet of the session once.
  void on_received(Ecn mark) { received_.add(mark); }
  // What to tell; nothing until a marked packet has come.
  [[nodiscard]] std::optional<EcnCounts> received() const {
    return received_ == EcnCounts{} ? std::nullopt : std::optional(received_);
  }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint64_t reported_marks() const { return told_.ce; }

 private:
  static constexpr std::uint64_t kOpen = std::numeric_limits<std::uint64_t>::max();

  [[nodiscard]] bool is_credible(const EcnCounts& counts, std::uint64_t newly) const;
  void stop_marking(State state, std::uint64_t next_number);

  EcnCounts received_;
  EcnCounts told_;  // by the peer
  std::uint64_t sent_ = 0;
  std::uint64_t taken_ = 0;  // of told_.ce
  std::uint64_t test_left_ = 0;
  NumberRange marked_{.first = 1, .last = 0};
  std::optional<std::uint64_t> largest_;  // acknowledged
  State state_ = State::kUntested;
  std::uint8_t timeouts_ = 0;  // in a row
};
[[nodiscard]] std::string_view ecn_state_name(EcnPath::State state);

}  // namespace godwit
