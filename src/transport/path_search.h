// Better ways to the peer of an extended session than the relay that it runs over, and the way back
// (docs/extended_sessions.md, section 7.1): while the session is at the relay the other addresses of the peer are
// asked, and it moves to the first that answers; then the relay is asked now and again, so that it stays open, and
// takes the session back when the direct way has fallen silent. Part of an established connection; pure decisions.
// Bounded: at most kMostPaths addresses, each of which gets kMostChallenges in one search, at growing intervals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"
#include "transport/path_validation.h"
#include "transport/port_search.h"

namespace godwit {

// Where a peer can be reached, as a rendezvous has told.
struct PeerPaths {
  std::vector<SocketAddress> direct;   // best first; PathSearch::kMostPaths of them are used
  std::optional<SocketAddress> relay;  // that passes datagrams on to the peer
  // Nothing but openers goes to the direct addresses for so long after they have become known. Zero: there is no
  // translation that would have to be opened first.
  Duration pause{};
  bool opens_relay = false;  // this side waits for the peer's connection at the relay, and has to be let in there
  bool relay_full = false;   // the relay has no place for the pair
};

// An opener passes the translation of its own host, and a second one of its provider; the peer's is further away.
inline constexpr std::uint8_t kOpenerHops = 3;
// All that it holds: no datagram of the protocol begins with it.
inline constexpr std::uint8_t kOpenerByte = 0;

// Why a session is not direct, or that it is.
enum class PathReason : std::uint8_t {
  kDirect,
  kSearching,        // direct addresses are being asked
  kNoOtherAddress,   // nobody has told one
  kNoCapability,     // the peer's version, or this side's, does not move sessions
  kOwnPortChanges,   // this side's translation has another port for each destination
  kPeerPortChanges,  // the peer's has
  kBothPortsChange,  // both have
  kUnaskedAnswered,  // a router answers datagrams that nobody asked for, which spoils the peer's mapping
  kNoAnswer,         // from any address, and nothing says why
  kUdpBlocked,       // there is no connection: nothing at all comes in, or the system forbids to send
  kRelayFull         // there is no connection: no direct address answers, and the relay has no place
};
// For a program, and for a person.
[[nodiscard]] std::string_view path_reason_name(PathReason reason);
[[nodiscard]] std::string_view path_reason_text(PathReason reason);

// How far the search has come.
struct PathState {
  bool searches = true;     // false: the session stays where it is
  bool connecting = false;  // there is no session yet; then `blocked` and `relay_full` count
  bool blocked = false;     // nothing has come in, from anybody, or the system forbids to send
  bool relay_full = false;
  bool capable = true;  // false: one side does not have what a search needs
  bool relayed = false;
  bool exhausted = false;          // relayed, and no direct address has answered within kPatientChallenges
  bool heard_direct = false;       // something of the peer has come in from a direct address
  bool own_port_changes = false;   // as the rendezvous or the peer says
  bool peer_port_changes = false;  // the same, or something came from a port that the rendezvous does not see it at
  bool refused = false;            // a router has answered what was sent to a direct address
  bool searches_ports = false;     // of translations that have another one for each destination
  std::uint32_t addresses = 0;     // direct ones that are known
  std::uint32_t challenges = 0;    // sent to them
  std::uint32_t moves = 0;         // to a direct address
  std::uint32_t returns = 0;       // to the relay

  [[nodiscard]] PathReason reason() const;
};

enum class PathAnswer : std::uint8_t {
  kNone,   // to nothing that was asked there
  kAlive,  // the address answers
  kMove    // and the session moves there
};

class PathSearch {
 public:
  static constexpr std::size_t kMostPaths = 8;
  static constexpr std::uint32_t kMostChallenges = 20;
  // So many without an answer, which take three seconds, and nobody waits for one any more.
  static constexpr std::uint32_t kPatientChallenges = 6;
  static constexpr Duration kFirstRepeat = 100ms;  // then twice as long each time
  static constexpr Duration kLongestRepeat = 30s;
  static constexpr Duration kUrgentRepeat = 200ms;    // while the address in use is silent
  static constexpr Duration kRelayInterval = 15s;     // translations forget after 30 s at the earliest
  static constexpr std::uint32_t kRelayAttempts = 4;  // without an answer: it is gone
  // Before direct addresses are asked again after the way to one has failed; twice as long each time, up to the
  // longest.
  static constexpr Duration kFirstRest = 5s;
  static constexpr Duration kLongestRest = 60s;

  // Challenges to a direct address without an answer, before ports are searched.
  static constexpr std::uint32_t kChallengesBeforePorts = 5;

  // What a search for ports needs, where both sides are capable of it.
  struct Ports {
    PortSearchBudget* budget = nullptr;  // outlives the search; null: ports are not searched
    bool can_open = false;               // this side's owner has further sockets
    bool opens_first = false;            // where the ports of both sides change, this one opens and the other one asks
  };

  // `since`: when the paths became known. `present`: the session's address. `random` outlives the search.
  PathSearch(Instant now, const PeerPaths& paths, Instant since, const SocketAddress& present, RandomSource& random,
             const Ports& ports);

  // An authentic packet has come from the session's address.
  void on_heard(Instant now) { last_heard_ = now; }
  // A challenge has come from an address that is not the session's.
  void on_challenge(Instant now, const PathAddress& from, RandomSource& random);
  [[nodiscard]] PathAnswer on_response(Instant now, std::uint64_t data, const PathAddress& from);
  // The session has moved, whoever has decided it.
  void on_moved(Instant now, const SocketAddress& present);
  // Whether the session may follow an ordinary packet of the peer that has come from `remote`: not back to the relay
  // while the direct way works, since the peer is about to leave the relay too.
  [[nodiscard]] bool may_follow(Instant now, const SocketAddress& remote, Duration patience) const;

  // The challenge that is due, and is sent then.
  [[nodiscard]] std::optional<PathValidation::Challenge> poll(Instant now);
  // `waits`: the peer owes a sign of life. After `patience` without one, the address in use counts as silent.
  void handle_timeout(Instant now, bool waits, Duration patience);
  [[nodiscard]] std::optional<Instant> next_timeout(bool waits) const;

  [[nodiscard]] const PathState& state() const { return state_; }
  void note_ports(const PortHabit& own, const PortHabit& peers);
  // The peer has opened ports, and waits to be asked.
  void on_ports_opened(Instant now);
  // Of this side, that a search needs or a way to the peer goes through.
  void add_local_ports(std::vector<std::uint16_t>& ports) const;
  // Null where ports are not searched.
  [[nodiscard]] PortSearch* ports() { return ports_.get(); }
  // A router has said that nobody takes what is sent to this address.
  void on_refused(const SocketAddress& remote);

 private:
  struct Path {
    PathAddress address;
    bool relay = false;
    std::uint64_t data = 0;
    std::uint32_t challenges = 0;  // since the last answer, or since the search has begun anew
    Instant next;
  };

  void add(const SocketAddress& remote, bool relay, Instant first, RandomSource& random);
  void begin_anew(Instant first);
  [[nodiscard]] Path* find(const SocketAddress& remote);
  [[nodiscard]] bool is_relay(const SocketAddress& remote) const;
  [[nodiscard]] bool is_due(const Path& path, Instant now) const { return is_asked(path) && now >= path.next; }
  // Whether the path has a turn at all, in the present state.
  [[nodiscard]] bool is_asked(const Path& path) const;
  [[nodiscard]] Duration interval(const Path& path) const;
  void note_exhaustion();
  void consider_ports();
  [[nodiscard]] std::optional<PathValidation::Challenge> poll_guess(Instant now);

  std::vector<Path> paths_;
  std::vector<SocketAddress> known_;  // direct ones, as they were told
  SocketAddress present_;
  Instant last_heard_;
  std::optional<Instant> waits_since_;
  Instant next_check_;
  bool silent_ = false;
  Duration rest_ = kFirstRest;
  PathState state_;
  Ports use_;
  std::unique_ptr<PortSearch> ports_;
  PortHabit own_ports_;
  PortHabit peers_ports_;
};

}  // namespace godwit
