#include "cli/udp_forwarder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "cli/udp_socket.h"

namespace godwit::cli {
namespace {

// Tokens of this file's descriptors, beside those of Forwarder.
constexpr std::uint64_t kUdpBit = std::uint64_t{1} << 62;
constexpr Duration kLookPause = 1s;  // between two looks at who has been idle

}  // namespace

UdpForwarder::~UdpForwarder() {
  for (const auto& [token, listener] : listeners_) descriptors_.forget(listener.socket.descriptor());
  for (const auto& [key, each] : associations_) {
    if (each.socket.is_open()) descriptors_.forget(each.socket.descriptor());
  }
}

std::uint64_t UdpForwarder::next_token() {
  return kUdpBit | ++last_token_;
}

void UdpForwarder::add_listener(TcpSocket socket, std::string text, ChannelKind kind, ConnectionId connection) {
  const std::uint64_t token = next_token();
  descriptors_.watch(socket.descriptor(), token, true, false);
  listeners_[token] = {.socket = std::move(socket), .text = std::move(text), .kind = kind, .connection = connection};
}

bool UdpForwarder::on_event(Instant now, ConnectionId connection, const Event& event) {
  if (std::holds_alternative<Closed>(event)) {
    if (connection == connection_) connection_ = 0;
    for (auto each = associations_.begin(); each != associations_.end();) {
      const auto association = each++;
      if (association->first.connection == connection) {
        end(now, association, ChannelCode::kInterrupted, false, "the connection has ended");
      }
    }
    std::erase_if(listeners_, [&](const auto& entry) {
      const bool gone = entry.second.connection == connection;
      if (gone) descriptors_.forget(entry.second.socket.descriptor());
      return gone;
    });
    return false;
  }
  const auto* const received = std::get_if<MessageReceived>(&event);
  const auto message = received != nullptr ? decode_datagram_message(received->payload) : std::nullopt;
  if (!message) return false;
  if (const auto* const open = std::get_if<AssociationOpen>(&*message)) {
    on_open(now, connection, *open);
  } else if (const auto* const part = std::get_if<DatagramPart>(&*message)) {
    on_part(now, connection, *part);
  } else {
    const auto& ended = std::get<AssociationEnded>(*message);
    const auto found = associations_.find({connection, !ended.by_opener, ended.association});
    if (found != associations_.end()) end(now, found, ended.code, false, channel_code_text(ended.code));
  }
  return true;
}

void UdpForwarder::on_turn(Instant now) {
  for (const DescriptorSet::Ready& ready : descriptors_.ready()) {
    if ((ready.token & kUdpBit) == 0 || ready.token >> 63 != 0) continue;
    if (listeners_.contains(ready.token)) {
      read_listener(now, ready.token);
    } else if (const auto key = by_token_.find(ready.token); key != by_token_.end()) {
      read_association(now, associations_.find(key->second));
    }
  }
  if (associations_.empty() || now < next_look_) return;
  next_look_ = now + kLookPause;
  for (auto each = associations_.begin(); each != associations_.end();) {
    const auto association = each++;
    if (now < association->second.used + idle_) continue;
    ++statistics_.idle;
    end(now, association, ChannelCode::kNone, true, "idle");
  }
}

std::optional<Instant> UdpForwarder::next_timeout() const {
  return associations_.empty() ? std::nullopt : std::optional(next_look_);
}

// --- What comes to this machine's sockets ---

void UdpForwarder::read_listener(Instant now, std::uint64_t token) {
  std::array<std::uint8_t, kMaxForwardedDatagram> buffer;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    const ReceivedDatagram datagram = receive_udp(listeners_.at(token).socket, buffer);
    if (datagram.error == EAGAIN) return;
    // What a datagram of this side's met elsewhere is reported here, and concerns one address of many.
    if (datagram.error != 0) continue;
    if (datagram.cut) {
      ++statistics_.dropped;
    } else {
      take_local(now, token, datagram.from, ByteView(buffer).first(datagram.bytes));
    }
  }
}

void UdpForwarder::read_association(Instant now, Associations::iterator found) {
  std::array<std::uint8_t, kMaxForwardedDatagram> buffer;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    const ReceivedDatagram datagram = receive_udp(found->second.socket, buffer);
    if (datagram.error == EAGAIN) return;
    if (datagram.error != 0) return end(now, found, ChannelCode::kUnreachable, true, std::strerror(datagram.error));
    if (datagram.cut) {
      ++statistics_.dropped;
    } else {
      send_parts(now, found->first, found->second, ByteView(buffer).first(datagram.bytes));
    }
  }
}

void UdpForwarder::take_local(Instant now, std::uint64_t token, const SocketAddress& from, ByteView datagram) {
  const auto known = by_remote_.find({token, from});
  if (known == by_remote_.end()) return open_association(now, token, from, datagram);
  const auto found = associations_.find(known->second);
  send_parts(now, found->first, found->second, datagram);
}

void UdpForwarder::open_association(Instant now, std::uint64_t token, const SocketAddress& from, ByteView datagram) {
  const Listener& listener = listeners_.at(token);
  const ConnectionId connection = listener.connection != 0 ? listener.connection : connection_;
  if (connection == 0 || associations_.size() >= max_associations_) {
    ++statistics_.dropped;
    return;
  }
  const bool fits = datagram.size() <= kMaxFirstBytes;
  const AssociationOpen open{.association = ++last_number_,
                             .kind = listener.kind,
                             .text = listener.text,
                             .has_first = fits,
                             .first = fits ? datagram : ByteView()};
  if (!endpoint_.send(now, connection, Body::owned(encode_datagram_message(open)))) {
    ++statistics_.dropped;
    return;
  }
  const Key key{.connection = connection, .opened_here = true, .number = open.association};
  Association& association = associations_[key];
  association.listener = token;
  association.remote = from;
  association.text = listener.text;
  association.used = now;
  by_remote_[{token, from}] = key;
  ++statistics_.associations;
  if (!fits) return send_parts(now, key, association, datagram);
  ++statistics_.to_peer;
  statistics_.to_peer_bytes += datagram.size();
  association.to_peer_bytes += datagram.size();
}

void UdpForwarder::send_parts(Instant now, const Key& key, Association& association, ByteView datagram) {
  association.used = now;
  const std::size_t count = std::max<std::size_t>(1, (datagram.size() + kMaxPartBytes - 1) / kMaxPartBytes);
  const std::uint16_t number = association.next_datagram++;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * kMaxPartBytes;
    const DatagramPart part{.association = key.number,
                            .by_opener = key.opened_here,
                            .datagram = number,
                            .index = static_cast<std::uint8_t>(i),
                            .count = static_cast<std::uint8_t>(count),
                            .bytes = datagram.subspan(at, std::min(kMaxPartBytes, datagram.size() - at))};
    const auto sent =
        endpoint_.send(now, key.connection, Body::owned(encode_datagram_message(part)), {.unreliable = true});
    if (sent) continue;
    ++statistics_.dropped;
    return;
  }
  ++statistics_.to_peer;
  statistics_.to_peer_bytes += datagram.size();
  association.to_peer_bytes += datagram.size();
}

// --- What the other side sends ---

void UdpForwarder::on_open(Instant now, ConnectionId connection, const AssociationOpen& open) {
  const Key key{.connection = connection, .opened_here = false, .number = open.association};
  if (associations_.contains(key)) return;
  const Destination destination =
      policy_.destination({.channel = 0, .connection = connection, .kind = open.kind, .text = open.text});
  if (destination.addresses.empty()) return refuse(now, connection, open, destination.code);
  if (associations_.size() >= max_associations_) return refuse(now, connection, open, ChannelCode::kTooMany);
  auto socket = connect_udp(destination.addresses.front());
  if (!socket) return refuse(now, connection, open, ChannelCode::kUnreachable);
  Association& association = associations_[key];
  association.socket = std::move(*socket);
  association.token = next_token();
  association.text = open.text;
  association.used = now;
  by_token_[association.token] = key;
  descriptors_.watch(association.socket.descriptor(), association.token, true, false);
  ++statistics_.associations;
  if (open.has_first) write_local(association, open.first);
}

void UdpForwarder::on_part(Instant now, ConnectionId connection, const DatagramPart& part) {
  const auto found = associations_.find({connection, !part.by_opener, part.association});
  if (found == associations_.end()) {
    ++statistics_.unknown;
    return;
  }
  found->second.used = now;
  if (const auto whole = found->second.assembler.add(part)) write_local(found->second, *whole);
}

void UdpForwarder::write_local(Association& association, ByteView datagram) {
  const bool own_socket = association.socket.is_open();
  const auto listener = listeners_.find(association.listener);
  const bool sent =
      own_socket ? send_udp(association.socket, {}, datagram)
                 : listener != listeners_.end() && send_udp(listener->second.socket, association.remote, datagram);
  if (!sent) {
    ++statistics_.dropped;
    return;
  }
  ++statistics_.from_peer;
  statistics_.from_peer_bytes += datagram.size();
  association.from_peer_bytes += datagram.size();
}

// --- Ends ---

void UdpForwarder::refuse(Instant now, ConnectionId connection, const AssociationOpen& open, ChannelCode code) {
  ++statistics_.refused;
  policy_.on_event({.kind = ForwardEvent::Kind::kRefusedHere,
                    .connection = connection,
                    .target = std::string(open.text),
                    .reason = std::string(channel_code_text(code))});
  const AssociationEnded ended{.association = open.association, .by_opener = false, .code = code};
  static_cast<void>(endpoint_.send(now, connection, Body::owned(encode_datagram_message(ended))));
}

void UdpForwarder::end(Instant now, Associations::iterator found, ChannelCode code, bool tell, std::string_view why) {
  const Key key = found->first;
  const Association& association = found->second;
  const bool quiet = code == ChannelCode::kNone;
  const bool refused_there = !tell && key.opened_here && !quiet && code != ChannelCode::kInterrupted;
  if (refused_there) ++statistics_.refused;
  policy_.on_event({.kind = refused_there ? ForwardEvent::Kind::kRefusedThere : ForwardEvent::Kind::kEnded,
                    .connection = key.connection,
                    .target = association.text,
                    .complete = quiet,
                    .reason = std::string(why),
                    .to_channel = association.to_peer_bytes,
                    .from_channel = association.from_peer_bytes});
  statistics_.incomplete += association.assembler.incomplete();
  if (association.socket.is_open()) {
    descriptors_.forget(association.socket.descriptor());
    by_token_.erase(association.token);
  } else {
    by_remote_.erase({association.listener, association.remote});
  }
  associations_.erase(found);
  if (!tell) return;
  const AssociationEnded ended{.association = key.number, .by_opener = key.opened_here, .code = code};
  static_cast<void>(endpoint_.send(now, key.connection, Body::owned(encode_datagram_message(ended))));
}

UdpStatistics UdpForwarder::statistics() const {
  UdpStatistics result = statistics_;
  for (const auto& [key, each] : associations_) result.incomplete += each.assembler.incomplete();
  return result;
}

}  // namespace godwit::cli
