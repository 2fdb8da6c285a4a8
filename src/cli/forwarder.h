// Joins TCP connections with channels, the same on both sides of a forward: connections that come to a listening port
// open channels, channels of the other side become connections. What may be reached is asked of a policy. No memory
// grows with what a TCP peer does not read; a peer that resets, or ends one direction, does the same at the far end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "channel/channel_mux.h"
#include "cli/descriptor_set.h"
#include "cli/local_end.h"
#include "cli/tcp.h"

namespace godwit::cli {

// Where a channel of the other side leads, or why it does not.
struct Destination {
  std::vector<SocketAddress> addresses;  // in order of preference; none: refused
  ChannelCode code = ChannelCode::kNotAllowed;
};

// What happened, for logs.
struct ForwardEvent {
  enum class Kind : std::uint8_t { kEnded, kRefusedHere, kRefusedThere };
  Kind kind = Kind::kEnded;
  ConnectionId connection = 0;
  std::string target;
  bool complete = false;
  std::string reason;            // unless complete
  std::uint64_t to_channel = 0;  // bytes read from the TCP connection
  std::uint64_t from_channel = 0;
};

class Forwarder final : public ChannelMux::Observer {
 public:
  struct Policy {
    std::function<Destination(const ChannelRequest&)> destination;
    // Whether to listen for the other side at an address, "HOST:PORT".
    std::function<std::optional<SocketAddress>(std::string_view text)> listen_for_peer;
    // The same for datagrams, "HOST:PORT/udp", which others see to: the address that is listened at, or why none is.
    std::function<Result<SocketAddress>(ConnectionId connection, std::string_view text)> listen_udp;
    std::function<void(const ForwardEvent&)> on_event;
    std::function<void(const ListenAnswer&)> on_listen_answer;
  };

  // All outlive it. At most `max_connections` at a time.
  Forwarder(Endpoint& endpoint, DescriptorSet& descriptors, std::size_t max_connections, Policy policy)
      : descriptors_(descriptors),
        policy_(std::move(policy)),
        max_connections_(max_connections),
        mux_(endpoint, *this, max_connections) {}

  [[nodiscard]] ChannelMux& mux() { return mux_; }
  // True when the event was about channels alone.
  [[nodiscard]] bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // Connections that come to `listener` go over set_connection()'s connection to `target`.
  void add_listener(TcpSocket listener, std::string target);
  // Where they go; 0: they wait.
  void set_connection(ConnectionId connection);

  [[nodiscard]] std::size_t open_connections() const { return forwarded_.size(); }

  void on_channel(Instant now, const ChannelRequest& request) override;
  void on_accepted(Instant, ChannelId) override {}
  void on_bytes(Instant now, ChannelId channel, ByteView bytes) override;
  void on_end(Instant now, ChannelId channel) override;
  void on_channel_closed(Instant now, ChannelId channel, const ChannelEnd& end) override;
  void on_writable(Instant now, ConnectionId connection) override;
  void on_listen_request(Instant now, ConnectionId connection, const ListenRequest& request) override;
  void on_listen_answer(Instant, ConnectionId, const ListenAnswer& answer) override {
    policy_.on_listen_answer(answer);
  }

 private:
  static constexpr Duration kConnectPatience = 10s;  // for all addresses of a target
  static constexpr int kAcceptsPerTurn = 16;
  static constexpr Duration kAcceptPause = 1s;  // without descriptors
  static constexpr std::size_t kMaxPeerListeners = 64;

  struct Listener {
    TcpSocket socket;
    std::string text;  // the target, or where the other side wanted it
    ChannelKind kind = ChannelKind::kTarget;
    ConnectionId connection = 0;  // 0: that of set_connection()
  };
  // One TCP connection and its channel.
  struct Forwarded {
    std::unique_ptr<LocalEnd> end;
    ConnectionId connection = 0;
    std::string target;
    // While it is being connected.
    std::optional<TcpSocket> connecting;
    std::vector<SocketAddress> addresses;  // that are left to try
    Instant give_up_at{};
  };

  void accept_from(Instant now, std::uint64_t token);
  void watch_listeners();
  void try_next_address(Instant now, ChannelId channel, int error);
  void on_connecting_ready(Instant now, ChannelId channel);
  void pump(Instant now, ChannelId channel);
  void end_here(Instant now, ChannelId channel, const EndFailure& failure);
  void report(const Forwarded& forwarded, ForwardEvent::Kind kind, bool complete, std::string reason);

  DescriptorSet& descriptors_;
  Policy policy_;
  std::size_t max_connections_;
  ChannelMux mux_;
  ConnectionId connection_ = 0;
  std::map<std::uint64_t, Listener> listeners_;  // by token
  std::uint64_t last_listener_ = 0;
  std::optional<Instant> accept_again_at_;
  std::map<ChannelId, Forwarded> forwarded_;
  std::set<ChannelId> due_;         // to be pumped this turn
  std::set<ChannelId> connecting_;  // with a deadline
};

}  // namespace godwit::cli
