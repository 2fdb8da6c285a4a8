// The handshakes that wait for confirmation, oldest first, with a cap: a new one beyond it evicts the oldest (W18).
// Logarithmic time; owners are the endpoint's names for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>

namespace godwit {

class HalfOpenList {
 public:
  // `capacity` > 0.
  explicit HalfOpenList(std::size_t capacity) : capacity_(capacity) {}

  // The owner that had to go, if any. An owner that is there already is moved to the end.
  std::optional<std::uint64_t> add(std::uint64_t owner);
  // Whether it was there.
  bool remove(std::uint64_t owner);
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  std::size_t capacity_;
  std::list<std::uint64_t> order_;
  std::map<std::uint64_t, std::list<std::uint64_t>::iterator> places_;
};

}  // namespace godwit
