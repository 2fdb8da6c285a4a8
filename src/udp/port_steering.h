// Which of several sockets on one port (SO_REUSEPORT) gets a peer's datagrams: the same function of the peer's address
// in the kernel, as a classic BPF program on the group, and here, for whoever dials a peer or meets a datagram that
// went astray. Owned by runtime/Shards. No privilege is needed, and peers do not learn the function: it is seeded.
//
//   address -> slot (fixed for the group's life) -> position in the kernel's list of sockets (changes when one closes)
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "udp/socket.h"

namespace godwit {

class PortSteering {
 public:
  static constexpr std::size_t kMaxSlots = 64;

  // 1 … kMaxSlots.
  PortSteering(std::uint64_t seed, std::size_t slots);

  [[nodiscard]] std::size_t slots() const { return slots_; }
  // A few nanoseconds.
  [[nodiscard]] std::size_t slot_of(const SocketAddress& remote) const;

  // The program that selects `position_of_slot[slot_of(source)]`. What it cannot read (an IPv6 extension header) goes
  // wherever the kernel's own hash says.
  [[nodiscard]] std::vector<sock_filter> program(std::span<const std::size_t> position_of_slot) const;
  // Puts the program on the group that `socket` belongs to, in place of an earlier one. A group has at least two.
  [[nodiscard]] Status attach(const Socket& socket, std::span<const std::size_t> position_of_slot) const;

 private:
  std::uint32_t seed_;
  std::uint32_t multiplier_;  // odd
  std::size_t slots_;
};

}  // namespace godwit
