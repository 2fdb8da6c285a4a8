// One bound on the memory that the inbound streams of all connections of an endpoint hold, because a stranger may open
// as many connections as it likes. Counts what is allocated, in use or not. Refuses what does not fit; whose memory is
// to be taken away before it comes to that is the endpoint's decision (Endpoint::relieve_memory).
#pragma once

#include <cstdint>

namespace godwit {

class DeliveredMemory;

// Memory that several endpoints have in common, so that one bound holds for all of them and each may use most of it.
// Called by each endpoint on its own thread.
class ReassemblyPool {
 public:
  virtual ~ReassemblyPool() = default;
  // As much of `bytes` as is left.
  [[nodiscard]] virtual std::uint64_t take(std::uint64_t bytes) = 0;
  virtual void give_back(std::uint64_t bytes) = 0;
};

class ReassemblyBudget {
 public:
  // `pool`: lends what goes beyond `limit_bytes`; outlives this object.
  explicit ReassemblyBudget(std::uint64_t limit_bytes, ReassemblyPool* pool = nullptr)
      : limit_(limit_bytes), pool_(pool) {}
  ~ReassemblyBudget() {
    if (borrowed_ > 0) pool_->give_back(borrowed_);
  }
  ReassemblyBudget(const ReassemblyBudget&) = delete;
  ReassemblyBudget& operator=(const ReassemblyBudget&) = delete;

  // False, and counted, when `bytes` more would exceed the limit.
  [[nodiscard]] bool charge(std::uint64_t bytes) {
    if (bytes > room()) [[unlikely]]
      borrow(bytes - room());
    if (bytes > room()) {
      ++refused_;
      return false;
    }
    held_ += bytes;
    return true;
  }
  // Of memory that cannot be refused: tables whose size has another bound.
  void charge_anyway(std::uint64_t bytes) { held_ += bytes; }
  void refund(std::uint64_t bytes) {
    held_ -= bytes;
    if (borrowed_ > 0 && room() > 2 * kLoan) [[unlikely]]
      return_loan();
  }
  void note_refused() { ++refused_; }

  // With what is borrowed.
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  // Above seven eighths, and nothing to be borrowed: time to take memory away from somebody.
  [[nodiscard]] bool nearly_full() {
    if (held_ <= limit_ - limit_ / 8) [[likely]]
      return false;
    borrow(limit_ / 4);
    return held_ > limit_ - limit_ / 8;
  }
  [[nodiscard]] std::uint64_t held() const { return held_; }
  [[nodiscard]] std::uint64_t room() const { return held_ < limit_ ? limit_ - held_ : 0; }
  // Charges that did not fit.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  static constexpr std::uint64_t kLoan = 1 << 20;  // at least; the pool is not asked for every stream

  void borrow(std::uint64_t bytes) {
    if (pool_ == nullptr) return;
    const std::uint64_t lent = pool_->take(bytes > kLoan ? bytes : kLoan);
    borrowed_ += lent;
    limit_ += lent;
  }
  void return_loan() {
    const std::uint64_t spare = room() - kLoan;
    const std::uint64_t returned = spare < borrowed_ ? spare : borrowed_;
    borrowed_ -= returned;
    limit_ -= returned;
    pool_->give_back(returned);
  }

  std::uint64_t limit_;
  std::uint64_t borrowed_ = 0;
  ReassemblyPool* pool_;
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
