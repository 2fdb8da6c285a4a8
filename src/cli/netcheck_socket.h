// One socket of `godwit netcheck`: registered at every rendezvous at once, so that each says where it sees the same
// socket, and able to meet another socket of this machine on a way that is to be tried. What a rendezvous says is
// checked as everywhere; nothing is sent to addresses that it names but by connecting to them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rendezvous/rendezvous_client.h"
#include "runtime/connector.h"
#include "runtime/node.h"

namespace godwit::cli {

class NetcheckSocket final : public Node::Handler {
 public:
  // What one rendezvous knows, or why it says nothing.
  struct Seen {
    std::vector<SocketAddress> addresses;  // of the rendezvous
    SocketAddress remote;                  // of them, the one that answered
    std::optional<SocketAddress> observed;
    std::optional<Duration> round_trip;
    bool full_datagrams = false;  // the longest ones of the transport get through
    std::string problem;          // one line; empty where there is none
  };

  // `node` outlives it.
  NetcheckSocket(Node& node, const std::vector<RendezvousPlace>& places);

  void start();
  void turn(Duration longest) { node_.turn(*this, longest); }
  // Every rendezvous has said all, or does not answer.
  [[nodiscard]] bool settled() const;
  [[nodiscard]] const Seen& seen(std::size_t index) const { return places_[index].seen; }
  [[nodiscard]] std::size_t places() const { return places_.size(); }

  // Asks one of them for ports at its relay, towards another socket that is registered there.
  void ask_for_relay(std::size_t index, const PublicKey& peer);
  // This side's port at the relay: asked for here, or told because the other side has asked.
  [[nodiscard]] const std::optional<SocketAddress>& relay() const { return relay_; }
  [[nodiscard]] bool relay_refused() const { return relay_refused_; }
  // Asks at which address that port has heard from this socket.
  void ask_where(std::size_t index);
  // The answer, once there is one: none where it has not.
  [[nodiscard]] const std::optional<RendezvousSeen>& heard() const { return heard_; }

  // Connects to the other socket at this address.
  void connect(const SocketAddress& address, const PublicKey& peer);
  // A connection with the other socket has come about since the last forget(), whoever began it.
  [[nodiscard]] bool met() const { return met_ != 0; }
  // Of that connection, once its ping has been answered.
  [[nodiscard]] const std::optional<Duration>& meeting_round_trip() const { return meeting_round_trip_; }
  void forget();
  [[nodiscard]] Node& node() { return node_; }

  void on_event(Node& node, ConnectionId connection, Event& event) override;
  void on_turn(Node& node) override;

 private:
  struct Place {
    Connector connector;
    Seen seen;
    ConnectionId connection = 0;
    MessageId probe = 0;  // a message of full size
  };

  void on_place_event(Instant now, Place& place, const Event& event);
  void on_place_message(Place& place, ByteView payload);
  void on_meeting_event(Instant now, ConnectionId connection, const Event& event);

  Node& node_;
  std::vector<Place> places_;
  std::optional<SocketAddress> relay_;
  bool relay_refused_ = false;
  std::optional<RendezvousSeen> heard_;
  std::vector<ConnectionId> attempts_;  // at meeting the other socket
  ConnectionId met_ = 0;
  std::optional<Duration> meeting_round_trip_;
};

}  // namespace godwit::cli
