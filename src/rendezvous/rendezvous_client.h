// The two sides that a rendezvous brings together (docs/rendezvous.md), without I/O. RendezvousClient keeps a peer
// findable over the socket that it listens on, so that the address that others are told is this socket's; when it is
// introduced to somebody it connects to them as they connect to it (simultaneous open), which opens the address
// translations of both. RendezvousSeeker asks once. Both are fed with the events of the endpoint that they share with
// their command.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "rendezvous/code_exchange.h"
#include "rendezvous/rendezvous_codec.h"
#include "runtime/connector.h"
#include "transport/endpoint.h"
#include "transport/rate_limiter.h"

namespace godwit {

struct RendezvousPlace {
  PublicKey key;
  std::vector<SocketAddress> addresses;
};

class RendezvousClient {
 public:
  // `own`: addresses of this machine's interfaces, with the port of the socket. `endpoint` outlives it.
  RendezvousClient(Endpoint& endpoint, RendezvousPlace place, Candidates own);

  // True when the event is nobody else's business. The connections that it brings about are not its own.
  [[nodiscard]] bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // This side's address as the rendezvous sees it, while registered.
  [[nodiscard]] const std::optional<SocketAddress>& observed() const { return observed_; }
  // In place of `own`; told to the rendezvous at once where that is possible.
  void set_candidates(Instant now, Candidates own);
  // Besides being found, meets whoever has a one-time code; before the first turn. A code ends with the connection.
  void meet_by_code(CodeExchange exchange) { exchange_.emplace(std::move(exchange)); }
  // Null without a code.
  [[nodiscard]] CodeExchange* exchange() { return exchange_ ? &*exchange_ : nullptr; }
  // What a person should know, once each: "registered …", "the rendezvous is lost, and asked again: …".
  [[nodiscard]] std::optional<std::string> poll_notice();

 private:
  static constexpr Duration kFirstPause = 1s;  // before connecting anew
  static constexpr Duration kLongestPause = 30s;
  static constexpr Duration kConnectTime = 8s;     // of one introduction
  static constexpr std::size_t kMostTargets = 16;  // at a time
  // Of a rendezvous that has named so many in a row whom nobody has met it is fewer: it may be lying.
  static constexpr std::size_t kManyInVain = 32;
  static constexpr std::size_t kFewTargets = 4;
  // The relay's turn: a direct way has been found by then, or the asker is about to try the relay.
  static constexpr Duration kRelayPause = 400ms;
  // A session that is still at the relay then may not find a direct way.
  static constexpr Duration kAskPause = 1s;

  // One introduction: an attempt to each address of the asker, who chooses the one that stays.
  struct Target {
    PublicKey key;
    std::vector<ConnectionId> attempts;  // without a result
    Instant until{};
    std::vector<SocketAddress> direct{};  // still to be connected to
    Instant direct_at{};
    std::optional<SocketAddress> relay{};  // the same
    Instant relay_at{};
    SocketAddress relay_port{};
    SocketAddress seen{};  // where the rendezvous sees the asker
    bool met = false;      // there is a session with the asker
  };
  // A session at the relay, of which the rendezvous is asked what the translations of its sides do.
  struct Relayed {
    ConnectionId connection = 0;
    SocketAddress port;
    SocketAddress seen;  // where the rendezvous sees the peer
    Instant ask_at{};
  };

  void on_own_event(Instant now, const Event& event);
  void on_own_message(Instant now, const RendezvousMessage& message);
  void send(Instant now, const RendezvousMessage& message);
  void connect(Instant now, Target& target, const SocketAddress& address);
  // True when the event ends an attempt that has failed.
  [[nodiscard]] bool on_target_event(Instant now, ConnectionId connection, const Event& event);
  void introduce(Instant now, const RendezvousIntroduced& introduced);
  void on_turn_of_dials(Instant now);
  void ask_where(Instant now);
  void take_seen(const RendezvousSeen& seen);
  void retry(Instant now, const std::string& why);

  Endpoint& endpoint_;
  RendezvousPlace place_;
  Candidates own_;
  Connector connector_;
  ConnectionId connection_ = 0;
  std::optional<Instant> again_at_;
  Duration pause_ = kFirstPause;
  std::string refusal_;  // the rendezvous's words, until its connection has ended
  std::optional<SocketAddress> observed_;
  std::vector<Target> targets_;
  std::size_t in_vain_ = 0;  // introductions in a row that have come to nothing
  std::vector<Relayed> relayed_;
  RateLimiter introductions_{Rate::per_second(4, 32)};
  std::optional<CodeExchange> exchange_;
  std::deque<std::string> notices_;
};

// Where to look for a peer that a rendezvous has found, in order: what the rendezvous sees, since the peer connects to
// this side from there at this moment, what was `known` before, and the relay.
[[nodiscard]] std::vector<SocketAddress> ways_to(const RendezvousFound& found, const std::vector<SocketAddress>& known);

// What the endpoint is told of them (Endpoint::know_paths).
[[nodiscard]] PeerPaths paths_of(const RendezvousFound& found);

class RendezvousSeeker {
 public:
  // Most time that one is given by those who ask several in turn.
  static constexpr Duration kPatience = 8s;

  // Asks for the peer with `wanted`; `relay`: for ports at the relay too.
  RendezvousSeeker(Endpoint& endpoint, RendezvousPlace place, const PublicKey& wanted, Candidates own, bool relay);

  // Asks for the peer that has the other half of a one-time code, in place of `wanted`; before start().
  void meet_by_code(CodeExchange exchange) { exchange_.emplace(std::move(exchange)); }
  // Null without a code.
  [[nodiscard]] CodeExchange* exchange() { return exchange_ ? &*exchange_ : nullptr; }
  // Whom it asks for.
  [[nodiscard]] const PublicKey& wanted() const { return wanted_; }

  [[nodiscard]] Status start(Instant now) { return connector_.start(now); }
  // True when the event is nobody else's business.
  bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // Ends the connection to the rendezvous; finished() when nothing of it is left.
  void stop(Instant now);
  [[nodiscard]] bool finished() const { return connector_.finished() && connection_ == 0; }

  // The answer, or why there is none; nothing while neither is there.
  [[nodiscard]] const std::optional<Result<RendezvousFound>>& answer() const { return answer_; }

 private:
  void ask(Instant now);
  void send(Instant now, const RendezvousMessage& message);
  void on_message(Instant now, const RendezvousMessage& message);
  void take_answer(Instant now, const RendezvousFound& found);
  void fail(std::string why);

  Endpoint& endpoint_;
  Connector connector_;
  std::optional<CodeExchange> exchange_;
  PublicKey wanted_;
  Candidates own_;
  bool relay_;
  ConnectionId connection_ = 0;
  std::optional<Result<RendezvousFound>> answer_;
};

}  // namespace godwit
