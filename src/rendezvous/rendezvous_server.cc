#include "rendezvous/rendezvous_server.h"

#include <algorithm>
#include <utility>

namespace godwit {
namespace {

// The proven address first, then what others may be asked to try.
Candidates candidates_of(const SocketAddress& proven, const Candidates& claimed) {
  Candidates result = {proven};
  for (const SocketAddress& each : claimed) {
    if (result.size() == kMaxCandidates) break;
    if (each != proven && is_plausible_candidate(each, proven)) result.push_back(each);
  }
  return result;
}

// Others see its own address, so that there is no translation whose mapping a datagram could spoil.
bool is_untranslated(const SocketAddress& proven, const Candidates& claimed) {
  return std::ranges::find(claimed, proven) != claimed.end();
}

constexpr std::chrono::milliseconds kPauseMargin{50};

}  // namespace

// Both are told at the same time. When the pause of the one is over, the other one has been told, and its openers are
// on their way.
std::chrono::milliseconds RendezvousServer::pause_for(ConnectionId asker, ConnectionId peer) const {
  std::chrono::milliseconds longest{};
  for (const ConnectionId each : {asker, peer}) {
    const auto numbers = endpoint_.statistics(each);
    if (!numbers) continue;
    longest = std::max(longest, std::chrono::ceil<std::chrono::milliseconds>(numbers->smoothed_round_trip));
  }
  return std::min(longest + kPauseMargin, kLongestPunchPause);
}

void RendezvousServer::on_event(Instant now, ConnectionId connection, const Event& event) {
  if (const auto* connected = std::get_if<Connected>(&event)) return on_connected(now, connection, *connected);
  const auto found = peers_.find(connection);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  if (const auto* message = std::get_if<MessageReceived>(&event)) {
    if (const auto decoded = decode_rendezvous(message->payload)) {
      on_message(now, connection, peer, *decoded);
    } else {
      ++statistics_.ignored;
    }
  } else if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
    // A rendezvous takes no streams.
    ++statistics_.ignored;
    endpoint_.stop_receiving(connection, chunk->stream_id);
  } else if (const auto* moved = std::get_if<PeerMoved>(&event)) {
    if (peer.registered) {
      unregister(connection, peer);
      peer.address = moved->remote;
      static_cast<void>(register_peer(connection, peer, {.candidates = peer.candidates}));
    }
    peer.address = moved->remote;
  } else if (std::holds_alternative<Closed>(event)) {
    codes_.on_closed(now, connection);
    unregister(connection, peer);
    peers_.erase(found);
  }
}

void RendezvousServer::on_connected(Instant now, ConnectionId connection, const Connected& connected) {
  const bool proven = connected.form == SessionForm::kExtended && connected.peer->key.has_value();
  if (!proven || (admits_ && !admits_(*connected.peer->key))) {
    ++statistics_.refused;
    return endpoint_.close(now, connection, "this rendezvous does not serve this key",
                           static_cast<std::uint64_t>(RendezvousCode::kNotAllowed));
  }
  peers_.emplace(connection, Peer{.key = *connected.peer->key,
                                  .address = connected.remote,
                                  .candidates = {},
                                  .registered = false,
                                  .questions = RateLimiter(limits_.questions),
                                  .introductions = RateLimiter(limits_.introductions)});
}

void RendezvousServer::on_message(Instant now, ConnectionId connection, Peer& peer, const RendezvousMessage& message) {
  if (const auto* wanted = std::get_if<RendezvousRegister>(&message)) {
    const RendezvousCode code =
        peer.questions.admit(now) ? register_peer(connection, peer, *wanted) : RendezvousCode::kBusy;
    if (code != RendezvousCode::kDone) ++statistics_.refused;
    return send(now, connection, RendezvousRegistered{.code = code, .observed = peer.address});
  }
  if (const auto* question = std::get_if<RendezvousFind>(&message))
    return send(now, connection, find(now, connection, peer, *question));
  if (const auto* where = std::get_if<RendezvousWhere>(&message)) {
    return send(now, connection, look_up(now, peer, *where));
  }
  if (!on_code_message(now, connection, peer, message)) ++statistics_.ignored;
}

bool RendezvousServer::on_code_message(Instant now, ConnectionId connection, Peer& peer,
                                       const RendezvousMessage& message) {
  const auto* const step = std::get_if<RendezvousCodeStep>(&message);
  const auto* const ended = std::get_if<RendezvousCodeEnded>(&message);
  if (step == nullptr && ended == nullptr && !std::holds_alternative<RendezvousCodeOpen>(message)) return false;
  if (!peer.questions.admit(now)) {
    ++statistics_.refused;
  } else if (step != nullptr) {
    codes_.on_step(now, connection, *step);
  } else if (ended != nullptr) {
    codes_.on_ended(now, connection, *ended);
  } else {
    send(now, connection, codes_.open(now, connection, peer.address.prefix()));
  }
  return true;
}

RendezvousCode RendezvousServer::register_peer(ConnectionId connection, Peer& peer, const RendezvousRegister& message) {
  peer.candidates = message.candidates;
  if (peer.registered) return RendezvousCode::kDone;
  const auto former = registered_.find(peer.key);
  std::size_t& of_prefix = by_prefix_[peer.address.prefix()];
  const bool replaces = former != registered_.end();
  if ((!replaces && registered_.size() >= limits_.registrations) || of_prefix >= limits_.registrations_per_prefix) {
    if (of_prefix == 0) by_prefix_.erase(peer.address.prefix());
    return RendezvousCode::kFull;
  }
  ++of_prefix;
  peer.registered = true;
  // Whoever has proved a key last is where its peer is now.
  if (replaces) unregister(former->second, peers_.at(former->second));
  registered_[peer.key] = connection;
  ++statistics_.registered;
  return RendezvousCode::kDone;
}

RendezvousFound RendezvousServer::find(Instant now, ConnectionId connection, Peer& asker,
                                       const RendezvousFind& message) {
  RendezvousFound answer{
      .request = message.request, .code = RendezvousCode::kDone, .candidates = {}, .relay = {}, .pause = {}};
  const auto refuse = [&](RendezvousCode code) {
    ++(code == RendezvousCode::kUnknownPeer ? statistics_.unknown : statistics_.refused);
    answer.code = code;
    return answer;
  };
  if (!asker.questions.admit(now)) return refuse(RendezvousCode::kBusy);
  const auto found = registered_.find(message.key);
  if (found == registered_.end()) return refuse(RendezvousCode::kUnknownPeer);
  Peer& peer = peers_.at(found->second);
  if (!peer.introductions.admit(now)) return refuse(RendezvousCode::kBusy);
  RendezvousIntroduced introduced{.key = asker.key, .candidates = candidates_of(asker.address, message.candidates)};
  if (message.relay && relay_ != nullptr) {
    if (const auto pair = relay_->open(now, asker.address, peer.address)) {
      answer.relay = pair->for_asker;
      introduced.relay = pair->for_peer;
      ++statistics_.relayed;
    } else {
      answer.relay_full = introduced.relay_full = true;
      ++statistics_.relays_full;
    }
  }
  if (!is_untranslated(asker.address, message.candidates) && !is_untranslated(peer.address, peer.candidates)) {
    answer.pause = introduced.pause = pause_for(connection, found->second);
  }
  send(now, found->second, introduced);
  answer.candidates = candidates_of(peer.address, peer.candidates);
  ++statistics_.introductions;
  return answer;
}

// Nobody is told of a host that is not his own.
RendezvousSeen RendezvousServer::look_up(Instant now, Peer& asker, const RendezvousWhere& message) const {
  RendezvousSeen answer{.port = message.port, .observed = {}};
  if (!message.port || relay_ == nullptr || !asker.questions.admit(now)) return answer;
  const auto heard = relay_->heard_from(*message.port);
  if (!heard || !heard->is_same_host(asker.address)) return answer;
  answer.observed = heard;
  answer.changes = relay_->port_changes(*message.port);
  return answer;
}

void RendezvousServer::unregister(ConnectionId connection, Peer& peer) {
  if (!peer.registered) return;
  peer.registered = false;
  if (const auto entry = registered_.find(peer.key); entry != registered_.end() && entry->second == connection) {
    registered_.erase(entry);
  }
  const auto count = by_prefix_.find(peer.address.prefix());
  if (count != by_prefix_.end() && --count->second == 0) by_prefix_.erase(count);
}

void RendezvousServer::send(Instant now, ConnectionId connection, const RendezvousMessage& message) {
  // One that takes no more messages does not listen: it asks again.
  static_cast<void>(endpoint_.send(now, connection, Body::owned(encode_rendezvous(message))));
}

}  // namespace godwit
