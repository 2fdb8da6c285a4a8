#include "cli/netcheck_socket.h"

#include <algorithm>
#include <utility>

#include "cli/ticket_output.h"
#include "wire/limits.h"
#include "wire/printable.h"

namespace godwit::cli {

NetcheckSocket::NetcheckSocket(Node& node, const std::vector<RendezvousPlace>& places) : node_(node) {
  places_.reserve(places.size());
  for (const RendezvousPlace& place : places) {
    places_.push_back(
        {.connector = Connector(node.endpoint(), place.addresses, place.key), .seen = {.addresses = place.addresses}});
  }
}

void NetcheckSocket::start() {
  for (Place& place : places_) {
    if (const Status started = place.connector.start(node_.now()); !started) {
      place.seen.problem = started.error().message;
    }
  }
}

bool NetcheckSocket::settled() const {
  return std::ranges::all_of(places_, [](const Place& place) {
    const Seen& seen = place.seen;
    return !seen.problem.empty() || (seen.observed && seen.round_trip && seen.full_datagrams);
  });
}

void NetcheckSocket::ask_for_relay(std::size_t index, const PublicKey& peer) {
  const RendezvousFind question{.request = 1, .key = peer, .relay = true, .candidates = {}};
  if (!node_.send(places_[index].connection, Body::owned(encode_rendezvous(question)))) relay_refused_ = true;
}

void NetcheckSocket::ask_where(std::size_t index) {
  heard_.reset();
  static_cast<void>(node_.send(places_[index].connection, Body::owned(encode_rendezvous(RendezvousWhere{relay_}))));
}

void NetcheckSocket::connect(const SocketAddress& address, const PublicKey& peer) {
  if (const auto attempt = node_.connect(address, peer)) attempts_.push_back(*attempt);
}

void NetcheckSocket::forget() {
  for (const ConnectionId attempt : std::exchange(attempts_, {})) node_.close(attempt, "done");
  if (met_ != 0) node_.close(met_, "done");
  met_ = 0;
  meeting_round_trip_.reset();
}

void NetcheckSocket::on_turn(Node& node) {
  for (Place& place : places_) {
    place.connector.on_turn(node.now());
    if (place.connector.failure() && place.seen.problem.empty()) {
      place.seen.problem = place.connector.failure()->message;
    }
    if (const auto next = place.connector.next_timeout()) node.wake_at(*next);
  }
}

void NetcheckSocket::on_event(Node& node, ConnectionId connection, Event& event) {
  const Instant now = node.now();
  for (Place& place : places_) {
    if (place.connector.on_event(now, connection, event)) return;
    if (connection == place.connector.connection()) return on_place_event(now, place, event);
  }
  on_meeting_event(now, connection, event);
}

void NetcheckSocket::on_place_event(Instant now, Place& place, const Event& event) {
  Endpoint& endpoint = node_.endpoint();
  if (const auto* connected = std::get_if<Connected>(&event)) {
    place.connection = place.connector.connection();
    place.seen.remote = connected->remote;
    static_cast<void>(endpoint.send(now, place.connection, Body::owned(encode_rendezvous(RendezvousRegister{}))));
    static_cast<void>(endpoint.ping(now, place.connection));
    // It is no message of the rendezvous's, which counts and ignores it, and acknowledges its packet.
    const auto probe =
        endpoint.send(now, place.connection, Body::owned(std::vector<std::uint8_t>(wire::kShortMessageLimit, 0)));
    place.probe = probe.value_or(0);
  } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
    on_place_message(place, message->payload);
  } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) {
    if (confirmed->message == place.probe) place.seen.full_datagrams = true;
  } else if (const auto* answered = std::get_if<PingAnswered>(&event)) {
    if (!place.seen.round_trip) place.seen.round_trip = answered->round_trip;
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    place.connection = 0;
    if (place.seen.problem.empty() && !place.seen.observed) place.seen.problem = printable(closed->text);
  }
}

void NetcheckSocket::on_place_message(Place& place, ByteView payload) {
  const auto decoded = decode_rendezvous(payload);
  if (!decoded) return;
  if (const auto* registered = std::get_if<RendezvousRegistered>(&*decoded)) {
    place.seen.observed = registered->observed;
    if (registered->code != RendezvousCode::kDone) {
      place.seen.problem = std::string(rendezvous_code_text(registered->code));
    } else if (!registered->observed) {
      place.seen.problem = "it does not say where it sees this side";
    }
  } else if (const auto* found = std::get_if<RendezvousFound>(&*decoded)) {
    relay_ = found->relay;
    relay_refused_ = !found->relay;
  } else if (const auto* introduced = std::get_if<RendezvousIntroduced>(&*decoded)) {
    // Nobody else is to be let in: the other socket's way is what is being tried.
    if (introduced->relay) relay_ = introduced->relay;
  } else if (const auto* seen = std::get_if<RendezvousSeen>(&*decoded)) {
    heard_ = *seen;
  }
}

void NetcheckSocket::on_meeting_event(Instant now, ConnectionId connection, const Event& event) {
  if (std::holds_alternative<Connected>(event)) {
    if (met_ == 0) met_ = connection;
    static_cast<void>(node_.endpoint().ping(now, connection));
  } else if (const auto* answered = std::get_if<PingAnswered>(&event)) {
    if (connection == met_ && !meeting_round_trip_) meeting_round_trip_ = answered->round_trip;
  } else if (std::holds_alternative<Closed>(event)) {
    std::erase(attempts_, connection);
    if (connection == met_) met_ = 0;
  }
}

}  // namespace godwit::cli
