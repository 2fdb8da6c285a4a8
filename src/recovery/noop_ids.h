// The latest packet ids under which NoOps came. Old peers give a NoOp the id of a message that is still to come (wire
// spec 5.6), and a peer may announce any version (W31): a NoOp's id must never make its message a duplicate. Part of
// AckTracker. Bounded: an id is forgotten when kRemembered later ones have come. Takes memory with the first id only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace godwit {

class NoOpIds {
 public:
  static constexpr std::size_t kRemembered = 128;

  void add(std::uint32_t id) {
    if (slots_ == nullptr) slots_ = std::make_unique<Slots>();
    slots_->ids[slots_->added++ % kRemembered] = id;
  }
  [[nodiscard]] bool contains(std::uint32_t id) const { return std::ranges::find(live(), id) != live().end(); }
  // True when the id was there.
  bool erase(std::uint32_t id) {
    const auto ids = live();
    const auto found = std::ranges::find(ids, id);
    if (found == ids.end()) return false;
    *found = ids.back();
    slots_->added = ids.size() - 1;
    return true;
  }
  void trim() { slots_.reset(); }

 private:
  struct Slots {
    std::array<std::uint32_t, kRemembered> ids{};
    std::size_t added = 0;
  };
  [[nodiscard]] std::span<std::uint32_t> live() const {
    if (slots_ == nullptr) return {};
    return std::span(slots_->ids).first(std::min(slots_->added, kRemembered));
  }

  std::unique_ptr<Slots> slots_;
};

}  // namespace godwit
