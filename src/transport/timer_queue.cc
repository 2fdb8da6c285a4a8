#include "transport/timer_queue.h"

namespace godwit {

void TimerQueue::arm(std::uint32_t slot, Instant deadline) {
  if (slot >= position_.size()) position_.resize(slot + 1, kAbsent);
  const std::uint32_t index = position_[slot];
  if (index == kAbsent) {
    heap_.push_back({deadline, slot});
    position_[slot] = static_cast<std::uint32_t>(heap_.size() - 1);
    sift_up(heap_.size() - 1);
  } else if (deadline < heap_[index].deadline) {
    heap_[index].deadline = deadline;
    sift_up(index);
  }
}

void TimerQueue::cancel(std::uint32_t slot) {
  if (slot < position_.size() && position_[slot] != kAbsent) remove(position_[slot]);
}

std::optional<Instant> TimerQueue::next() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().deadline;
}

std::optional<std::uint32_t> TimerQueue::pop_due(Instant now) {
  if (heap_.empty() || heap_.front().deadline > now) return std::nullopt;
  const std::uint32_t slot = heap_.front().slot;
  remove(0);
  return slot;
}

void TimerQueue::place(std::size_t index, Entry entry) {
  heap_[index] = entry;
  position_[entry.slot] = static_cast<std::uint32_t>(index);
}

void TimerQueue::sift_up(std::size_t index) {
  const Entry entry = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent].deadline <= entry.deadline) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, entry);
}

void TimerQueue::sift_down(std::size_t index) {
  const Entry entry = heap_[index];
  while (true) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].deadline < heap_[child].deadline) ++child;
    if (entry.deadline <= heap_[child].deadline) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

void TimerQueue::remove(std::size_t index) {
  position_[heap_[index].slot] = kAbsent;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  place(index, last);
  sift_up(index);
  sift_down(position_[last.slot]);
}

}  // namespace godwit
