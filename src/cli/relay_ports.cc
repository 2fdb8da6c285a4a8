#include "cli/relay_ports.h"

#include <utility>
#include <vector>

namespace godwit::cli {
namespace {

constexpr std::uint64_t kToken = 2;
constexpr std::size_t kReceiveBatches = 4;  // of up to 64 KiB, buffered for each side
constexpr std::size_t kSocketBuffer = std::size_t{1} << 20;
constexpr int kRounds = 8;  // receive calls of a side a turn
constexpr std::size_t kOpenerSize = 1;
constexpr std::size_t kMostHeld = 1500;

}  // namespace

RelaySockets::~RelaySockets() {
  for (Link& link : links_) close(link);
}

std::optional<RelayPorts::Pair> RelaySockets::open(Instant now, const SocketAddress& asker, const SocketAddress& peer) {
  if (links_.size() >= max_pairs_) return std::nullopt;
  auto of_asker = open_side(asker);
  auto of_peer = open_side(peer);
  if (!of_asker || !of_peer) return std::nullopt;
  const Pair pair{.for_asker = host_.with_port(of_asker->backend->socket().local_address().port()),
                  .for_peer = host_.with_port(of_peer->backend->socket().local_address().port())};
  Link link{.sides = {std::move(*of_asker), std::move(*of_peer)}, .opened = now, .used = now};
  for (const Side& side : link.sides) descriptors_.watch(side.backend->descriptor(), kToken, true, false);
  links_.push_back(std::move(link));
  ++statistics_.pairs;
  return pair;
}

std::optional<RelaySockets::Side> RelaySockets::open_side(const SocketAddress& remote) const {
  SocketOptions options;
  options.bind = bind_.with_port(0);
  options.receive_buffer_bytes = kSocketBuffer;
  options.send_buffer_bytes = kSocketBuffer;
  auto socket = Socket::open(options);
  if (!socket) return std::nullopt;
  auto backend = make_backend(BackendKind::kAuto, std::move(*socket), {.receive_batches = kReceiveBatches});
  if (!backend) return std::nullopt;
  return Side{.backend = std::move(*backend), .remote = remote, .proven = remote};
}

std::optional<PortChanges> RelaySockets::port_changes(const SocketAddress& port) const {
  for (const Link& link : links_) {
    for (std::size_t i = 0; i < link.sides.size(); ++i) {
      const Side& own = link.sides[i];
      const Side& other = link.sides[1 - i];
      if (host_.with_port(own.backend->socket().local_address().port()) != port) continue;
      if (!own.heard || !other.heard) return std::nullopt;
      return PortChanges{
          .own = own.remote != own.proven, .peers = other.remote != other.proven, .peers_port = other.remote.port()};
    }
  }
  return std::nullopt;
}

std::optional<SocketAddress> RelaySockets::heard_from(const SocketAddress& port) const {
  for (const Link& link : links_) {
    for (const Side& side : link.sides) {
      if (!side.heard || host_.with_port(side.backend->socket().local_address().port()) != port) continue;
      return side.remote;
    }
  }
  return std::nullopt;
}

void RelaySockets::on_turn(Instant now) {
  for (Link& link : links_) {
    pass_on(now, link, 0);
    pass_on(now, link, 1);
  }
  std::erase_if(links_, [&](Link& link) {
    const bool idle = now >= link.used + kIdle;
    if (idle) close(link);
    return idle;
  });
}

void RelaySockets::pass_on(Instant now, Link& link, std::size_t from) {
  Side& source = link.sides[from];
  for (int round = 0; round < kRounds; ++round) {
    if (source.backend->receive(inbox_) == 0) return;
    for (DatagramBatch& batch : inbox_.batches()) {
      if (!batch.remote.is_same_host(source.remote)) {
        statistics_.strangers += batch.segment_count();
        continue;
      }
      take(now, link, from, batch);
    }
    if (!inbox_.stopped_at_bound()) return;
  }
}

void RelaySockets::take(Instant now, Link& link, std::size_t from, const DatagramBatch& batch) {
  Side& source = link.sides[from];
  Side& goal = link.sides[1 - from];
  source.remote = batch.remote;
  source.heard = true;
  link.used = now;
  // What has been kept for longer is of an attempt that its sender may have given up.
  if (now >= link.opened + kHold) source.held.clear();
  if (!source.held.empty()) {
    std::vector<std::uint8_t> held = std::exchange(source.held, {});
    send(source, source.remote, {.local = {}, .remote = {}, .bytes = held, .segment_size = held.size()});
  }
  // An opener has done its work.
  if (batch.segment_size <= kOpenerSize) return;
  if (goal.heard || now >= link.opened + kHold) return send(goal, goal.remote, batch);
  statistics_.held += batch.segment_count();
  const MutableBytes first = batch.segment(0);
  if (goal.held.empty() && first.size() <= kMostHeld) goal.held.assign(first.begin(), first.end());
}

void RelaySockets::send(Side& from, const SocketAddress& to, const DatagramBatch& batch) {
  DatagramBatch onward = batch;
  onward.remote = to;
  onward.local = SocketAddress();
  statistics_.datagrams += batch.segment_count();
  statistics_.bytes += batch.bytes.size();
  // A full socket loses datagrams, as any router does.
  if (from.backend->send({&onward, 1}) == 0) statistics_.dropped += batch.segment_count();
}

std::optional<Instant> RelaySockets::next_timeout() const {
  std::optional<Instant> next;
  for (const Link& link : links_) next = earliest(next, link.used + kIdle);
  return next;
}

void RelaySockets::close(Link& link) {
  for (const Side& side : link.sides) descriptors_.forget(side.backend->descriptor());
}

}  // namespace godwit::cli
