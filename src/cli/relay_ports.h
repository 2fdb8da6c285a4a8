// The relay of `godwit rendezvous`: two sockets a pair of peers, whose datagrams are passed on from one to the other
// unread and unchanged, whole batches at a time. Each side is spoken to at the host that it has proven; at another of
// that host's ports once it has sent something from there, as address translations do. Before a side has been heard
// nothing is sent to it for a second, since its address translation has not been opened for the relay's port then.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "cli/descriptor_set.h"
#include "rendezvous/rendezvous_server.h"
#include "udp/backend.h"

namespace godwit::cli {

struct RelayStatistics {
  std::uint64_t pairs = 0;  // all time
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;
  std::uint64_t strangers = 0;  // datagrams of other hosts
  std::uint64_t dropped = 0;    // the socket took no more
  std::uint64_t held = 0;       // kept until the other side had been heard, or lost for want of a place
};

class RelaySockets final : public RelayPorts {
 public:
  // Sockets are bound to `bind` with ports that the system chooses; others are told `host`, its address as they reach
  // it. At most `max_pairs` at a time, each ends after kIdle without datagrams. `descriptors` outlives it.
  RelaySockets(DescriptorSet& descriptors, const SocketAddress& bind, const SocketAddress& host, std::size_t max_pairs)
      : descriptors_(descriptors), bind_(bind), host_(host), max_pairs_(max_pairs) {}
  ~RelaySockets() override;

  [[nodiscard]] std::optional<Pair> open(Instant now, const SocketAddress& asker, const SocketAddress& peer) override;
  [[nodiscard]] std::optional<SocketAddress> heard_from(const SocketAddress& port) const override;
  [[nodiscard]] std::optional<PortChanges> port_changes(const SocketAddress& port) const override;
  // Passes on what has come; once a turn.
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  [[nodiscard]] const RelayStatistics& statistics() const { return statistics_; }

 private:
  static constexpr Duration kIdle = 60s;
  // A side that has not been heard for so long may have nothing in front of it that would have to be opened.
  static constexpr Duration kHold = 1s;

  struct Side {
    std::unique_ptr<Backend> backend;
    SocketAddress remote;
    SocketAddress proven;
    bool heard = false;  // something has come from there
    // What the other side has sent meanwhile, one datagram: unasked it could spoil the mapping of a translation.
    std::vector<std::uint8_t> held;
  };
  struct Link {
    std::array<Side, 2> sides;
    Instant opened{};
    Instant used{};
  };

  [[nodiscard]] std::optional<Side> open_side(const SocketAddress& remote) const;
  void pass_on(Instant now, Link& link, std::size_t from);
  void take(Instant now, Link& link, std::size_t from, const DatagramBatch& batch);
  void send(Side& from, const SocketAddress& to, const DatagramBatch& batch);
  void close(Link& link);

  DescriptorSet& descriptors_;
  SocketAddress bind_;
  SocketAddress host_;
  std::size_t max_pairs_;
  std::list<Link> links_;
  ReceivedBatches inbox_;
  RelayStatistics statistics_;
};

}  // namespace godwit::cli
