// A direct way between two address translations of which one, or each, has another port for every destination
// (docs/extended_sessions.md, section 7.2). The side whose ports change opens many of them towards the other side, and
// that side asks one port of the first one's host after the other, until it meets one that is open: with 256 open ports
// and 1024 questions the two miss each other once in sixty times. Where the ports are chosen in sequence, the likely
// ones are asked first. Part of the search for paths of one session; pure decisions, no I/O.
// Bounded: one search a session, kPorts openers that die on their way, kMostGuesses questions one at a time, and of all
// sessions of an endpoint together PortSearchBudget. A side asks ports only because its peer, which has proved its key,
// says in the session that they are open.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"
#include "transport/path_validation.h"
#include "transport/rate_limiter.h"

namespace godwit {

// What is known of the ports of one side's translation.
struct PortHabit {
  bool changes = false;      // another one for each destination
  bool in_sequence = false;  // one after the other
  std::uint16_t latest = 0;  // that has been seen; 0: none

  // Of one that changes, as two others have seen the same host, the first one first; 0: the second has not said it.
  [[nodiscard]] static PortHabit of(std::uint16_t first, std::uint16_t second);
  friend bool operator==(const PortHabit&, const PortHabit&) = default;
};

// What the searches of all sessions of an endpoint share.
struct PortSearchBudget {
  // Searches in which this side asks ports: so many at once, and one more each minute.
  static constexpr std::size_t kBurst = 4;
  RateLimiter guesses{Rate{.interval = 60s, .tolerance = 60s * (kBurst - 1)}};
  bool opening = false;       // one session has further ports, or waits for them
  bool waiting = false;       // it waits
  std::uint64_t openers = 0;  // sent so far
  std::uint64_t asked = 0;    // ports
};

class PortSearch {
 public:
  static constexpr std::size_t kPorts = 256;         // that one side opens
  static constexpr Duration kOpenerInterval = 2ms;   // between two of its openers
  static constexpr std::size_t kMostGuesses = 1024;  // of the other side
  static constexpr Duration kGuessInterval = 10ms;   // between two of them
  static constexpr std::uint16_t kLikely = 64;       // ports above the latest one that are asked first
  static constexpr std::uint16_t kAhead = 32;        // where a port of the asking side is expected, of these
  static constexpr Duration kPatience = 16s;         // with ports open, for all questions and their answers
  static constexpr Duration kRequestInterval = 1s;   // the peer is told that they are open
  static constexpr std::uint32_t kMostRequests = 4;  // at most so often
  static constexpr std::uint16_t kFirstPort = 1024;  // that a translation chooses
  static constexpr std::uint16_t kMostStep = 16;     // between two ports in sequence that others were given between

  // `peer`: the address at which a rendezvous has seen the peer. Both outlive the search.
  PortSearch(const SocketAddress& peer, PortSearchBudget& budget, RandomSource& random)
      : peer_(peer), budget_(budget), random_(random) {}
  PortSearch(const PortSearch&) = delete;
  PortSearch& operator=(const PortSearch&) = delete;
  ~PortSearch() { end(); }

  // --- The side that opens ports ---
  // Where it has a use and no other session is at it: ports are wanted from then on.
  void begin_opening(const PortHabit& own, const PortHabit& peers);
  [[nodiscard]] bool wants_ports() const { return stage_ == Stage::kWaiting; }
  // Local addresses of further sockets; none: there are none to be had.
  void give_ports(Instant now, std::span<const SocketAddress> locals);
  // A datagram that opens the translation for one port, and must not come as far as the peer's.
  [[nodiscard]] std::optional<PathAddress> poll_opener(Instant now);
  // The number of open ports, when the peer is to be told.
  [[nodiscard]] std::optional<std::uint64_t> poll_request(Instant now);
  // Whether the sockets have to stay.
  [[nodiscard]] bool holds_ports() const { return stage_ == Stage::kOpening || stage_ == Stage::kOpen; }
  [[nodiscard]] std::span<const SocketAddress> ports() const { return ports_; }

  // --- The side that asks ---
  // The peer says that it has opened ports. False when there is no search: nothing suggests one, or the budget is used.
  bool begin_asking(Instant now, const PortHabit& own, const PortHabit& peers);
  [[nodiscard]] std::optional<PathValidation::Challenge> poll_guess(Instant now);
  // Whether it answers a question that was sent to this address.
  [[nodiscard]] bool is_answer(std::uint64_t data, const SocketAddress& from) const;

  // The session has a direct way, or has ended.
  void end();
  void handle_timeout(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] bool running() const { return stage_ != Stage::kIdle && stage_ != Stage::kOver; }

 private:
  enum class Stage : std::uint8_t {
    kIdle,
    kWaiting,  // for sockets
    kOpening,
    kOpen,  // until the peer has found one
    kAsking,
    kOver
  };
  struct Guess {
    std::uint16_t port = 0;
    std::uint64_t data = 0;
  };
  static constexpr std::size_t kAllPorts = 65536;

  // Another one each time.
  [[nodiscard]] std::uint16_t next_port();

  SocketAddress peer_;  // of the peer's host; in the opening role with the port that openers go to
  PortSearchBudget& budget_;
  RandomSource& random_;
  Stage stage_ = Stage::kIdle;
  std::vector<SocketAddress> ports_;
  std::size_t opened_ = 0;
  std::uint32_t requests_ = 0;
  PortHabit peers_;
  std::vector<Guess> guesses_;
  std::unique_ptr<std::bitset<kAllPorts>> asked_;
  Instant next_{};
  Instant until_{};
};

}  // namespace godwit
