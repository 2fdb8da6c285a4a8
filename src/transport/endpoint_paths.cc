// Peers that change their address (endpoint.h; docs/extended_sessions.md, section 7).

#include <algorithm>
#include <utility>

#include "transport/connection.h"
#include "transport/endpoint.h"
#include "transport/route.h"

namespace godwit {
namespace {

// Peers that are looked for at a time; the paths of one that has no session after kPathMemory are forgotten.
constexpr std::size_t kMostKnownPaths = 64;
constexpr Duration kPathMemory = 60s;

}  // namespace

// Of two equal tags the later session stays where it is.
void Endpoint::note_tag(std::uint32_t slot) {
  const std::uint32_t tag = routes_[slot].connection_tag();
  if (tag == routes_[slot].known_tag) return;
  forget_tag(slot);
  if (tag == 0 || by_tag_.find(tag) != IdMap::kNone) return;
  by_tag_.insert(tag, slot);
  routes_[slot].known_tag = tag;
}

void Endpoint::forget_tag(std::uint32_t slot) {
  if (const std::uint32_t tag = std::exchange(routes_[slot].known_tag, 0)) by_tag_.erase(tag);
}

bool Endpoint::receive_elsewhere(Instant now, const DatagramBatch& batch, MutableBytes datagram) {
  const std::uint32_t slot = by_tag_.find(load_le<std::uint32_t>(datagram.data() + 1));
  if (slot == IdMap::kNone) return false;
  const PathAddress from{.local = batch.local, .remote = batch.remote};
  if (!routes_[slot].receive_elsewhere(now, from, datagram, batch.ecn)) return false;
  const auto move = routes_[slot].connection()->take_move();
  update_after_use(slot);
  if (move) move_route(now, slot, *move);
  return true;
}

void Endpoint::move_route(Instant now, std::uint32_t slot, const PathAddress& path) {
  if (const auto other = by_address_.find(path.remote)) {
    // A connection of somebody else is there, or was until now: the next challenge comes later. An attempt to connect
    // there has found its peer.
    if (*other == slot || !routes_[*other].is_unproven()) return;
    if (Connection* attempt = routes_[*other].connection()) attempt->close(now, CloseReason::kReplaced, {});
    retire(*other);
  }
  const bool inbound = inbound_.contains(slot);
  if (inbound && inbound_.of_host(path.remote) >= config_.max_connections_per_host) return;
  by_address_.erase(routes_[slot].remote());
  by_address_.insert(path.remote, slot);
  last_remote_ = {};
  if (inbound) {
    inbound_.remove(slot);
    inbound_.add(slot, path.remote, now);
  }
  routes_[slot].move_to(now, path);
  update_after_use(slot);
}

void Endpoint::know_paths(Instant now, const PublicKey& peer, const PeerPaths& paths) {
  std::erase_if(known_paths_,
                [&](const KnownPaths& known) { return known.peer == peer || now - known.since > kPathMemory; });
  if (known_paths_.size() >= kMostKnownPaths) known_paths_.pop_front();
  known_paths_.push_back({.peer = peer, .paths = paths, .since = now});
  send_openers(paths);
  for (std::uint32_t slot = 0; slot < routes_.size(); ++slot) {
    if (routes_[slot].has_place) give_paths(now, slot);
  }
}

const PeerPaths* Endpoint::known_paths(Instant now, const PublicKey& peer) const {
  const KnownPaths* const known = find_known(now, peer);
  return known == nullptr ? nullptr : &known->paths;
}

const Endpoint::KnownPaths* Endpoint::find_known(Instant now, const PublicKey& peer) const {
  const auto known = std::ranges::find(known_paths_, peer, &KnownPaths::peer);
  return known == known_paths_.end() || now - known->since > kPathMemory ? nullptr : &*known;
}

void Endpoint::send_openers(const PeerPaths& paths) {
  const auto open = [this](const SocketAddress& remote, std::uint8_t hops) {
    if (stateless_.size() >= kMaxStatelessDatagrams) return;
    stateless_.push_back({.local = {}, .remote = remote, .bytes = {kOpenerByte}, .hop_limit = hops});
    ++statistics_.openers_sent;
  };
  if (paths.relay && paths.opens_relay) open(*paths.relay, 0);
  if (paths.pause == Duration::zero()) return;
  for (const SocketAddress& remote : paths.direct) open(remote, kOpenerHops);
}

void Endpoint::give_paths(Instant now, std::uint32_t slot) {
  Connection* const connection = routes_[slot].connection();
  const Session* session = connection == nullptr ? nullptr : connection->session();
  if (session == nullptr || session->extended() == nullptr) return;
  const KnownPaths* const known = find_known(now, session->extended()->peer());
  if (known == nullptr) return;
  connection->search_paths(now, known->paths, known->since);
  update_after_use(slot);
}

// Of an address that a search has asked: the latest peers that are looked for are few.
void Endpoint::report_refused_path(const PathReport& report) {
  if (report.problem != PathProblem::kPortUnreachable) return;
  for (const KnownPaths& known : known_paths_) {
    if (std::ranges::find(known.paths.direct, report.remote) == known.paths.direct.end()) continue;
    for (Route& route : routes_) {
      if (route.connection() != nullptr) route.connection()->on_refused_elsewhere(report.remote);
    }
    return;
  }
}

void Endpoint::note_ports(ConnectionId connection, const PortHabit& own, const PortHabit& peers) {
  const auto slot = slot_of(connection);
  if (!slot) return;
  routes_[*slot].connection()->note_ports(own, peers);
  update_after_use(*slot);
}

void Endpoint::give_ports(Instant now, std::span<const SocketAddress> locals) {
  for (std::uint32_t slot = 0; slot < routes_.size(); ++slot) {
    Connection* const connection = routes_[slot].connection();
    PortSearch* const search = connection == nullptr ? nullptr : connection->port_search();
    if (search == nullptr || !search->wants_ports()) continue;
    search->give_ports(now, locals);
    return update_after_use(slot);
  }
  // Whoever wanted them has ended.
  port_searches_.waiting = false;
}

std::vector<std::uint16_t> Endpoint::ports_in_use() const {
  std::vector<std::uint16_t> ports;
  for (const Route& route : routes_) {
    if (!route.in_use()) continue;
    ports.push_back(route.local().port());
    if (route.connection() != nullptr) route.connection()->add_local_ports(ports);
  }
  std::ranges::sort(ports);
  return ports;
}

// Before there is a session: whether anything comes in at all, and what a rendezvous has said of its relay.
std::optional<PathState> Endpoint::state_of_attempt(const Connection& connection, const Handshake& handshake) const {
  const bool forbidden = connection.path_problem() == PathProblem::kForbidden;
  if (!forbidden && !handshake.has_waited()) return std::nullopt;
  const auto is_of_pair = [&](const KnownPaths& known) {
    return std::ranges::find(known.paths.direct, connection.remote()) != known.paths.direct.end();
  };
  const auto known = std::ranges::find_if(known_paths_, is_of_pair);
  return PathState{.connecting = true,
                   .blocked = forbidden || statistics_.datagrams_received == 0,
                   .relay_full = known != known_paths_.end() && known->paths.relay_full,
                   .exhausted = true};
}

std::optional<PathState> Endpoint::path_state(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return std::nullopt;
  if (const Handshake* const handshake = found->handshake()) return state_of_attempt(*found, *handshake);
  return found->path_state();
}

}  // namespace godwit
