#include "cli/forwarder.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/forward_spec.h"

namespace godwit::cli {
namespace {

// Tokens of listeners; those of connections are their channels.
constexpr std::uint64_t kListenerBit = std::uint64_t{1} << 63;

}  // namespace

bool Forwarder::on_event(Instant now, ConnectionId connection, const Event& event) {
  const bool channels_alone = mux_.on_event(now, connection, event);
  if (std::holds_alternative<Closed>(event)) {
    if (connection == connection_) connection_ = 0;
    std::erase_if(listeners_, [&](const auto& entry) {
      const bool gone = entry.second.connection == connection && connection != 0;
      if (gone) descriptors_.forget(entry.second.socket.descriptor());
      return gone;
    });
  }
  return channels_alone;
}

void Forwarder::on_turn(Instant now) {
  mux_.on_turn(now);
  if (accept_again_at_ && now >= *accept_again_at_) accept_again_at_.reset();
  for (const DescriptorSet::Ready& ready : descriptors_.ready()) {
    if ((ready.token & kListenerBit) != 0) {
      accept_from(now, ready.token);
      continue;
    }
    const auto found = forwarded_.find(ready.token);
    if (found == forwarded_.end()) continue;
    if (found->second.connecting) {
      on_connecting_ready(now, ready.token);
      continue;
    }
    const bool silent = ready.broken && !ready.readable;
    const auto failed = silent ? found->second.end->on_broken(ready.descriptor) : std::nullopt;
    if (failed) {
      end_here(now, ready.token, *failed);
    } else {
      due_.insert(ready.token);
    }
  }
  for (const ChannelId channel : std::exchange(due_, {})) pump(now, channel);
  for (const ChannelId channel : std::set<ChannelId>(connecting_)) {
    const auto found = forwarded_.find(channel);
    if (found == forwarded_.end() || now < found->second.give_up_at) continue;
    found->second.addresses.clear();
    try_next_address(now, channel, ETIMEDOUT);
  }
  watch_listeners();
}

std::optional<Instant> Forwarder::next_timeout() const {
  if (!due_.empty()) return Instant::min();
  std::optional<Instant> next = earliest(accept_again_at_, mux_.next_timeout());
  for (const ChannelId channel : connecting_) next = earliest(next, forwarded_.at(channel).give_up_at);
  return next;
}

// --- Connections that come here ---

void Forwarder::add_listener(TcpSocket listener, std::string target) {
  listeners_[kListenerBit | ++last_listener_] = {.socket = std::move(listener), .text = std::move(target)};
}

void Forwarder::set_connection(ConnectionId connection) {
  connection_ = connection;
}

// A listener that nobody can be accepted from is not watched: those who come wait in the system's queue, and nobody
// turns in vain.
void Forwarder::watch_listeners() {
  const bool room = forwarded_.size() < max_connections_ && !accept_again_at_;
  for (const auto& [token, listener] : listeners_) {
    const ConnectionId connection = listener.connection != 0 ? listener.connection : connection_;
    if (room && connection != 0) {
      descriptors_.watch(listener.socket.descriptor(), token, true, false);
    } else {
      descriptors_.forget(listener.socket.descriptor());
    }
  }
}

void Forwarder::accept_from(Instant now, std::uint64_t token) {
  const auto found = listeners_.find(token);
  if (found == listeners_.end()) return;
  Listener& listener = found->second;
  const ConnectionId connection = listener.connection != 0 ? listener.connection : connection_;
  for (int i = 0; i < kAcceptsPerTurn && connection != 0 && forwarded_.size() < max_connections_; ++i) {
    auto accepted = accept_tcp(listener.socket);
    if (!accepted) {
      accept_again_at_ = now + kAcceptPause;
      return;
    }
    if (!*accepted) return;
    const auto channel = mux_.open(now, connection, listener.kind, listener.text);
    Forwarded forwarded{.end = nullptr, .connection = connection, .target = listener.text};
    if (!channel) {
      report(forwarded, ForwardEvent::Kind::kRefusedHere, false, channel.error().message);
      continue;
    }
    forwarded.end = std::make_unique<LocalEnd>(mux_, descriptors_, *channel, *channel);
    forwarded.end->attach_socket((*accepted)->release());
    forwarded_.emplace(*channel, std::move(forwarded));
    due_.insert(*channel);
  }
}

// --- Channels of the other side ---

void Forwarder::on_channel(Instant now, const ChannelRequest& request) {
  Forwarded forwarded{.end = nullptr, .connection = request.connection, .target = std::string(request.text)};
  Destination destination = policy_.destination(request);
  if (destination.addresses.empty() || forwarded_.size() >= max_connections_) {
    const ChannelCode code = destination.addresses.empty() ? destination.code : ChannelCode::kTooMany;
    report(forwarded, ForwardEvent::Kind::kRefusedHere, false, std::string(channel_code_text(code)));
    return mux_.refuse(now, request.channel, code);
  }
  forwarded.addresses = std::move(destination.addresses);
  forwarded.give_up_at = now + kConnectPatience;
  forwarded.end = std::make_unique<LocalEnd>(mux_, descriptors_, request.channel, request.channel);
  forwarded_.emplace(request.channel, std::move(forwarded));
  connecting_.insert(request.channel);
  try_next_address(now, request.channel, EHOSTUNREACH);
}

// `error`: what the last one said.
void Forwarder::try_next_address(Instant now, ChannelId channel, int error) {
  Forwarded& forwarded = forwarded_.at(channel);
  std::string why = std::strerror(error);
  if (forwarded.connecting) descriptors_.forget(forwarded.connecting->descriptor());
  forwarded.connecting.reset();
  while (!forwarded.addresses.empty()) {
    const SocketAddress address = forwarded.addresses.front();
    forwarded.addresses.erase(forwarded.addresses.begin());
    auto socket = connect_tcp(address);
    if (socket) {
      forwarded.connecting = std::move(*socket);
      descriptors_.watch(forwarded.connecting->descriptor(), channel, false, true);
      return;
    }
    why = socket.error().message;
  }
  const ChannelCode code = error == ETIMEDOUT ? ChannelCode::kTimeout : ChannelCode::kUnreachable;
  report(forwarded, ForwardEvent::Kind::kRefusedHere, false, why);
  connecting_.erase(channel);
  forwarded_.erase(channel);
  mux_.refuse(now, channel, code, why);
}

void Forwarder::on_connecting_ready(Instant now, ChannelId channel) {
  Forwarded& forwarded = forwarded_.at(channel);
  if (const int error = connect_error(*forwarded.connecting)) return try_next_address(now, channel, error);
  descriptors_.forget(forwarded.connecting->descriptor());
  connecting_.erase(channel);
  forwarded.end->attach_socket(forwarded.connecting->release());
  forwarded.connecting.reset();
  if (mux_.accept(now, channel)) due_.insert(channel);
}

void Forwarder::on_bytes(Instant, ChannelId channel, ByteView bytes) {
  const auto found = forwarded_.find(channel);
  if (found == forwarded_.end()) return;
  found->second.end->on_bytes(bytes);
  due_.insert(channel);
}

void Forwarder::on_end(Instant, ChannelId channel) {
  const auto found = forwarded_.find(channel);
  if (found == forwarded_.end()) return;
  found->second.end->on_end();
  due_.insert(channel);
}

void Forwarder::on_writable(Instant, ConnectionId connection) {
  for (const auto& [channel, forwarded] : forwarded_) {
    if (forwarded.connection == connection && !forwarded.connecting) due_.insert(channel);
  }
}

void Forwarder::pump(Instant now, ChannelId channel) {
  const auto found = forwarded_.find(channel);
  if (found == forwarded_.end() || found->second.connecting) return;
  if (const auto failed = found->second.end->pump(now)) end_here(now, channel, *failed);
}

// The TCP connection has failed: the far end is to see the same.
void Forwarder::end_here(Instant now, ChannelId channel, const EndFailure& failure) {
  const auto found = forwarded_.find(channel);
  report(found->second, ForwardEvent::Kind::kEnded, false, std::strerror(failure.error));
  found->second.end->abort();
  forwarded_.erase(found);
  mux_.reset(now, channel, failure.code);
}

void Forwarder::on_channel_closed(Instant, ChannelId channel, const ChannelEnd& end) {
  const auto found = forwarded_.find(channel);
  if (found == forwarded_.end()) return;
  Forwarded& forwarded = found->second;
  const bool refused = end.code == ChannelCode::kNotAllowed || end.code == ChannelCode::kUnreachable ||
                       end.code == ChannelCode::kTimeout || end.code == ChannelCode::kTooMany ||
                       end.code == ChannelCode::kUnknownKind || end.code == ChannelCode::kNotFound;
  report(forwarded, refused ? ForwardEvent::Kind::kRefusedThere : ForwardEvent::Kind::kEnded, end.complete, end.text);
  // Complete, both directions have had their ends: closing says nothing more.
  if (!end.complete) forwarded.end->abort();
  if (forwarded.connecting) descriptors_.forget(forwarded.connecting->descriptor());
  connecting_.erase(channel);
  forwarded_.erase(found);
}

// --- Listening for the other side ---

void Forwarder::on_listen_request(Instant now, ConnectionId connection, const ListenRequest& request) {
  const std::string text(request.text);
  const auto answer = [&](ChannelCode code, const std::string& words) {
    mux_.send_listen_answer(now, connection, {.request = request.request, .code = code, .text = words});
  };
  if (split_protocol(text).udp) {
    const auto at = policy_.listen_udp(connection, text);
    if (at) return answer(ChannelCode::kNone, at->to_string() + "/udp");
    const bool allowed = at.error().code != ErrorCode::kPermission;
    return answer(allowed ? ChannelCode::kUnreachable : ChannelCode::kNotAllowed, at.error().message);
  }
  const std::optional<SocketAddress> address = policy_.listen_for_peer(text);
  if (!address) return answer(ChannelCode::kNotAllowed, "");
  if (listeners_.size() >= kMaxPeerListeners) return answer(ChannelCode::kTooMany, "");
  auto socket = listen_tcp(*address);
  if (!socket) return answer(ChannelCode::kUnreachable, socket.error().message);
  const std::string at = local_address_of(*socket).to_string();
  listeners_[kListenerBit | ++last_listener_] = {
      .socket = std::move(*socket), .text = text, .kind = ChannelKind::kArrival, .connection = connection};
  answer(ChannelCode::kNone, at);
}

void Forwarder::report(const Forwarded& forwarded, ForwardEvent::Kind kind, bool complete, std::string reason) {
  policy_.on_event({.kind = kind,
                    .connection = forwarded.connection,
                    .target = forwarded.target,
                    .complete = complete,
                    .reason = std::move(reason),
                    .to_channel = forwarded.end ? forwarded.end->bytes_in() : 0,
                    .from_channel = forwarded.end ? forwarded.end->bytes_out() : 0});
}

}  // namespace godwit::cli
