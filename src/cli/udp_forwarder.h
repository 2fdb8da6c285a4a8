// Forwards UDP, the same on both sides of a forward: what comes to a listening port opens an association for each
// address that it comes from, associations of the other side become sockets of their own. Datagrams go as messages that
// are sent once (docs/channels.md section 7). Bounded: so many associations, each ends when it has been idle for a
// while, and nothing is queued here; what cannot be passed on at once is dropped and counted, as UDP does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "channel/datagram_codec.h"
#include "cli/descriptor_set.h"
#include "cli/forwarder.h"
#include "transport/endpoint.h"

namespace godwit::cli {

struct UdpStatistics {
  std::uint64_t associations = 0;  // all time
  std::uint64_t refused = 0;       // of them, here or by the other side
  std::uint64_t idle = 0;          // of them, ended by silence
  std::uint64_t to_peer = 0;       // datagrams
  std::uint64_t from_peer = 0;
  std::uint64_t to_peer_bytes = 0;
  std::uint64_t from_peer_bytes = 0;
  std::uint64_t dropped = 0;     // too long, no place for an association, or the connection or the socket was full
  std::uint64_t unknown = 0;     // of an association that is none, or not any more
  std::uint64_t incomplete = 0;  // of which not all parts have come
};

class UdpForwarder {
 public:
  static constexpr Duration kDefaultIdle = 60s;

  struct Policy {
    // As of Forwarder; texts end in "/udp".
    std::function<Destination(const ChannelRequest&)> destination;
    std::function<void(const ForwardEvent&)> on_event;
  };

  // All outlive it. At most `max_associations` at a time; each ends `idle` after its last datagram.
  UdpForwarder(Endpoint& endpoint, DescriptorSet& descriptors, std::size_t max_associations, Duration idle,
               Policy policy)
      : endpoint_(endpoint),
        descriptors_(descriptors),
        max_associations_(max_associations),
        idle_(idle),
        policy_(std::move(policy)) {}
  ~UdpForwarder();

  // True when the event was about datagrams alone.
  [[nodiscard]] bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // What comes to `socket` goes over `connection` (0: set_connection()'s) to what `text` names there.
  void add_listener(TcpSocket socket, std::string text, ChannelKind kind = ChannelKind::kTarget,
                    ConnectionId connection = 0);
  // Where they go; 0: what comes is dropped.
  void set_connection(ConnectionId connection) { connection_ = connection; }

  [[nodiscard]] std::size_t listeners() const { return listeners_.size(); }
  [[nodiscard]] std::size_t associations() const { return associations_.size(); }
  [[nodiscard]] UdpStatistics statistics() const;

 private:
  static constexpr int kDatagramsPerTurn = 64;  // of a socket

  struct Listener {
    TcpSocket socket;  // holds any descriptor
    std::string text;
    ChannelKind kind = ChannelKind::kTarget;
    ConnectionId connection = 0;
  };
  // Numbers are the opener's: an association is named by its connection, who has opened it, and the number.
  struct Key {
    ConnectionId connection = 0;
    bool opened_here = false;
    std::uint32_t number = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Association {
    std::uint64_t listener = 0;  // token; of those opened here
    SocketAddress remote;        // its address there
    TcpSocket socket;            // of those opened by the other side: connected
    std::uint64_t token = 0;
    std::string text;
    Instant used{};
    std::uint16_t next_datagram = 0;
    DatagramAssembler assembler;
    std::uint64_t to_peer_bytes = 0;
    std::uint64_t from_peer_bytes = 0;
  };
  using Associations = std::map<Key, Association>;

  void read_listener(Instant now, std::uint64_t token);
  void read_association(Instant now, Associations::iterator found);
  void take_local(Instant now, std::uint64_t token, const SocketAddress& from, ByteView datagram);
  void open_association(Instant now, std::uint64_t token, const SocketAddress& from, ByteView datagram);
  void on_open(Instant now, ConnectionId connection, const AssociationOpen& open);
  void on_part(Instant now, ConnectionId connection, const DatagramPart& part);
  void send_parts(Instant now, const Key& key, Association& association, ByteView datagram);
  void write_local(Association& association, ByteView datagram);
  void refuse(Instant now, ConnectionId connection, const AssociationOpen& open, ChannelCode code);
  // `tell`: the other side too.
  void end(Instant now, Associations::iterator found, ChannelCode code, bool tell, std::string_view why);
  [[nodiscard]] std::uint64_t next_token();

  Endpoint& endpoint_;
  DescriptorSet& descriptors_;
  std::size_t max_associations_;
  Duration idle_;
  Policy policy_;
  ConnectionId connection_ = 0;
  std::map<std::uint64_t, Listener> listeners_;
  Associations associations_;
  std::map<std::pair<std::uint64_t, SocketAddress>, Key> by_remote_;  // listener's token, and who sends there
  std::map<std::uint64_t, Key> by_token_;
  std::uint64_t last_token_ = 0;
  std::uint32_t last_number_ = 0;
  Instant next_look_{};  // at who has been idle
  UdpStatistics statistics_;
};

}  // namespace godwit::cli
