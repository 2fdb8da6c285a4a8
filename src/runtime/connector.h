// Connects to a peer that has several addresses, as RFC 8305 does: an attempt to the first, another one to the next
// address every 250 ms or as soon as the kernel calls the attempts hopeless, families in turn; the first that succeeds
// wins and the others are closed. No I/O, clock or thread of its own: fed with the endpoint's events and turns by
// whoever owns the connection (a command, a file session, a performance run), which hears of the winner only.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/keypair.h"
#include "transport/endpoint.h"

namespace godwit {

class Connector {
 public:
  // RFC 8305 section 5, "Connection Attempt Delay".
  static constexpr Duration kAttemptDelay = 250ms;
  // The same after an attempt at a relay that passes datagrams on between two translations: the direct addresses are
  // what is left when there is no relay.
  static constexpr Duration kRelayDelay = 2s;
  // A name may resolve to any number of addresses; so many are tried.
  static constexpr std::size_t kMaxAddresses = 16;

  // In the order of preference; `endpoint` outlives the connector.
  Connector(Endpoint& endpoint, std::vector<SocketAddress> addresses, const PublicKey& peer);

  // Begins; called again, it connects anew, to the address that won last first. Errors: those of Endpoint::connect,
  // when it refuses every address.
  [[nodiscard]] Status start(Instant now);
  // True when the event concerns an attempt and its owner has nothing to do with it: look at failure() then. False for
  // the winner's events, Connected first, and for all other connections.
  [[nodiscard]] bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  // Gives the attempts up; not while an event of the endpoint is being looked at.
  void stop(Instant now);
  // When on_turn() has something to do.
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // The one that won; 0 while none has.
  [[nodiscard]] ConnectionId connection() const { return connection_; }
  [[nodiscard]] bool connecting() const { return connecting_; }
  // No attempt runs and none is being closed: no further event is a connector's business.
  [[nodiscard]] bool finished() const { return !connecting_ && running_.empty() && closing_.empty(); }
  // Set when every attempt has failed: one line, "cannot connect to ADDRESS: reason", that names them all.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  // Begun since start().
  [[nodiscard]] std::size_t attempts() const { return next_; }

 private:
  struct Attempt {
    ConnectionId connection = 0;
    SocketAddress address;
  };

  void wait_for_openers(Instant now);
  void begin_next(Instant now);
  void end_attempts(Instant now);
  void add_failure(const SocketAddress& address, ErrorCode code, std::string_view why);
  void fail_if_exhausted(Instant now);

  Endpoint& endpoint_;
  std::vector<SocketAddress> addresses_;
  PublicKey peer_;
  bool connecting_ = false;
  std::size_t next_ = 0;                  // address to try
  Instant next_start_{};                  // of its attempt
  Duration first_delay_ = kAttemptDelay;  // of the attempt after the first
  std::vector<Attempt> running_;          // without a result; once one has won, closed in the next turn
  std::vector<ConnectionId> closing_;     // attempts given up, whose Closed event is still to come
  ConnectionId connection_ = 0;
  Error reasons_;        // of the attempts that have failed
  bool silent_ = false;  // one of them has met nothing but silence
  std::optional<Error> failure_;
};

// The addresses with their families in turn, beginning with the first one's; order within a family is kept, and
// duplicates are left out (RFC 8305 section 4).
[[nodiscard]] std::vector<SocketAddress> interleave_families(const std::vector<SocketAddress>& addresses);

}  // namespace godwit
