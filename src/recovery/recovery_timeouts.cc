// Recovery's timers: loss by time, the tail-loss probe (RFC 8985 section 7), the retransmission time-out as the last
// resort (RFC 6298 section 5), and the single time-outs of packets sent too often.
#include <algorithm>

#include "recovery/recovery.h"

namespace godwit {
namespace {

constexpr std::uint32_t kMostDoublings = 12;
constexpr std::uint8_t kPersistentTimeouts = 2;

void take_earlier(std::optional<Instant>& earliest, const std::optional<Instant>& candidate) {
  if (candidate && (!earliest || *candidate < *earliest)) earliest = candidate;
}

bool passed(const std::optional<Instant>& deadline, Instant now) {
  return deadline && *deadline <= now;
}

}  // namespace

std::optional<Instant> Recovery::next_timeout() const {
  std::optional<Instant> earliest = losses_.loss_time();
  take_earlier(earliest, backed_off_deadline_);
  take_earlier(earliest, retransmission_deadline());
  take_earlier(earliest, probe_deadline());
  return earliest;
}

const TimeoutOutcome& Recovery::handle_timeout(Instant now) {
  if (timeout_ == nullptr) timeout_ = std::make_unique<TimeoutOutcome>();
  timeout_->reset(sent_.bytes_in_flight());
  if (passed(losses_.loss_time(), now)) {
    losses_.detect(now, rtt_, sent_, *timeout_);
    book_losses(*timeout_, 0);
  }
  if (passed(backed_off_deadline_, now)) check_backed_off(now);
  if (passed(retransmission_deadline(), now)) {
    on_retransmission_timeout(now);
  } else if (passed(probe_deadline(), now)) {
    on_probe_timeout();
  }
  sent_.release_front();
  return *timeout_;
}

// The time-out leaves room for a probe and its answer even where the estimate is tight or its minimum is set low.
Duration Recovery::backed_off(std::uint32_t doublings) const {
  const Duration base = std::max(rtt_.rto(), rtt_.probe_timeout());
  const Duration limit = std::max(rtt_.config().max_rto, base);
  return std::min(limit, base * (1 << std::min(doublings, kMostDoublings)));
}

// RFC 6298 section 5: runs from the oldest transmission, starts again with each acknowledgement of something
// outstanding.
std::optional<Instant> Recovery::retransmission_deadline() const {
  if (sent_.order().empty()) return std::nullopt;
  const auto oldest = sent_.in_flight(sent_.order().front());
  if (!oldest) return std::nullopt;
  const Instant deadline = std::max(oldest->sent_at, latest_progress_at_) + backed_off(backoff_);
  if (!probe_sent_at_) return deadline;
  return std::max(deadline, *probe_sent_at_ + rtt_.probe_timeout());
}

// One probe a tail: after the latest transmission has gone unanswered and no more acknowledgements trickle in (a slow
// link spreads those of one burst), not while loss detection is at work anyway, and not once the time-out has taken
// over.
std::optional<Instant> Recovery::probe_deadline() const {
  if (sent_.order().empty() || !rtt_.has_sample()) return std::nullopt;
  if (probe_pending_ || probe_sent_at_ || timeouts_in_row_ > 0 || losses_.loss_time()) return std::nullopt;
  return std::max(latest_transmission_at_ + rtt_.probe_timeout(),
                  latest_progress_at_ + rtt_.smoothed() / 4 + rtt_.ack_delay());
}

// A packet waiting to be sent again serves best; else the one sent last, whose acknowledgement lets loss detection
// judge all before it.
void Recovery::on_probe_timeout() {
  if (const std::optional<LostPacket> waiting = poll_retransmit()) {
    probe_id_ = waiting->id;
  } else if (const auto newest = sent_.newest_in_order()) {
    probe_id_ = newest->id;
  } else {
    return;
  }
  probe_pending_ = true;
  timeout_->probe_wanted = true;
}

void Recovery::on_retransmission_timeout(Instant now) {
  const Duration interval = backed_off(0);
  const Duration patience =
      rtt_.has_sample() ? std::min(interval, losses_.time_threshold(rtt_) + rtt_.ack_delay()) : interval;
  const std::size_t first = timeout_->lost.size();
  losses_.detect_on_timeout(now, patience, rtt_, sent_, *timeout_);
  book_losses(*timeout_, first);
  count_timeouts(now, first);

  backoff_ = static_cast<std::uint8_t>(std::min<std::uint32_t>(backoff_ + 1u, kMostDoublings));
  probe_pending_ = false;
  probe_sent_at_.reset();
  timeout_->timed_out = true;
  timeouts_in_row_ = static_cast<std::uint8_t>(std::min(timeouts_in_row_ + 1, 255));
  timeout_->persistent_congestion |= timeouts_in_row_ >= kPersistentTimeouts;
  ++statistics_.timeouts;
}

void Recovery::on_path_proven() {
  backoff_ = 0;
  timeouts_in_row_ = 0;
  path_proven_before_ = sent_.newest_send_number() + 1;
  backed_off_deadline_.reset();
  for (std::size_t i = 0; i < sent_.backed_off().size(); ++i) {
    const SentPacket* packet = sent_.in_flight(sent_.backed_off()[i]);
    if (packet != nullptr) take_earlier(backed_off_deadline_, backed_off_deadline(*packet));
  }
}

Instant Recovery::backed_off_deadline(const SentPacket& packet) const {
  const bool proven_since = sent_before(packet.send_number, path_proven_before_);
  return packet.sent_at + backed_off(proven_since ? 0 : packet.timeouts);
}

// Packets sent too often wait for their own time-outs (wire spec W23).
void Recovery::check_backed_off(Instant now) {
  const std::size_t first = timeout_->lost.size();
  backed_off_deadline_.reset();
  sent_.backed_off().retain([&](const SentPackets::Transmission& transmission) {
    SentPacket* packet = sent_.in_flight(transmission);
    if (packet == nullptr) return false;
    const Instant deadline = backed_off_deadline(*packet);
    if (deadline > now) {
      take_earlier(backed_off_deadline_, deadline);
      return true;
    }
    losses_.declare_lost(now, transmission.id, *packet, sent_, *timeout_);
    return false;
  });
  book_losses(*timeout_, first);
  count_timeouts(now, first);
}

// Of the packets lost from record `first` on, those whose time-outs are used up, or that are too old to be sent again,
// are given up (wire spec 5.4).
void Recovery::count_timeouts(Instant now, std::size_t first) {
  for (std::size_t i = first; i < timeout_->lost.size(); ++i) {
    const std::uint32_t id = timeout_->lost[i].id;
    SentPacket& packet = *sent_.find(id);
    const bool too_old = now - packet.first_transmission_at() > max_packet_age_;
    if (++packet.timeouts <= max_timeouts_ && !too_old) continue;
    timeout_->abandoned.push_back({.id = id, .content = packet.content(), .bytes = packet.bytes});
    sent_.settle(packet);
    ++statistics_.packets_abandoned;
  }
}

}  // namespace godwit
