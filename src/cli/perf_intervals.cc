#include "cli/perf_intervals.h"

#include <algorithm>
#include <utility>

namespace godwit::cli {
namespace {

std::vector<std::uint64_t> difference(const std::vector<std::uint64_t>& after,
                                      const std::vector<std::uint64_t>& before) {
  std::vector<std::uint64_t> result = after;
  for (std::size_t i = 0; i < std::min(result.size(), before.size()); ++i) result[i] -= std::min(before[i], result[i]);
  return result;
}

}  // namespace

measure::Json to_json(const PerfInterval& interval) {
  measure::Json json = {{"start_seconds", interval.start_seconds},
                        {"end_seconds", interval.end_seconds},
                        {"omitted", interval.omitted},
                        {"sent_bytes", interval.sent_bytes},
                        {"received_bytes", interval.received_bytes},
                        {"retransmitted_packets", interval.retransmitted_packets},
                        {"window_bytes", interval.window_bytes},
                        {"round_trip_seconds", to_seconds(interval.round_trip)}};
  if (!interval.stream_sent_bytes.empty()) json["stream_sent_bytes"] = interval.stream_sent_bytes;
  if (!interval.stream_received_bytes.empty()) json["stream_received_bytes"] = interval.stream_received_bytes;
  return json;
}

void PerfIntervals::begin(Instant now) {
  running_ = true;
  began_ = row_began_ = now;
  omitting_ = omit_ > Duration::zero();
  schedule();
}

// Rows end at multiples of the interval, counted from the end of the omitted time.
void PerfIntervals::schedule() {
  next_.reset();
  const Instant counted = began_ + omit_;
  if (omitting_) next_ = counted;
  if (interval_ <= Duration::zero()) return;
  const Instant origin = omitting_ ? began_ : counted;
  const auto rows = (row_began_ - origin) / interval_ + 1;
  const Instant end = origin + rows * interval_;
  next_ = next_ ? std::min(*next_, end) : end;
}

std::optional<PerfInterval> PerfIntervals::poll_row(Instant now, const PerfRun& run) {
  if (!running_ || ended_ || !next_ || now < *next_) return std::nullopt;
  return close_row(now, run);
}

void PerfIntervals::end(Instant now) {
  if (!running_ || ended_) return;
  ended_ = now;
  next_.reset();
}

std::optional<PerfInterval> PerfIntervals::finish(Instant now, const PerfRun& run) {
  if (!running_) return std::nullopt;
  end(now);
  running_ = false;
  const Counts last = count(run);
  const bool changed = last.sent > before_.sent || last.received > before_.received;
  if (*ended_ <= row_began_ && !changed) return std::nullopt;
  return close_row(*ended_, run);
}

PerfIntervals::Counts PerfIntervals::count(const PerfRun& run) {
  Counts counts;
  if (run.sender() != nullptr) {
    counts.sent = run.delivered_to_server().bytes;
    counts.stream_sent = run.delivered_to_server().logical_bytes;
    // The results say it of the whole; what was confirmed or cut is the same of each stream.
    if (run.peer_result()) counts.stream_sent = run.sender()->logical_bytes();
  }
  if (const PerfReceiver* const receiver = run.receiver()) {
    counts.received = receiver->bytes();
    counts.stream_received = receiver->logical_bytes();
  }
  counts.retransmitted = run.statistics().packets_retransmitted;
  return counts;
}

PerfInterval PerfIntervals::close_row(Instant now, const PerfRun& run) {
  Counts counts = count(run);
  const ConnectionStatistics path = run.statistics();
  PerfInterval row{
      .start_seconds = to_seconds(row_began_ - began_),
      .end_seconds = to_seconds(now - began_),
      .sent_bytes = counts.sent - std::min(before_.sent, counts.sent),
      .received_bytes = counts.received - std::min(before_.received, counts.received),
      .retransmitted_packets = counts.retransmitted - std::min(before_.retransmitted, counts.retransmitted),
      .window_bytes = path.window_bytes,
      .round_trip = path.smoothed_round_trip,
      .omitted = omitting_,
      .stream_sent_bytes = {},
      .stream_received_bytes = {}};
  if (run.options().plan.streams > 1) {
    row.stream_sent_bytes = difference(counts.stream_sent, before_.stream_sent);
    row.stream_received_bytes = difference(counts.stream_received, before_.stream_received);
  }
  if (omitting_ && now >= began_ + omit_) {
    omitting_ = false;
    omitted_sent_ = {.bytes = counts.sent, .seconds = to_seconds(run.delivered_to_server().elapsed)};
    if (run.receiver() != nullptr) {
      omitted_received_ = {.bytes = counts.received, .seconds = to_seconds(run.receiver()->elapsed())};
    }
  }
  before_ = std::move(counts);
  row_began_ = now;
  schedule();
  if (rows_.size() < kMostRows) {
    rows_.push_back(row);
  } else {
    // Far beyond what anybody reads: the last row takes all that follows, so that the sum stays right.
    PerfInterval& rest = rows_.back();
    rest.end_seconds = row.end_seconds;
    rest.sent_bytes += row.sent_bytes;
    rest.received_bytes += row.received_bytes;
    rest.retransmitted_packets += row.retransmitted_packets;
  }
  return row;
}

}  // namespace godwit::cli
