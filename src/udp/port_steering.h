// Which of several sockets on one port (SO_REUSEPORT) gets a peer's datagrams: the same function of the peer's address
// in the kernel, as a classic BPF program on the group, and here, for whoever connects to a peer or meets a datagram
// that went astray. Owned by runtime/Shards. No privilege is needed.
//
// The function is keyed, so that a stranger who chooses sources does not choose shards. Two sums over the source's
// half-words w, with independent random 32-bit keys k, are h = k0 + k1 w1 + ... + kn wn modulo 2^32: the multilinear
// hash of Lemire and Kaser ("Strongly universal string hashing is fast", 2014), whose upper 17 bits are strongly
// universal for 16-bit words. The slot is the upper half of the first sum XOR a non-linear mix of the second, modulo
// the number of slots. Whatever the second sum is, the first makes the slots of any two different sources independent
// and uniform over the choice of keys: N sources chosen without seeing the outcome spread with the mean and the
// variance of N independent throws, and no set suits all keys. The second sum breaks the regularity that sources in
// arithmetic progression, as the ports of one host are, would keep in one sum. The outcome is not shown to strangers;
// one that could measure again and again which thread answers might learn about the keys, and would gain an uneven
// load.
//
//   address -> slot (fixed for the group's life) -> position in the kernel's list of sockets (changes when one closes)
#pragma once

#include <linux/filter.h>

#include <array>
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
  // An IPv4 source is three half-words with the port, an IPv6 source nine.
  static constexpr std::size_t kIpv4HalfWords = 3;
  static constexpr std::size_t kIpv6HalfWords = 9;

  // The secret key of one sum: an offset and a factor for each half-word, the port's last.
  template <std::size_t HalfWords>
  struct SumKey {
    std::uint32_t offset = 0;
    std::array<std::uint32_t, HalfWords> factors{};
  };
  template <std::size_t HalfWords>
  using Keys = std::array<SumKey<HalfWords>, 2>;  // of the first and of the second sum

  Keys<kIpv4HalfWords> ipv4_;
  Keys<kIpv6HalfWords> ipv6_;
  std::uint32_t multiplier_;  // odd
  std::size_t slots_;
};

}  // namespace godwit
