#include "stream/send_stream.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

std::optional<std::size_t> size_of(const std::optional<std::vector<std::uint8_t>>& metadata) {
  if (!metadata) return std::nullopt;
  return metadata->size();
}

}  // namespace

SendStream::SendStream(std::uint32_t id, Body body, std::optional<std::vector<std::uint8_t>> metadata,
                       std::uint64_t send_limit)
    : id_(id),
      layout_(body.size(), size_of(metadata)),
      header_(id, body.size()),
      body_(std::move(body)),
      metadata_(std::move(metadata)),
      send_limit_(send_limit) {
  sendable_end_ = last_below(send_limit);
}

void SendStream::raise_send_limit(std::uint64_t bytes) {
  send_limit_ = std::max(send_limit_, bytes);
  find_sendable();
}

void SendStream::raise_credit(std::uint64_t bytes) {
  credit_ = std::max(credit_, bytes);
  find_sendable();
}

void SendStream::limit_credit(std::uint64_t bytes) {
  GODWIT_ASSERT(!started());
  credit_ = bytes;
  find_sendable();
}

// What is appended later may share the last fragment as long as that has not been sent: no further than the next one.
void SendStream::find_sendable() {
  const std::uint64_t limit = std::min(send_limit_, credit_);
  if (!open_) {
    sendable_end_ = last_below(limit);
    return;
  }
  const std::size_t size = open_->next_size();
  const bool fits = size > 0 && size <= limit - std::min(limit, open_->sent_bytes());
  sendable_end_ = fits ? next_ : next_ - 1;
}

void SendStream::set_group(std::uint32_t bytes) {
  if (open_) return open_->set_group(bytes);
  layout_.set_group(next_, bytes);
  find_sendable();
}

std::uint32_t SendStream::run(std::uint32_t number, std::uint32_t last, std::size_t most_bytes) const {
  const std::uint32_t end = std::min(last, open_ ? open_->group_end(number) : layout_.group_end(number));
  const std::uint32_t count = end - number + 1;
  if (count == 1) return 1;
  const std::size_t bytes = open_ ? open_->payload(number, count).size() : bytes_of(number, count);
  return bytes <= most_bytes ? count : static_cast<std::uint32_t>(most_bytes / wire::kFragmentPayload);
}

std::uint32_t SendStream::next_run(std::size_t most_bytes) const {
  if (!open_) return run(next_, sendable_end_, most_bytes);
  const std::uint64_t allowed = std::min(send_limit_, credit_) - open_->sent_bytes();
  // The next fragment is known to fit, even if it is shorter than others.
  const std::uint64_t most =
      std::max<std::uint64_t>(std::min<std::uint64_t>(allowed, most_bytes), wire::kFragmentPayload);
  return run(next_, open_->end() - 1, static_cast<std::size_t>(most));
}

void SendStream::on_acknowledged(std::uint32_t first, std::uint32_t count) {
  // Recovery reports each packet once, so these hold whatever the peer sends.
  GODWIT_ASSERT(first >= 1 && first < next_ && count <= next_ - first);
  GODWIT_ASSERT(count <= next_ - 1 - acknowledged_);
  acknowledged_ += count;
  if (open_) open_->on_acknowledged(first, count);
}

std::uint32_t SendStream::last_below(std::uint64_t limit) const {
  if (limit >= layout_.total()) return layout_.total() == 0 ? 0 : layout_.count();
  return layout_.last_within(limit);
}

}  // namespace godwit
