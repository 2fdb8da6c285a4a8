#include "runtime/connector.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/path_problem.h"

namespace godwit {
namespace {

// ICMP may be wrong, or early: a peer that is about to open its port has so long to answer.
constexpr Duration kRefusedPatience = 5s;

// For each of them the kernel or ICMP says that nobody listens there.
template <typename Attempts>
bool all_refused(const Endpoint& endpoint, const Attempts& attempts) {
  return std::ranges::all_of(attempts, [&endpoint](const auto& attempt) {
    return endpoint.liveness(attempt.connection).problem == PathProblem::kPortUnreachable;
  });
}

}  // namespace

Connector::Connector(Endpoint& endpoint, std::vector<SocketAddress> addresses, const PublicKey& peer)
    : endpoint_(endpoint), addresses_(interleave_families(addresses)), peer_(peer) {
  if (addresses_.size() > kMaxAddresses) addresses_.resize(kMaxAddresses);
}

Status Connector::start(Instant now) {
  end_attempts(now);
  connecting_ = true;
  connection_ = 0;
  next_ = 0;
  next_start_ = now;
  first_delay_ = kAttemptDelay;
  wait_for_openers(now);
  reasons_ = {.code = ErrorCode::kInvalidArgument, .message = addresses_.empty() ? "no address to connect to" : ""};
  failure_.reset();
  silent_ = false;
  if (now >= next_start_) begin_next(now);
  fail_if_exhausted(now);
  return failure_ ? Status(std::unexpected(*failure_)) : Status();
}

// Where both sides have translations, direct addresses must not be sent to before both have opened theirs, and the
// session finds its way to one of them by itself: the relay is the first address then, and where there is none, all
// wait.
void Connector::wait_for_openers(Instant now) {
  const PeerPaths* const paths = endpoint_.known_paths(now, peer_);
  if (paths == nullptr || paths->pause == Duration::zero()) return;
  const auto relay = paths->relay ? std::ranges::find(addresses_, *paths->relay) : addresses_.end();
  if (relay == addresses_.end()) {
    next_start_ = now + paths->pause;
  } else {
    std::rotate(addresses_.begin(), relay, relay + 1);
    first_delay_ = kRelayDelay;
  }
}

// One attempt; addresses that are refused at once do not count as one.
void Connector::begin_next(Instant now) {
  while (next_ < addresses_.size()) {
    const SocketAddress& address = addresses_[next_++];
    const auto connection = endpoint_.connect(now, address, peer_);
    if (connection) {
      running_.push_back({*connection, address});
      next_start_ = now + std::exchange(first_delay_, kAttemptDelay);
      return;
    }
    add_failure(address, connection.error().code, connection.error().message);
  }
}

void Connector::end_attempts(Instant now) {
  for (const Attempt& attempt : std::exchange(running_, {})) {
    closing_.push_back(attempt.connection);
    endpoint_.close(now, attempt.connection, "another address was faster");
  }
}

void Connector::add_failure(const SocketAddress& address, ErrorCode code, std::string_view why) {
  reasons_.code = code;
  reasons_.message += reasons_.message.empty() ? "cannot connect to " : "; to ";
  reasons_.message += address.to_string();
  reasons_.message += ": ";
  reasons_.message += why;
  silent_ = silent_ || why == kNoAnswerText;
}

void Connector::fail_if_exhausted(Instant now) {
  if (!connecting_ || !running_.empty() || next_ < addresses_.size()) return;
  connecting_ = false;
  const PeerPaths* const paths = endpoint_.known_paths(now, peer_);
  if (paths != nullptr && paths->relay_full) reasons_.message += "; the relay has no place for another pair";
  failure_ = reasons_;
  // Silence has causes that look alike from here; people suspect the network before the key.
  if (silent_) {
    failure_->message += " (nothing listens there, a firewall drops UDP, or the key is not this peer's)";
  }
}

bool Connector::on_event(Instant now, ConnectionId connection, const Event& event) {
  if (const auto given_up = std::ranges::find(closing_, connection); given_up != closing_.end()) {
    if (std::holds_alternative<Closed>(event)) closing_.erase(given_up);
    return true;
  }
  const auto attempt = std::ranges::find(running_, connection, &Attempt::connection);
  if (attempt == running_.end()) {
    // Behind a translation that has another port for each destination the peer reaches this side, and not the other
    // way round: what it has begun is as good as an attempt.
    const auto* const connected = std::get_if<Connected>(&event);
    if (connected == nullptr || !connecting_ || connected->initiator || connected->peer->key != peer_) return false;
    connecting_ = false;
    connection_ = connection;
    next_start_ = now;
    return false;
  }
  if (!connecting_) {  // another one has won
    if (std::holds_alternative<Closed>(event)) running_.erase(attempt);
    return true;
  }
  if (std::holds_alternative<Connected>(event)) {
    connecting_ = false;
    connection_ = connection;
    const auto winner = std::ranges::find(addresses_, attempt->address);
    std::rotate(addresses_.begin(), winner, winner + 1);
    running_.erase(attempt);
    // The others end in the turn: closing them here would move the queue that the event lies in.
    next_start_ = now;
    return false;
  }
  if (const auto* closed = std::get_if<Closed>(&event)) {
    add_failure(attempt->address, ErrorCode::kTimeout, closed->text);
    running_.erase(attempt);
    begin_next(now);
    fail_if_exhausted(now);
  }
  return true;
}

void Connector::on_turn(Instant now) {
  if (!connecting_) return end_attempts(now);
  if (next_ == addresses_.size()) {
    if (now < next_start_ + kRefusedPatience || !all_refused(endpoint_, running_)) return;
    const std::string why =
        std::string(kNoAnswerText) + ": " + std::string(path_problem_name(PathProblem::kPortUnreachable));
    for (const Attempt& attempt : std::exchange(running_, {})) {
      add_failure(attempt.address, ErrorCode::kTimeout, why);
      closing_.push_back(attempt.connection);
      endpoint_.close(now, attempt.connection, why);
    }
    return fail_if_exhausted(now);
  }
  // An attempt that the kernel or ICMP has called hopeless goes on, since both may be wrong, and nothing waits for it.
  const bool in_vain = std::ranges::all_of(running_, [this](const Attempt& attempt) {
    return endpoint_.liveness(attempt.connection).problem != PathProblem::kNone;
  });
  if (now < next_start_ && (!in_vain || next_ == 0)) return;
  begin_next(now);
  fail_if_exhausted(now);
}

void Connector::stop(Instant now) {
  connecting_ = false;
  end_attempts(now);
}

std::optional<Instant> Connector::next_timeout() const {
  const bool waits = connecting_ ? next_ < addresses_.size() : !running_.empty();
  if (waits) return next_start_;
  const bool refused = connecting_ && !running_.empty() && all_refused(endpoint_, running_);
  return refused ? std::optional(next_start_ + kRefusedPatience) : std::nullopt;
}

std::vector<SocketAddress> interleave_families(const std::vector<SocketAddress>& addresses) {
  std::vector<SocketAddress> unique;
  for (const SocketAddress& address : addresses) {
    if (std::ranges::find(unique, address) == unique.end()) unique.push_back(address);
  }
  if (unique.empty()) return unique;
  std::vector<SocketAddress> first;
  std::vector<SocketAddress> second;
  for (const SocketAddress& address : unique) {
    (address.family() == unique.front().family() ? first : second).push_back(address);
  }
  std::vector<SocketAddress> result;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) result.push_back(first[i]);
    if (i < second.size()) result.push_back(second[i]);
  }
  return result;
}

}  // namespace godwit
