// The checker of the wire: sizes, types and nonces of every datagram that a host sends. Sees bytes only.
// The nonce of a session starts at 96 random bits, so that no two sessions share one: a nonce seen twice is a repeat
// under one key, unless the whole datagram is repeated, as handshakes do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "sim/checker.h"
#include "transport/config.h"

namespace godwit::sim {

class WireChecker {
 public:
  explicit WireChecker(CheckLog& check_log) : check_log_(&check_log), slots_(256) {}

  // `largest`: bytes of what this host may send.
  void on_datagram(Instant now, std::uint32_t host, ByteView datagram, std::size_t largest);
  // What a host with this configuration may send.
  [[nodiscard]] static std::size_t largest_datagram(const Config& config);
  [[nodiscard]] std::uint64_t nonces() const { return used_; }

 private:
  struct Slot {
    std::uint64_t nonce = 0;  // a hash of it; 0: empty
    std::uint64_t tag = 0;    // depends on every byte of the plaintext
  };
  void check_nonce(Instant now, std::uint32_t host, ByteView datagram);
  // The slot of the nonce, or the empty one where it belongs.
  [[nodiscard]] Slot& slot_of(std::uint64_t nonce);
  void grow();

  CheckLog* check_log_;
  std::vector<Slot> slots_;  // open addressing, a power of two
  std::uint64_t used_ = 0;
};

}  // namespace godwit::sim
