// Connects to a peer that a ticket names: asks the rendezvous of the ticket in turn where it can be found, then races
// what they know, the addresses that were known before and the relay (Connector). No I/O, clock or thread of its own:
// fed with the endpoint's events and turns, like Connector, by whoever owns the connection.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "rendezvous/rendezvous_client.h"
#include "runtime/connector.h"
#include "transport/endpoint.h"

namespace godwit {

// Whom to find, and how.
struct PeerPlace {
  PublicKey key;
  std::vector<SocketAddress> addresses;     // in order of preference
  std::vector<RendezvousPlace> rendezvous;  // to be asked besides
};

class PeerSearch {
 public:
  // `own`: addresses of this side that a rendezvous may tell the peer. `endpoint` outlives the search.
  PeerSearch(Endpoint& endpoint, PeerPlace place, Candidates own);

  // Looks for whoever has the other half of a one-time code, at the first rendezvous, in place of a key; before
  // start().
  void meet_by_code(CodeExchange exchange) { exchange_.emplace(std::move(exchange)); }
  // The code that was made here, for the user; once.
  [[nodiscard]] std::optional<std::string> poll_code();

  // Errors: those of Connector::start(), when there is no rendezvous to ask.
  [[nodiscard]] Status start(Instant now);
  // True when the event concerns the search and its owner has nothing to do with it: look at failure() then. False for
  // the winner's events, Connected first, and for all other connections.
  [[nodiscard]] bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  // When on_turn() has something to do.
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // The one that won; 0 while none has.
  [[nodiscard]] ConnectionId connection() const { return connector_ ? connector_->connection() : 0; }
  // No further event is the search's business.
  [[nodiscard]] bool finished() const;
  // One line: why there is no connection.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  // For the other half of a code: as long as it may be used, and the exchange takes.
  static constexpr Duration kCodePatience = 660s;

  void ask_next(Instant now);
  void take_answer(Instant now);
  void connect(Instant now, std::vector<SocketAddress> addresses);
  void add_reason(const std::string& reason);

  Endpoint& endpoint_;
  PeerPlace place_;
  Candidates own_;
  std::size_t next_ = 0;                                  // rendezvous to ask
  std::optional<CodeExchange> exchange_;                  // until it is the seeker's
  std::unique_ptr<RendezvousSeeker> seeker_;              // that is being asked
  Instant give_up_at_{};                                  // its answer
  std::vector<std::unique_ptr<RendezvousSeeker>> ended_;  // whose last events are still to come
  std::optional<Connector> connector_;
  std::string reasons_;  // why no rendezvous helped
  std::optional<Error> failure_;
};

}  // namespace godwit
