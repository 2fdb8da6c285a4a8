#include "rendezvous/rendezvous_client.h"

#include <algorithm>
#include <utility>

#include "wire/printable.h"

namespace godwit {
namespace {

constexpr std::size_t kMostNotices = 8;

// Of the host that a rendezvous names first: where it sees the peer, and what the peer's router maps.
constexpr std::size_t kMostOfAHost = 3;

// A rendezvous is trusted with who is where, and not with whom this side sends datagrams to: what is no address of the
// host that it names first, nor of a private network, is left out, and so are more than a few of that host.
Candidates addresses_to_try(const Candidates& candidates) {
  Candidates result;
  std::size_t of_host = 0;
  for (const SocketAddress& each : candidates) {
    if (!is_plausible_candidate(each, candidates.front())) continue;
    if (each.is_same_host(candidates.front()) && ++of_host > kMostOfAHost) continue;
    result.push_back(each);
  }
  return result;
}

}  // namespace

RendezvousClient::RendezvousClient(Endpoint& endpoint, RendezvousPlace place, Candidates own)
    : endpoint_(endpoint),
      place_(std::move(place)),
      own_(std::move(own)),
      connector_(endpoint, place_.addresses, place_.key),
      again_at_(Instant::min()) {}

bool RendezvousClient::on_event(Instant now, ConnectionId connection, const Event& event) {
  if (connector_.on_event(now, connection, event)) return true;
  if (connection == connector_.connection() && connection != 0) {
    connection_ = connection;
    on_own_event(now, event);
    return true;
  }
  return on_target_event(now, connection, event);
}

bool RendezvousClient::on_target_event(Instant now, ConnectionId connection, const Event& event) {
  if (const auto* const connected = std::get_if<Connected>(&event)) {
    for (Target& target : targets_) {
      if (connected->peer->key != target.key) continue;
      target.met = true;
      if (connected->remote != target.relay_port || relayed_.size() >= kMostTargets) continue;
      relayed_.push_back(
          {.connection = connection, .port = target.relay_port, .seen = target.seen, .ask_at = now + kAskPause});
    }
  }
  for (Target& target : targets_) {
    const auto attempt = std::ranges::find(target.attempts, connection);
    if (attempt == target.attempts.end()) continue;
    const bool connected = std::holds_alternative<Connected>(event);
    // From here on it is a connection like others.
    if (connected || std::holds_alternative<Closed>(event)) target.attempts.erase(attempt);
    return !connected;
  }
  return false;
}

void RendezvousClient::on_own_event(Instant now, const Event& event) {
  if (std::holds_alternative<Connected>(event)) {
    send(now, RendezvousRegister{.candidates = own_});
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    connection_ = 0;
    if (exchange_) exchange_->on_closed();
    const std::string refusal = std::exchange(refusal_, {});
    // This side ends the connection, as at the end of the program: nothing is lost that a person should know of.
    if (closed->reason == CloseReason::kLocal && refusal.empty()) {
      observed_.reset();
      again_at_ = now + pause_;
      return;
    }
    retry(now, refusal.empty() ? printable(closed->text) : refusal);
  } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
    if (const auto decoded = decode_rendezvous(message->payload)) on_own_message(now, *decoded);
  }
}

void RendezvousClient::on_own_message(Instant now, const RendezvousMessage& message) {
  if (const auto* registered = std::get_if<RendezvousRegistered>(&message)) {
    if (registered->code != RendezvousCode::kDone) {
      refusal_ = rendezvous_code_text(registered->code);
      return endpoint_.close(now, connection_, "not registered");
    }
    // Again after set_candidates(), which nobody needs to know.
    const bool known = std::exchange(observed_, registered->observed) == registered->observed;
    pause_ = kFirstPause;
    if (known && registered->observed) return;
    notices_.push_back("registered at the rendezvous" +
                       (observed_ ? ", which sees this side at " + observed_->to_string() : std::string()));
    // Whoever has the code looks for this side at once.
    if (exchange_ && !exchange_->begun()) send(now, exchange_->begin(now));
  } else if (const auto* introduced = std::get_if<RendezvousIntroduced>(&message)) {
    introduce(now, *introduced);
  } else if (const auto* seen = std::get_if<RendezvousSeen>(&message)) {
    take_seen(*seen);
  } else if (exchange_) {
    if (const auto answer = exchange_->on_message(now, message)) send(now, *answer);
  }
}

void RendezvousClient::set_candidates(Instant now, Candidates own) {
  own_ = std::move(own);
  if (observed_) send(now, RendezvousRegister{.candidates = own_});
}

void RendezvousClient::send(Instant now, const RendezvousMessage& message) {
  static_cast<void>(endpoint_.send(now, connection_, Body::owned(encode_rendezvous(message))));
}

void RendezvousClient::introduce(Instant now, const RendezvousIntroduced& introduced) {
  const std::size_t places = in_vain_ >= kManyInVain ? kFewTargets : kMostTargets;
  if (introduced.candidates.empty() || targets_.size() >= places || !introductions_.admit(now)) return;
  // The asker wants the connection, although this side begins it too.
  if (PeerFilter* const filter = endpoint_.filter(); filter != nullptr && !filter->admits_key(introduced.key)) return;
  Target target{.key = introduced.key,
                .attempts = {},
                .until = now + kConnectTime,
                .direct = addresses_to_try(introduced.candidates),
                .direct_at = now + introduced.pause,
                .relay = introduced.relay,
                .relay_at = now + kRelayPause,
                .relay_port = introduced.relay.value_or(SocketAddress()),
                .seen = introduced.candidates.front()};
  endpoint_.know_paths(now, target.key,
                       {.direct = target.direct,
                        .relay = target.relay,
                        .pause = introduced.pause,
                        .opens_relay = true,
                        .relay_full = introduced.relay_full});
  // With translations on both sides the session begins at the relay, and looks for a direct way by itself.
  if (target.relay && introduced.pause > Duration::zero()) target.direct.clear();
  targets_.push_back(std::move(target));
  on_turn_of_dials(now);
}

// What fails at once has failed for this address alone.
void RendezvousClient::connect(Instant now, Target& target, const SocketAddress& address) {
  // The asker may have been faster: what it has begun must not be replaced.
  const auto connections = endpoint_.connections();
  const bool there =
      std::ranges::any_of(connections, [&](ConnectionId each) { return endpoint_.remote_address(each) == address; });
  if (there) return;
  if (PeerFilter* const filter = endpoint_.filter(); filter != nullptr && !filter->admits_address(address)) return;
  if (const auto attempt = endpoint_.connect(now, address, target.key)) target.attempts.push_back(*attempt);
}

void RendezvousClient::retry(Instant now, const std::string& why) {
  if (observed_) notices_.push_back("the rendezvous is lost, and asked again: " + why);
  if (!observed_ && pause_ == kFirstPause) notices_.push_back("cannot register at the rendezvous: " + why);
  if (notices_.size() > kMostNotices) notices_.pop_front();
  observed_.reset();
  again_at_ = now + pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
}

void RendezvousClient::on_turn(Instant now) {
  connector_.on_turn(now);
  if (exchange_) exchange_->on_turn(now);
  if (connector_.failure() && !again_at_ && connection_ == 0) retry(now, connector_.failure()->message);
  if (again_at_ && now >= *again_at_) {
    again_at_.reset();
    if (const Status started = connector_.start(now); !started) retry(now, started.error().message);
  }
  on_turn_of_dials(now);
  ask_where(now);
}

// Once for each session that has not found a direct way by then.
void RendezvousClient::ask_where(Instant now) {
  std::erase_if(relayed_, [&](Relayed& each) {
    if (endpoint_.remote_address(each.connection) != each.port || connection_ == 0) return true;
    if (now < each.ask_at) return false;
    if (each.ask_at == Instant::max()) return false;
    each.ask_at = Instant::max();
    return !endpoint_.send(now, connection_, Body::owned(encode_rendezvous(RendezvousWhere{.port = each.port})));
  });
}

void RendezvousClient::take_seen(const RendezvousSeen& seen) {
  const auto asked = std::ranges::find_if(relayed_, [&](const Relayed& each) { return each.port == seen.port; });
  if (asked == relayed_.end()) return;
  if (seen.changes) {
    const auto habit = [](bool changes, const std::optional<SocketAddress>& first, std::uint16_t second) {
      return changes && first ? PortHabit::of(first->port(), second) : PortHabit{.changes = changes};
    };
    endpoint_.note_ports(asked->connection,
                         habit(seen.changes->own, observed_, seen.observed ? seen.observed->port() : std::uint16_t{0}),
                         habit(seen.changes->peers, asked->seen, seen.changes->peers_port));
  }
  relayed_.erase(asked);
}

void RendezvousClient::on_turn_of_dials(Instant now) {
  for (Target& target : targets_) {
    if (target.met) {
      // There is a session, which finds the best way by itself.
      target.direct.clear();
      target.relay.reset();
    }
    if (now >= target.direct_at) {
      for (const SocketAddress& address : std::exchange(target.direct, {})) connect(now, target, address);
    }
    if (target.relay && now >= target.relay_at) connect(now, target, *std::exchange(target.relay, std::nullopt));
    if (now < target.until && !target.met) continue;
    for (const ConnectionId attempt : target.attempts) endpoint_.close(now, attempt, "nobody has answered");
  }
  std::erase_if(targets_, [this](const Target& target) {
    if (!target.attempts.empty() || !target.direct.empty() || target.relay) return false;
    in_vain_ = target.met ? 0 : in_vain_ + 1;
    return true;
  });
}

std::optional<Instant> RendezvousClient::next_timeout() const {
  std::optional<Instant> next = again_at_;
  next = earliest(next, connector_.next_timeout());
  if (exchange_) next = earliest(next, exchange_->next_timeout());
  for (const Relayed& each : relayed_) {
    if (each.ask_at != Instant::max()) next = earliest(next, each.ask_at);
  }
  for (const Target& target : targets_) {
    next = earliest(next, target.met ? Instant::min() : target.until);
    if (!target.direct.empty()) next = earliest(next, target.direct_at);
    if (target.relay) next = earliest(next, target.relay_at);
  }
  return next;
}

std::optional<std::string> RendezvousClient::poll_notice() {
  if (notices_.empty()) return std::nullopt;
  std::string notice = std::move(notices_.front());
  notices_.pop_front();
  return notice;
}

std::vector<SocketAddress> ways_to(const RendezvousFound& found, const std::vector<SocketAddress>& known) {
  std::vector<SocketAddress> ways = found.candidates;
  const auto add = [&ways](const SocketAddress& address) {
    if (std::ranges::find(ways, address) == ways.end()) ways.push_back(address);
  };
  std::ranges::for_each(known, add);
  if (found.relay) add(*found.relay);
  return ways;
}

RendezvousSeeker::RendezvousSeeker(Endpoint& endpoint, RendezvousPlace place, const PublicKey& wanted, Candidates own,
                                   bool relay)
    : endpoint_(endpoint),
      connector_(endpoint, std::move(place.addresses), place.key),
      wanted_(wanted),
      own_(std::move(own)),
      relay_(relay) {}

bool RendezvousSeeker::on_event(Instant now, ConnectionId connection, const Event& event) {
  if (connector_.on_event(now, connection, event)) {
    if (connector_.failure()) fail(connector_.failure()->message);
    return true;
  }
  if (connection != connector_.connection()) return false;
  if (std::holds_alternative<Connected>(event)) {
    connection_ = connection;
    exchange_ ? send(now, exchange_->begin(now)) : ask(now);
  } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
    if (const auto decoded = decode_rendezvous(message->payload)) on_message(now, *decoded);
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    connection_ = 0;
    fail(printable(closed->text));
  }
  return true;
}

void RendezvousSeeker::ask(Instant now) {
  send(now, RendezvousFind{.request = 1, .key = wanted_, .relay = relay_, .candidates = own_});
}

void RendezvousSeeker::send(Instant now, const RendezvousMessage& message) {
  static_cast<void>(endpoint_.send(now, connection_, Body::owned(encode_rendezvous(message))));
}

void RendezvousSeeker::on_message(Instant now, const RendezvousMessage& message) {
  if (const auto* const found = std::get_if<RendezvousFound>(&message)) return take_answer(now, *found);
  if (!exchange_ || exchange_->finished()) return;
  if (const auto answer = exchange_->on_message(now, message)) send(now, *answer);
  if (exchange_->failure() && !answer_) answer_ = std::unexpected(*exchange_->failure());
  if (!exchange_->finished()) return;
  wanted_ = *exchange_->peer();
  ask(now);
}

void RendezvousSeeker::on_turn(Instant now) {
  connector_.on_turn(now);
  if (!exchange_) return;
  exchange_->on_turn(now);
  if (exchange_->failure() && !answer_) answer_ = std::unexpected(*exchange_->failure());
}

std::optional<Instant> RendezvousSeeker::next_timeout() const {
  return earliest(connector_.next_timeout(), exchange_ ? exchange_->next_timeout() : std::nullopt);
}

void RendezvousSeeker::take_answer(Instant now, const RendezvousFound& found) {
  if (answer_ || (exchange_ && !exchange_->finished())) return;
  if (found.code != RendezvousCode::kDone) return fail(std::string(rendezvous_code_text(found.code)));
  answer_ = found;
  answer_->value().candidates = addresses_to_try(found.candidates);
  endpoint_.know_paths(now, wanted_, paths_of(**answer_));
}

PeerPaths paths_of(const RendezvousFound& found) {
  return {.direct = found.candidates,
          .relay = found.relay,
          .pause = found.pause,
          .opens_relay = false,
          .relay_full = found.relay_full};
}

void RendezvousSeeker::stop(Instant now) {
  connector_.stop(now);
  if (connection_ != 0) endpoint_.close(now, connection_, "done");
}

void RendezvousSeeker::fail(std::string why) {
  if (answer_) return;
  answer_ = std::unexpected(Error{.code = ErrorCode::kNotFound, .message = "the rendezvous does not help: " + why});
}

}  // namespace godwit
