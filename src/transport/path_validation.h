// A peer whose packets come from another address than before (docs/extended_sessions.md, section 7): the new address is
// asked a question that only the peer can read, and the session moves there when the answer comes back from it. Until
// then everything else goes to the old address, and to the new one at most three times the bytes that came from it.
// Part of an established connection of the extended form; pure decisions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"

namespace godwit {

struct PathAddress {
  SocketAddress local;
  SocketAddress remote;

  friend bool operator==(const PathAddress&, const PathAddress&) = default;
};

class PathValidation {
 public:
  static constexpr int kMostChallenges = 4;
  static constexpr std::size_t kAmplification = 3;
  // An address gives way to another one only after this long, so that a flood of changes costs no more than one
  // challenge in so long a time.
  static constexpr Duration kLeastInterval = 100ms;
  // Between two challenges at first; each next one waits twice as long.
  static constexpr Duration kFirstRepeat = 200ms;

  // An authentic packet with the highest number so far, of `bytes` bytes, has come from `path`, which is not the
  // session's. False when the address is refused for now.
  bool on_packet(Instant now, const PathAddress& path, std::size_t bytes, RandomSource& random);

  struct Challenge {
    PathAddress path;
    std::uint64_t data = 0;
  };
  // The challenge that is due; a datagram of `bytes` bytes with it is then sent.
  [[nodiscard]] std::optional<Challenge> poll(Instant now, std::size_t bytes);
  // True when the answer is to a challenge that was sent to `path`: the session moves there.
  [[nodiscard]] bool on_response(std::uint64_t data, const PathAddress& path);
  // Gives an address up that has not answered.
  void handle_timeout(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  struct Candidate {
    PathAddress path;
    std::uint64_t data = 0;
    std::size_t received = 0;
    std::size_t sent = 0;
    int challenges = 0;
    Instant begun;
    Instant next;
  };
  std::optional<Candidate> candidate_;
};

}  // namespace godwit
