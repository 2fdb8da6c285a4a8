// What unproven addresses may be sent: anybody can write a stranger's address on an intro, and the stranger gets the
// answers (wire spec W18). Counts per address the bytes of valid intros that seemed to come from it and the bytes of
// all that was sent there in reply - success acks of any number of handshakes, their repeats, error acks - and keeps
// the second within `factor` times the first. A table of fixed size that forgets the address unused for longest: both
// counts go together, so that the bound holds in total. Owned by Admission.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace godwit {

class ReplyBudget {
 public:
  // `entries` is rounded up to a power of two. Memory is claimed at the first event.
  ReplyBudget(std::size_t entries, std::size_t factor);

  // `key` is a keyed hash of the address. UDP payload bytes.
  void on_received(Instant now, std::uint64_t key, std::size_t bytes);
  // Whether a reply of so many bytes may go out; a yes is recorded.
  [[nodiscard]] bool take(Instant now, std::uint64_t key, std::size_t bytes);

  [[nodiscard]] std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

 private:
  static constexpr std::size_t kWays = 4;
  struct Entry {
    std::uint64_t key = 0;
    Instant used{Duration::min()};
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
  };
  [[nodiscard]] Entry* find(std::uint64_t key);
  [[nodiscard]] std::size_t set_of(std::uint64_t key) const;

  std::size_t size_;
  std::size_t factor_;
  std::vector<Entry> entries_;
};

}  // namespace godwit
