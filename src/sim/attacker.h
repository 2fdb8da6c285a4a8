// Executes the attacks of a scenario. It sees every datagram that crosses the world between the links, knows every
// public key and address, and reaches its victims past the links, from any source address. What it cannot do is break
// the cryptography. Owned by Simulator.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "sim/attack.h"
#include "sim/hostile_peer.h"
#include "sim/packet.h"

namespace godwit::sim {

class Simulator;

class Attacker {
 public:
  explicit Attacker(Simulator& simulator);
  ~Attacker();

  void start(Instant now);
  void stop() { stopped_ = true; }
  void on_timer(Instant now, std::uint32_t attack);
  // A datagram of a host crosses the world. True when the attacker holds it back; it then delivers it itself.
  [[nodiscard]] bool on_passing(Instant now, std::uint32_t packet);
  // A datagram of a host to an address that belongs to none: the attacker may own it.
  void on_reply(Instant now, const Packet& packet);

  [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }
  [[nodiscard]] std::uint64_t connections() const { return connections_; }
  // Streams that the attacker has opened at a host, at most: one for each fragment.
  [[nodiscard]] std::uint64_t streams(std::uint32_t host) const { return streams_[host]; }

 private:
  struct Recorded {
    Instant at{};
    SocketAddress source;
    std::uint32_t receiver = 0;
    std::vector<std::uint8_t> bytes;
  };
  struct Progress {
    std::uint32_t done = 0;
    HostilePeer* peer = nullptr;  // of the kinds with one connection
  };

  void act(Instant now, std::uint32_t attack);
  void replay(Instant now, const AttackSpec& spec);
  void send_random(Instant now, const AttackSpec& spec);
  void send_as_stranger(Instant now, const AttackSpec& spec, HostilePeer& peer);
  [[nodiscard]] std::vector<std::uint8_t> fragment(const AttackSpec& spec, HostilePeer& peer);
  [[nodiscard]] std::vector<std::uint8_t> acknowledgement(HostilePeer& peer);
  [[nodiscard]] std::vector<std::uint8_t> message(HostilePeer& peer);
  [[nodiscard]] std::vector<std::uint8_t> own_frames(HostilePeer& peer);
  HostilePeer& open(Instant now, const AttackSpec& spec, std::uint32_t index);
  [[nodiscard]] SocketAddress source_of(const AttackSpec& spec);
  void send(Instant now, const AttackSpec& spec, const SocketAddress& source, ByteView bytes);

  Simulator& simulator_;
  DeterministicRandom random_;
  std::vector<Progress> progress_;
  std::deque<Recorded> recorded_;
  // Where each host's datagrams come from as others see it; the host's own address before any was seen.
  std::vector<SocketAddress> seen_source_;
  std::map<SocketAddress, std::unique_ptr<HostilePeer>> peers_;
  std::vector<std::uint64_t> streams_;
  std::uint32_t next_intro_ = 0;
  std::uint64_t datagrams_ = 0;
  std::uint64_t connections_ = 0;
  bool passing_ = false;  // some attack acts on passing datagrams
  bool stopped_ = false;
};

}  // namespace godwit::sim
