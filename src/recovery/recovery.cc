#include "recovery/recovery.h"

#include <algorithm>

#include "base/assert.h"

namespace godwit {
namespace {

// Ids that untracked packets may take between a look at new_packet_room() and the packets it allowed.
constexpr std::uint32_t kRoomSlack = 64;
// Skipped ids stay known for so many ids behind the oldest unsettled one.
constexpr std::uint32_t kSkipMemory = 2048;
constexpr std::uint32_t kHalfOfIds = 1u << 31;

}  // namespace

Recovery::Recovery(const RecoveryConfig& config, RandomSource& random)
    : random_(&random),
      rtt_(config.rtt),
      sent_(config.first_packet_id, config.span_limit, config.loss.fast_transmissions),
      losses_(config.loss),
      max_packet_age_(config.max_packet_age),
      skip_interval_(config.skip_interval),
      span_limit_(config.span_limit),
      skip_least_(config.skip_least),
      skip_most_(config.skip_most),
      max_timeouts_(config.max_timeouts),
      skips_(config.skip_ids),
      next_id_(config.first_packet_id) {
  GODWIT_ASSERT(config.skip_least >= 2 && config.skip_least <= config.skip_most);
  draw_skip();
}

void Recovery::use_numbers() {
  by_number_ = true;
  sent_.share_numbers();
}

void Recovery::on_left_out(std::uint64_t number) {
  skip_number_ = false;
  if (numbers_ != nullptr) numbers_->leave_out(number);
  ++statistics_.ids_skipped;
}

void Recovery::consider_skip() {
  draw_skip();
  if (latest_transmission_at_ - skipped_at_ < skip_interval_) return;
  skipped_at_ = latest_transmission_at_;
  if (by_number_) {
    skip_number_ = true;
    return;
  }
  while (!skipped_.empty() && oldest_id() - skipped_.front() - 1 >= kSkipMemory &&
         oldest_id() - skipped_.front() < kHalfOfIds) {
    skipped_.pop_front();
  }
  skipped_.push_back(next_id_++);
  ++ids_taken_;
  ++statistics_.ids_skipped;
}

void Recovery::draw_skip() {
  const std::uint32_t choices = skip_most_ - skip_least_ + 1;
  until_skip_ = skip_least_ + static_cast<std::uint32_t>(random_->below(choices));
}

bool Recovery::was_skipped(std::uint32_t id) const {
  std::size_t low = 0;
  std::size_t high = skipped_.size();
  while (low < high) {  // first one not before `id`
    const std::size_t middle = (low + high) / 2;
    if (sent_before(skipped_[middle], id)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < skipped_.size() && skipped_[low] == id;
}

std::uint32_t Recovery::new_packet_room() const {
  const std::uint32_t used = next_id_ - oldest_id() + kRoomSlack;
  if (used >= span_limit_) return 0;
  const std::uint32_t ids = span_limit_ - used;
  return skips_ && !by_number_ ? ids - ids / skip_least_ : ids;
}

void Recovery::on_sent_run(Instant now, std::uint32_t first_id, const PacketContent& content, std::uint32_t bytes,
                           std::uint32_t count, std::uint64_t number) {
  const std::uint64_t in_flight = sent_.bytes_in_flight();
  const bool after_idle = sent_.empty();
  SentPacket& first = sent_.add_run(now, first_id, content, bytes, count);
  rate_.stamp(now, after_idle, in_flight, first);
  if (by_number_) {
    if (numbers_ == nullptr) [[unlikely]]
      numbers_ = std::make_unique<SentNumbers>();
    numbers_->add_run(number, first_id, first.send_number, count);
  }
  latest_transmission_at_ = now;
  statistics_.packets_sent += count;
}

void Recovery::on_retransmitted(Instant now, std::uint32_t id, std::uint32_t bytes) {
  SentPacket* packet = sent_.find(id);
  if (packet == nullptr) return;
  const bool in_flight = packet->state == SentState::kInFlight;
  if (!in_flight && packet->state != SentState::kLost) return;
  if (probe_pending_ && id == probe_id_) {
    probe_pending_ = false;
    probe_sent_at_ = now;
    ++statistics_.probes;
  }
  if (!lost_.empty() && lost_.front() == id) lost_.pop_front();

  const std::uint64_t others = sent_.bytes_in_flight() - (in_flight ? packet->bytes : 0);
  sent_.resend(now, id, *packet, bytes);
  rate_.stamp(now, false, others, *packet);
  if (by_number_) numbers_->add(id, packet->send_number);
  losses_.prune(sent_);
  latest_transmission_at_ = now;
  ++statistics_.packets_retransmitted;
  if (packet->transmissions > losses_.config().fast_transmissions) {
    const Instant deadline = backed_off_deadline(*packet);
    backed_off_deadline_ = std::min(backed_off_deadline_.value_or(deadline), deadline);
  }
}

std::optional<LostPacket> Recovery::poll_retransmit() {
  if (probe_pending_) {
    const SentPacket* packet = sent_.find(probe_id_);
    if (packet != nullptr && (packet->state == SentState::kInFlight || packet->state == SentState::kLost)) {
      return LostPacket{.id = probe_id_, .content = packet->content(), .bytes = packet->bytes, .is_probe = true};
    }
    probe_pending_ = false;
  }
  while (!lost_.empty()) {
    const std::uint32_t id = lost_.front();
    const SentPacket* packet = sent_.find(id);
    if (packet != nullptr && packet->state == SentState::kLost) {
      return LostPacket{.id = id, .content = packet->content(), .bytes = packet->bytes};
    }
    lost_.pop_front();
  }
  return std::nullopt;
}

void Recovery::shorten(std::uint32_t id, std::uint8_t count) {
  SentPacket* packet = sent_.find(id);
  if (packet != nullptr && count < packet->count) packet->count = count & 0x7f;
}

void Recovery::discard(std::uint32_t id) {
  SentPacket* packet = sent_.find(id);
  if (packet == nullptr || packet->state == SentState::kPlaceholder) return;
  forget(*packet);
  losses_.prune(sent_);
  if (!batch_.open) sent_.release_front();
}

void Recovery::forget(SentPacket& packet) {
  if (packet.state != SentState::kInFlight && packet.state != SentState::kLost) return;
  sent_.settle(packet);
  ++statistics_.packets_forgotten;
}

std::uint64_t Recovery::forget_owner(PacketContent::Kind kind, std::uint32_t owner, PacketIdRange sent) {
  // What is not in the ring any more is settled: all of it where that is true of the last packet.
  if (sent_.find(sent.last) == nullptr) return 0;
  const std::uint64_t before = sent_.bytes_in_flight();
  const std::uint32_t first = sent_.find(sent.first) == nullptr ? sent_.oldest_id() : sent.first;
  statistics_.packets_searched += sent.last - first + 1;
  for (std::uint32_t id = first; id != sent.last + 1; ++id) {
    SentPacket& packet = *sent_.find(id);
    if (packet.kind == kind && packet.owner == owner) forget(packet);
  }
  losses_.prune(sent_);
  // The end of a batch of acknowledgements looks at the packets that these are of: until then they stay.
  if (!batch_.open) sent_.release_front();
  return before - sent_.bytes_in_flight();
}

void Recovery::trim() {
  if (!sent_.empty()) return;
  sent_.trim();
  numbers_.reset();
  lost_.clear();
  lost_.trim();
  if (!batch_.open) outcome_.reset();
  timeout_.reset();
}

}  // namespace godwit
