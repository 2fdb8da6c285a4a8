#include "transport/path_search.h"

#include <algorithm>

namespace godwit {
namespace {

// How often it is looked at whether the peer owes a sign of life.
constexpr Duration kCheckInterval = 100ms;

}  // namespace

PathSearch::PathSearch(Instant now, const PeerPaths& paths, Instant since, const SocketAddress& present,
                       RandomSource& random, const Ports& ports)
    : present_(present), last_heard_(now), next_check_(now + kCheckInterval), use_(ports) {
  // The first one is where the rendezvous sees the peer.
  if (use_.budget != nullptr && !paths.direct.empty()) {
    ports_ = std::make_unique<PortSearch>(paths.direct.front(), *use_.budget, random);
  }
  const Instant first = std::max(now, since + paths.pause);
  for (const SocketAddress& remote : paths.direct) add(remote, false, first, random);
  for (const Path& path : paths_) known_.push_back(path.address.remote);
  state_.addresses = static_cast<std::uint32_t>(paths_.size());
  if (paths.relay) add(*paths.relay, true, now, random);
  state_.relayed = is_relay(present);
}

void PathSearch::add(const SocketAddress& remote, bool relay, Instant first, RandomSource& random) {
  // The relay has a place of its own.
  if (!relay && paths_.size() >= kMostPaths) return;
  if (find(remote) != nullptr) return;
  paths_.push_back(
      {.address = {.local = {}, .remote = remote}, .relay = relay, .data = random.next_u64(), .next = first});
}

PathSearch::Path* PathSearch::find(const SocketAddress& remote) {
  const auto found = std::ranges::find_if(paths_, [&](const Path& path) { return path.address.remote == remote; });
  return found == paths_.end() ? nullptr : &*found;
}

bool PathSearch::is_relay(const SocketAddress& remote) const {
  return std::ranges::any_of(paths_, [&](const Path& path) { return path.relay && path.address.remote == remote; });
}

// The peer's translation may have another port for this side than the rendezvous sees, and what came from there shows
// that the way is open.
void PathSearch::on_challenge(Instant now, const PathAddress& from, RandomSource& random) {
  if (is_relay(from.remote)) return;
  state_.heard_direct = true;
  const auto same_host = [&](const SocketAddress& each) { return each.is_same_host(from.remote); };
  if (std::ranges::any_of(known_, same_host) && std::ranges::find(known_, from.remote) == known_.end()) {
    state_.peer_port_changes = true;
  }
  add(from.remote, false, now, random);
  Path* const path = find(from.remote);
  if (path == nullptr) return;
  // At another port of this side the way may be open where it was not.
  if (path->address.local != from.local && path->challenges == kMostChallenges) --path->challenges;
  path->address.local = from.local;
  // One challenge for one that has come, and no more of them than ever.
  if (path->next > now) path->next = now;
}

PathAnswer PathSearch::on_response(Instant now, std::uint64_t data, const PathAddress& from) {
  if (ports_ && state_.relayed && ports_->is_answer(data, from.remote)) {
    if (paths_.size() > kMostPaths) paths_.pop_back();
    paths_.push_back({.address = from, .relay = false, .data = data, .next = now});
    return PathAnswer::kMove;
  }
  Path* const path = find(from.remote);
  if (path == nullptr || path->challenges == 0 || path->data != data) return PathAnswer::kNone;
  path->challenges = 0;
  path->next = now + interval(*path);
  const bool moves = path->address.remote != present_ && (silent_ || (state_.relayed && !path->relay));
  path->address.local = from.local;
  return moves ? PathAnswer::kMove : PathAnswer::kAlive;
}

void PathSearch::on_moved(Instant now, const SocketAddress& present) {
  const bool was_relayed = state_.relayed;
  present_ = present;
  state_.relayed = is_relay(present);
  state_.exhausted = false;
  last_heard_ = now;
  waits_since_.reset();
  silent_ = false;
  if (state_.relayed && !was_relayed) {
    ++state_.returns;
    begin_anew(now + rest_);
    rest_ = std::min(rest_ * 2, kLongestRest);
  } else if (!state_.relayed) {
    if (ports_) ports_->end();
    if (was_relayed) ++state_.moves;
    begin_anew(now);
  }
}

void PathSearch::begin_anew(Instant first) {
  for (Path& path : paths_) {
    path.challenges = 0;
    path.next = first;
  }
}

bool PathSearch::may_follow(Instant now, const SocketAddress& remote, Duration patience) const {
  return state_.relayed || !is_relay(remote) || now - last_heard_ >= patience;
}

bool PathSearch::is_asked(const Path& path) const {
  if (path.address.remote == present_) return false;
  if (silent_) return true;
  if (path.relay) return !state_.relayed && path.challenges < kRelayAttempts;
  return state_.relayed && path.challenges < kMostChallenges;
}

Duration PathSearch::interval(const Path& path) const {
  if (silent_) return path.challenges < kMostChallenges ? kUrgentRepeat : kLongestRepeat;
  if (path.relay) return kRelayInterval;
  Duration wait = kFirstRepeat;
  for (std::uint32_t i = 1; i < path.challenges && wait < kLongestRepeat; ++i) wait *= 2;
  return std::min(wait, kLongestRepeat);
}

std::optional<PathValidation::Challenge> PathSearch::poll(Instant now) {
  const auto due = std::ranges::find_if(paths_, [&](const Path& path) { return is_due(path, now); });
  if (due == paths_.end()) return poll_guess(now);
  ++due->challenges;
  if (!due->relay) ++state_.challenges;
  due->next = now + interval(*due);
  note_exhaustion();
  consider_ports();
  return PathValidation::Challenge{.path = due->address, .data = due->data};
}

std::optional<PathValidation::Challenge> PathSearch::poll_guess(Instant now) {
  if (!ports_ || !state_.relayed) return std::nullopt;
  const auto guess = ports_->poll_guess(now);
  if (guess) ++state_.challenges;
  return guess;
}

void PathSearch::note_ports(const PortHabit& own, const PortHabit& peers) {
  if (own.changes) own_ports_ = own;
  if (peers.changes) peers_ports_ = peers;
  state_.own_port_changes = own_ports_.changes;
  state_.peer_port_changes = state_.peer_port_changes || peers_ports_.changes;
  consider_ports();
}

// When the addresses that are known have had their time.
void PathSearch::consider_ports() {
  if (!ports_ || !use_.can_open || !state_.relayed || !own_ports_.changes) return;
  if (peers_ports_.changes && !use_.opens_first) return;
  const bool in_vain = std::ranges::any_of(
      paths_, [](const Path& path) { return !path.relay && path.challenges >= kChallengesBeforePorts; });
  if (in_vain) ports_->begin_opening(own_ports_, peers_ports_);
}

void PathSearch::add_local_ports(std::vector<std::uint16_t>& ports) const {
  for (const Path& path : paths_) ports.push_back(path.address.local.port());
  if (!ports_) return;
  for (const SocketAddress& each : ports_->ports()) ports.push_back(each.port());
}

void PathSearch::on_ports_opened(Instant now) {
  if (!ports_ || !state_.relayed) return;
  if (ports_->begin_asking(now, own_ports_, peers_ports_)) state_.searches_ports = true;
}

void PathSearch::note_exhaustion() {
  state_.exhausted = state_.relayed && std::ranges::all_of(paths_, [](const Path& path) {
                       return path.relay || path.challenges >= kPatientChallenges;
                     });
}

void PathSearch::on_refused(const SocketAddress& remote) {
  const Path* const path = find(remote);
  if (path != nullptr && !path->relay && path->challenges > 0) state_.refused = true;
}

PathReason PathState::reason() const {
  if (connecting && !exhausted) return PathReason::kSearching;
  if (connecting && blocked) return PathReason::kUdpBlocked;
  if (connecting) return relay_full ? PathReason::kRelayFull : PathReason::kNoAnswer;
  if (!capable) return PathReason::kNoCapability;
  if (!relayed) return PathReason::kDirect;
  if (addresses == 0) return PathReason::kNoOtherAddress;
  if (!exhausted || searches_ports) return PathReason::kSearching;
  if (own_port_changes && peer_port_changes) return PathReason::kBothPortsChange;
  if (own_port_changes) return PathReason::kOwnPortChanges;
  if (peer_port_changes) return PathReason::kPeerPortChanges;
  return refused ? PathReason::kUnaskedAnswered : PathReason::kNoAnswer;
}

std::string_view path_reason_name(PathReason reason) {
  switch (reason) {
    case PathReason::kDirect: return "direct";
    case PathReason::kSearching: return "searching";
    case PathReason::kNoOtherAddress: return "no-other-address";
    case PathReason::kNoCapability: return "no-capability";
    case PathReason::kOwnPortChanges: return "own-port-changes";
    case PathReason::kPeerPortChanges: return "peer-port-changes";
    case PathReason::kBothPortsChange: return "both-ports-change";
    case PathReason::kUnaskedAnswered: return "unasked-answered";
    case PathReason::kNoAnswer: return "no-answer";
    case PathReason::kUdpBlocked: return "udp-blocked";
    case PathReason::kRelayFull: return "relay-full";
  }
  return "";
}

std::string_view path_reason_text(PathReason reason) {
  switch (reason) {
    case PathReason::kDirect: return "the connection is direct";
    case PathReason::kSearching: return "direct addresses are being asked";
    case PathReason::kNoOtherAddress: return "no direct address of the peer is known";
    case PathReason::kNoCapability: return "the versions of the two sides do not look for a direct way together";
    case PathReason::kOwnPortChanges:
      return "the address translation of this side has another port for each destination";
    case PathReason::kPeerPortChanges:
      return "the address translation of the peer has another port for each destination";
    case PathReason::kBothPortsChange:
      return "the address translations of both sides have another port for each destination";
    case PathReason::kUnaskedAnswered: return "a router answers datagrams that nobody has asked for";
    case PathReason::kNoAnswer: return "no direct address of the peer answers";
    case PathReason::kUdpBlocked: return "nothing comes in from anybody: UDP is blocked";
    case PathReason::kRelayFull: return "no direct address answers, and the relay has no place for another pair";
  }
  return "";
}

void PathSearch::handle_timeout(Instant now, bool waits, Duration patience) {
  if (ports_) {
    ports_->handle_timeout(now);
    state_.searches_ports = ports_->running();
  }
  if (now < next_check_) return;
  next_check_ = now + kCheckInterval;
  if (!waits) {
    waits_since_.reset();
  } else if (!waits_since_) {
    waits_since_ = now;
  }
  const bool silent = waits_since_ && now - std::max(*waits_since_, last_heard_) >= patience;
  if (silent == silent_) return;
  silent_ = silent;
  begin_anew(silent ? now : now + kRelayInterval);
}

std::optional<Instant> PathSearch::next_timeout(bool waits) const {
  std::optional<Instant> next = waits || silent_ ? std::optional(next_check_) : std::nullopt;
  for (const Path& path : paths_) {
    if (is_asked(path)) next = earliest(next, path.next);
  }
  if (ports_) next = earliest(next, ports_->next_timeout());
  return next;
}

}  // namespace godwit
