#include "recovery/sent_numbers.h"

#include "recovery/sent_packets.h"

namespace godwit {
namespace {

constexpr std::size_t kFirstSize = 64;

}  // namespace

void SentNumbers::make_room(std::uint64_t number) {
  while (first_ != next_ && number - next_ >= kLimit) forget_first();
  if (first_ == next_) first_ = next_ = number;
  while (next_ != number) push_closed();
  if (next_ - first_ == entries_.size()) grow();
}

void SentNumbers::push_closed() {
  if (next_ - first_ == entries_.size()) grow();
  // Its place in send order lets mark_lost() search.
  entry(next_++) = {.send_number = latest_send_number_};
}

void SentNumbers::grow() {
  if (entries_.size() == kLimit) return forget_first();
  std::vector<Entry> wider(std::max(kFirstSize, 2 * entries_.size()));
  std::vector<std::uint64_t> open(wider.size() / 64);
  std::vector<std::uint64_t> follow(wider.size() / 64);
  for (std::uint64_t number = first_; number != next_; ++number) {
    const std::size_t to = number & (wider.size() - 1);
    wider[to] = entry(number);
    if (is_open(number)) open[to / 64] |= std::uint64_t{1} << (number % 64);
    if (follows(number)) follow[to / 64] |= std::uint64_t{1} << (number % 64);
  }
  entries_ = std::move(wider);
  open_ = std::move(open);
  follows_ = std::move(follow);
}

void SentNumbers::mark_lost(std::uint32_t send_number, std::uint8_t loss_episode) {
  std::uint64_t low = first_;
  std::uint64_t high = next_;
  while (low < high) {  // the first number that is not before the transmission
    const std::uint64_t middle = low + (high - low) / 2;
    if (sent_before(at(middle).send_number, send_number)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low != next_ && at(low).send_number == send_number) own(low).loss_episode = loss_episode;
}

}  // namespace godwit
