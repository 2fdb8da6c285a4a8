// One bound on the memory that the inbound streams of all connections of an endpoint hold, because a stranger may open
// as many connections as it likes. Counts what is allocated, in use or not. Refuses what does not fit; whose memory is
// to be taken away before it comes to that is the endpoint's decision (Endpoint::relieve_memory).
#pragma once

#include <cstdint>

namespace godwit {

class DeliveredMemory;

class ReassemblyBudget {
 public:
  explicit ReassemblyBudget(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

  // False, and counted, when `bytes` more would exceed the limit.
  [[nodiscard]] bool charge(std::uint64_t bytes) {
    if (bytes > room()) {
      ++refused_;
      return false;
    }
    held_ += bytes;
    return true;
  }
  // Of memory that cannot be refused: tables whose size has another bound.
  void charge_anyway(std::uint64_t bytes) { held_ += bytes; }
  void refund(std::uint64_t bytes) { held_ -= bytes; }
  void note_refused() { ++refused_; }

  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  // Above seven eighths: time to take memory away from somebody.
  [[nodiscard]] bool nearly_full() const { return held_ > limit_ - limit_ / 8; }
  [[nodiscard]] std::uint64_t held() const { return held_; }
  [[nodiscard]] std::uint64_t room() const { return held_ < limit_ ? limit_ - held_ : 0; }
  // Charges that did not fit.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  std::uint64_t limit_;
  std::uint64_t held_ = 0;
  std::uint64_t refused_ = 0;
};

// What the reassembly of all connections of an endpoint shares. All of it outlives the connections.
struct ReassemblyShared {
  ReassemblyBudget* budget = nullptr;    // absent: the limits of each connection are the only ones
  DeliveredMemory* delivered = nullptr;  // absent: the owner calls release_delivered()
  std::uint64_t hash_key = 0;            // unknown to peers, who choose the numbers that are looked up
};

}  // namespace godwit
