#include "transport/reply_budget.h"

#include <algorithm>
#include <bit>

namespace godwit {

ReplyBudget::ReplyBudget(std::size_t entries, std::size_t factor)
    : size_(std::max(kWays, std::bit_ceil(entries))), factor_(factor) {}

std::size_t ReplyBudget::set_of(std::uint64_t key) const {
  return (static_cast<std::size_t>(key >> 32) & (size_ / kWays - 1)) * kWays;
}

ReplyBudget::Entry* ReplyBudget::find(std::uint64_t key) {
  if (entries_.empty()) return nullptr;
  const std::size_t set = set_of(key);
  for (std::size_t i = set; i < set + kWays; ++i) {
    if (entries_[i].key == key) return &entries_[i];
  }
  return nullptr;
}

void ReplyBudget::on_received(Instant now, std::uint64_t key, std::size_t bytes) {
  if (entries_.empty()) entries_.resize(size_);
  Entry* entry = find(key);
  if (entry == nullptr) {
    entry = &entries_[set_of(key)];
    for (Entry* other = entry + 1; other != &entries_[set_of(key)] + kWays; ++other) {
      if (other->used < entry->used) entry = other;
    }
    *entry = {.key = key};
  }
  entry->used = now;
  entry->received += bytes;
}

bool ReplyBudget::take(Instant now, std::uint64_t key, std::size_t bytes) {
  Entry* entry = find(key);
  if (entry == nullptr || entry->sent + bytes > factor_ * entry->received) return false;
  entry->used = now;
  entry->sent += bytes;
  return true;
}

}  // namespace godwit
