// The deployed peer's established connection as wire spec 5, 6 and 3.6 describe it, by release: ids from 1 or 0, NoOps
// tracked or not, acknowledgements repeated or not, acknowledgements that do not fit, its timers, its retransmission
// queue, its pacing and its reassembly. Only what a remote can observe. Speaks through a ScriptedPeer that shares a
// session with the endpoint under test. Virtual time: receive, next_timeout, handle_timeout, drain.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tests/scripted_peer.h"

namespace godwit::testing {

struct DeployedTraits {
  bool tracks_noops = false;    // and acknowledges every packet, forgets to repeat acknowledgements (below 0.2.142)
  bool starts_at_zero = false;  // and an acceptor retransmits its ack under id 0 (below 0.2.152)

  static DeployedTraits of(std::uint16_t patch) { return {.tracks_noops = patch < 142, .starts_at_zero = patch < 152}; }
};

class DeployedSession {
 public:
  DeployedSession(ScriptedPeer& peer, const DeployedTraits& traits, Instant now)
      : peer_(peer),
        traits_(traits),
        next_id_(traits.starts_at_zero ? 0 : 1),
        flush_clock_(now),
        next_ping_(now + 5s),
        ack_timer_(now + 100ms),
        bucket_at_(now) {}

  // What it has been told to send: a short message up to 1106 bytes, a stream above.
  void send(Instant now, const Bytes& message) {
    if (message.size() <= wire::kShortMessageLimit) {
      send_short(now, message);
    } else {
      const std::uint32_t stream = next_stream_++;
      for (std::uint32_t n = 1; n <= wire::fragment_count(message.size()); ++n) {
        const std::size_t at = std::size_t{n - 1} * wire::kFragmentPayload;
        const std::size_t size = std::min(wire::kFragmentPayload, message.size() - at);
        fragments_.push_back({stream, message.size(), n,
                              Bytes(message.begin() + static_cast<std::ptrdiff_t>(at),
                                    message.begin() + static_cast<std::ptrdiff_t>(at + size))});
      }
      send_fragments(now);
    }
    if (traits_.tracks_noops) ack_timer_ = now + 100ms;  // an outgoing command restarts it
  }
  // An acceptor below 0.2.152 retransmits its success ack until id 0 is acknowledged or overwritten.
  void track_ack(Instant now, Bytes ack) { track(now, 0, std::move(ack)); }

  void receive(Instant now, const Bytes& datagram) {
    auto heard = peer_.open(now, datagram);
    if (!heard) {
      ++undecryptable;
      return;
    }
    process(now, *heard);
  }

  [[nodiscard]] std::optional<Instant> next_timeout() const {
    Instant next = next_ping_;
    if (!pending_.empty()) next = std::min(next, ack_timer_);
    if (!order_.empty()) next = std::min(next, std::max(deadline(order_.front()), next_resend_check_));
    if (!fragments_.empty()) next = std::min(next, fragments_at_);
    return next;
  }
  void handle_timeout(Instant now) {
    if (now >= next_ping_) {
      send_untracked(wire::Ping{ping_sequence_++});
      next_ping_ = now + 5s;
    }
    if (now >= ack_timer_) {
      flush_acks(now);
      ack_timer_ = now + 100ms;
    }
    resend(now);
    if (!fragments_.empty() && now >= fragments_at_) send_fragments(now);
  }
  [[nodiscard]] std::vector<Bytes> drain() { return std::exchange(out_, {}); }

  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size() + fragments_.size(); }
  [[nodiscard]] bool tracks(std::uint32_t id) const { return outstanding_.contains(id); }

  std::vector<Bytes> received;  // delivered upward
  bool spare_next = false;      // the link must not lose what comes out now: see send_short() and send_untracked()
  std::size_t undecryptable = 0;
  std::size_t noops_sent = 0;
  std::size_t noops_received = 0;
  std::size_t abandoned = 0;
  std::size_t retransmissions = 0;
  std::size_t late_fragments = 0;  // for a completed stream under a new packet id: they would close the connection
  std::size_t acks_received = 0;

 private:
  struct Outstanding {
    Bytes datagram;
    Instant sent_at;
    int timeouts = 0;
  };
  struct PendingFragment {
    std::uint32_t stream;
    std::uint64_t total;
    std::uint32_t number;
    Bytes payload;
  };
  struct Reassembly {
    std::uint64_t total = 0;
    std::map<std::uint32_t, Bytes> pieces;
    std::uint64_t bytes = 0;
  };

  void track(Instant now, std::uint32_t id, Bytes datagram) {
    if (!outstanding_.contains(id)) order_.push_back(id);
    outstanding_[id] = {std::move(datagram), now, 0};
  }
  void send_tracked(Instant now, std::uint32_t id, const wire::Message& message,
                    std::span<const std::uint32_t> acks = {}) {
    Bytes datagram = peer_.seal(id, message, acks);
    track(now, id, datagram);
    out_.push_back(std::move(datagram));
  }
  void send_noop(Instant now, std::uint32_t id, std::span<const std::uint32_t> acks) {
    ++noops_sent;
    if (traits_.tracks_noops) {
      send_tracked(now, id, wire::NoOp{}, acks);
    } else {
      out_.push_back(peer_.seal(id, wire::NoOp{}, acks));
    }
  }
  void send_short(Instant now, const Bytes& message) {
    const auto acks = std::exchange(pending_, {});
    const std::uint32_t id = next_id_++;
    if (wire::kShortMessageOverhead + message.size() + acks.size() * wire::kAckSize <= wire::kMaxPlaintext) {
      return send_tracked(now, id, wire::ShortMessage{message}, acks);
    }
    send_tracked(now, id, wire::ShortMessage{message});
    // Below 0.2.142 the NoOp takes the id and the place of the message in the retransmission store (wire spec W10): if
    // the message's only datagram is lost, so is the message, whatever its receiver does. The link spares it.
    if (traits_.tracks_noops) spare_next = true;
    send_noop(now, traits_.tracks_noops ? id : next_id_++, acks);
  }

  // A lost Ping or Pong with id 0 leaves its receiver no way to end the retransmission of the ack that shares the id:
  // the acknowledgement is forbidden then (wire spec 5.9), because it could confirm a message.
  void send_untracked(const wire::Message& message) {
    if (next_id_ == 0) spare_next = true;
    out_.push_back(peer_.seal(next_id_++, message));
  }

  void flush_acks(Instant now) {
    while (!pending_.empty()) {
      const std::size_t count = std::min<std::size_t>(pending_.size(), wire::kMaxAcksPerNoOp);
      const std::vector<std::uint32_t> acks(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
      pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
      send_noop(now, next_id_++, acks);
    }
  }
  void queue_ack(std::uint32_t id) {
    if (std::ranges::find(pending_, id) == pending_.end()) pending_.push_back(id);
  }

  // wire spec 5.2, in its order.
  void process(Instant now, const Heard& heard) {
    if (const auto* ping = heard.as<wire::Ping>()) send_untracked(wire::Pong{ping->sequence});
    const bool flush_due = now - flush_clock_ > 600ms;
    if (flush_due) flush_clock_ = now;
    for (const std::uint32_t id : heard.packet.acks) confirm(now, id);

    const bool ack = heard.is<wire::AckOk>();
    if (ack) ++acks_received;
    if (heard.is<wire::NoOp>()) ++noops_received;
    const bool recorded = traits_.tracks_noops || heard.is<wire::ShortMessage>() || heard.is<wire::StreamFragment>() ||
                          heard.is<wire::UpgradeDecline>();
    bool duplicate = false;
    if (recorded) {
      while (!memory_.empty() && now - memory_.front().first >= 60s) {
        known_.erase(memory_.front().second);
        memory_.pop_front();
      }
      duplicate = !known_.insert(heard.id()).second;
      if (!duplicate) memory_.emplace_back(now, heard.id());
      if (!duplicate || !traits_.tracks_noops) queue_ack(heard.id());
    } else if (ack) {
      queue_ack(0);
    }
    if (!duplicate || (traits_.tracks_noops && flush_due)) deliver(now, heard, duplicate);
    if (pending_.size() >= 20 || (flush_due && !duplicate)) flush_acks(now);
  }

  void deliver(Instant now, const Heard& heard, bool duplicate) {
    if (const auto* message = heard.as<wire::ShortMessage>()) {
      received.emplace_back(message->payload.begin(), message->payload.end());
      if (traits_.tracks_noops) ack_timer_ = now + 100ms;
    } else if (const auto* fragment = heard.as<wire::StreamFragment>()) {
      reassemble(*fragment, duplicate);
    }
  }
  void reassemble(const wire::StreamFragment& fragment, bool duplicate) {
    if (completed_.contains(fragment.stream_id)) {
      late_fragments += duplicate ? 0U : 1U;
      return;
    }
    Reassembly& stream = streams_[fragment.stream_id];
    if (stream.total == 0) stream.total = fragment.total_length;
    if (!stream.pieces.try_emplace(fragment.number, fragment.payload.begin(), fragment.payload.end()).second) return;
    stream.bytes += fragment.payload.size();
    if (stream.bytes < stream.total) return;
    Bytes whole;
    for (const auto& [number, piece] : stream.pieces) whole.insert(whole.end(), piece.begin(), piece.end());
    received.push_back(std::move(whole));
    completed_.insert(fragment.stream_id);
    streams_.erase(fragment.stream_id);
  }

  // --- Retransmission (wire spec 5.4), without the tail-loss probe ---
  [[nodiscard]] Instant deadline(std::uint32_t id) const {
    return outstanding_.at(id).sent_at + std::min<Duration>(rto_ * backoff_, 60s);
  }
  void confirm(Instant now, std::uint32_t id) {
    const auto found = outstanding_.find(id);
    if (found == outstanding_.end()) return;
    if (found->second.timeouts == 0) {
      const Duration sample = now - found->second.sent_at;
      srtt_ = srtt_ == Duration::zero() ? sample : (srtt_ * 7 + sample) / 8;
      rto_ = std::clamp<Duration>(srtt_ * 2, 500ms, 60s);
    }
    backoff_ = 1;
    outstanding_.erase(found);
    std::erase(order_, id);
  }
  void resend(Instant now) {
    if (now < next_resend_check_) return;
    bool doubled = false;
    for (int burst = 0; burst < 4 && !order_.empty() && deadline(order_.front()) <= now; ++burst) {
      const std::uint32_t id = order_.front();
      order_.pop_front();
      Outstanding& packet = outstanding_.at(id);
      if (++packet.timeouts > 12) {
        outstanding_.erase(id);
        ++abandoned;
        continue;
      }
      packet.sent_at = now;
      order_.push_back(id);
      out_.push_back(packet.datagram);
      ++retransmissions;
      doubled = true;
    }
    if (doubled && now >= round_ends_) {
      backoff_ = std::min(backoff_ * 2, 512);
      round_ends_ = now + std::min<Duration>(rto_ * backoff_, 60s);
    }
    next_resend_check_ = now + 2ms;
  }

  // --- FixedRate (wire spec 8.3) ---
  void send_fragments(Instant now) {
    constexpr double kRate = 1'250'000;
    tokens_ = std::min(125'000.0, tokens_ + to_seconds(now - bucket_at_) * kRate);
    bucket_at_ = now;
    while (!fragments_.empty() && tokens_ > 0) {
      const PendingFragment fragment = std::move(fragments_.front());
      fragments_.pop_front();
      tokens_ -= static_cast<double>(fragment.payload.size());
      send_tracked(now, next_id_++,
                   wire::StreamFragment{.stream_id = fragment.stream,
                                        .total_length = fragment.total,
                                        .number = fragment.number,
                                        .payload = fragment.payload});
    }
    fragments_at_ = now + std::max<Duration>(from_seconds(-tokens_ / kRate), 1ms);
  }

  ScriptedPeer& peer_;
  DeployedTraits traits_;
  std::vector<Bytes> out_;
  std::uint32_t next_id_;
  std::uint32_t next_stream_ = 100'000;
  std::uint64_t ping_sequence_ = 0;
  Instant flush_clock_;
  Instant next_ping_;
  Instant ack_timer_;
  std::vector<std::uint32_t> pending_;
  std::set<std::uint32_t> known_;
  std::deque<std::pair<Instant, std::uint32_t>> memory_;
  std::map<std::uint32_t, Outstanding> outstanding_;
  std::deque<std::uint32_t> order_;
  Duration srtt_{};
  Duration rto_ = 1s;
  int backoff_ = 1;
  Instant round_ends_{};
  Instant next_resend_check_{};
  std::deque<PendingFragment> fragments_;
  double tokens_ = 125'000;
  Instant bucket_at_;
  Instant fragments_at_{};
  std::map<std::uint32_t, Reassembly> streams_;
  std::set<std::uint32_t> completed_;
};

}  // namespace godwit::testing
