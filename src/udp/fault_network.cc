#include "udp/fault_network.h"

#include <algorithm>
#include <utility>

namespace godwit {
namespace {

constexpr std::size_t kMaxSpareBuffers = 1024;
constexpr std::size_t kBatchesPerCall = 64;

// The heap keeps the latest first, so "later" is its "less".
constexpr auto kIsLater = [](const auto& a, const auto& b) {
  return a.due != b.due ? a.due > b.due : a.order > b.order;
};

DatagramBatch with_bytes(const DatagramBatch& batch, MutableBytes bytes) {
  DatagramBatch result = batch;
  result.bytes = bytes;
  result.segment_size = bytes.empty() ? 0 : batch.segment_size;
  return result;
}

}  // namespace

FaultNetwork::FaultNetwork(Backend& inner, const FaultPlan& plan) : inner_(inner), plan_(plan), random_(plan.seed) {}

std::size_t FaultNetwork::send(Duration now, std::span<const DatagramBatch> batches) {
  if (!release(now)) return 0;
  for (const DatagramBatch& batch : batches) send_batch(now, batch);
  send_outgoing(now);
  return batches.size();
}

void FaultNetwork::send_batch(Duration now, const DatagramBatch& batch) {
  const std::size_t count = batch.datagram_count();
  std::size_t begin = 0;  // of the stretch without faults
  for (std::size_t i = 0; i < count; ++i) {
    // One draw for each kind of fault that is on, whatever the others say: a plan with one more kind strikes the same.
    const bool drop = hits(plan_.drop);
    const bool corrupt = hits(plan_.corrupt) && !batch.bytes.empty();
    const bool duplicate = hits(plan_.duplicate);
    const bool reorder = hits(plan_.reorder);
    if (!drop && !corrupt && !duplicate && !reorder) continue;
    pass_stretch(now, batch, begin, i);
    begin = i + 1;
    if (drop) {
      ++statistics_.dropped;
      continue;
    }
    const DatagramBatch datagram = with_bytes(batch, batch.bytes.empty() ? batch.bytes : batch.segment(i));
    strike(now, datagram, corrupt, duplicate, reorder);
  }
  pass_stretch(now, batch, begin, count);
}

void FaultNetwork::strike(Duration now, const DatagramBatch& datagram, bool corrupt, bool duplicate, bool reorder) {
  std::vector<std::uint8_t> bytes = copy(datagram.bytes);
  if (corrupt) {
    ++statistics_.corrupted;
    const std::uint64_t bit = random_.below(bytes.size() * 8);
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
  }
  if (duplicate) {
    ++statistics_.duplicated;
    pass_owned(now, datagram, copy(bytes));
  }
  if (!reorder) {
    pass_owned(now, datagram, std::move(bytes));
    return;
  }
  if (!has_room(bytes.size(), 1)) return recycle(std::move(bytes));
  ++statistics_.reordered;
  held_bytes_ += bytes.size();
  const std::uint64_t distance = 1 + random_.below(std::max<std::uint32_t>(plan_.reorder_distance, 1));
  const DatagramBatch held = with_bytes(datagram, bytes);  // the vector's storage stays where it is when it moves
  overtaken_.push_back(
      {.leave_after = passed_ + distance, .due = now + plan_.reorder_hold, .batch = held, .bytes = std::move(bytes)});
}

void FaultNetwork::pass_stretch(Duration now, const DatagramBatch& batch, std::size_t first, std::size_t end) {
  while (first < end) {
    std::size_t stop = end;
    for (const Overtaken& held : overtaken_) {
      const std::uint64_t left = held.leave_after - passed_;  // at least one: the others have left
      stop = std::min(stop, first + static_cast<std::size_t>(std::min<std::uint64_t>(left, end - first)));
    }
    const std::size_t offset = first * batch.segment_size;
    const std::size_t bytes = std::min(stop * batch.segment_size, batch.bytes.size()) - offset;
    pass(now, with_bytes(batch, batch.bytes.subspan(offset, bytes)));
    first = stop;
  }
}

void FaultNetwork::pass(Duration now, const DatagramBatch& batch) {
  passed_ += batch.datagram_count();
  if (plan_.delay > Duration::zero() || plan_.jitter > Duration::zero()) {
    if (has_room(batch.bytes.size(), batch.datagram_count())) {
      const auto extra = static_cast<Duration::rep>(random_.unit() * static_cast<double>(plan_.jitter.count()));
      statistics_.delayed += batch.datagram_count();
      hold_late(now + plan_.delay + Duration{extra}, batch);
    }
  } else {
    outgoing_.push_back(batch);
  }
  if (!overtaken_.empty()) release_overtaken(now, true);
}

void FaultNetwork::pass_owned(Duration now, const DatagramBatch& batch, std::vector<std::uint8_t> bytes) {
  const DatagramBatch owned = with_bytes(batch, bytes);
  outgoing_bytes_.push_back(std::move(bytes));
  pass(now, owned);
}

void FaultNetwork::release_overtaken(Duration now, bool by_count) {
  for (std::size_t i = 0; i < overtaken_.size();) {
    const bool leaves = by_count ? overtaken_[i].leave_after <= passed_ : overtaken_[i].due <= now;
    if (!leaves) {
      ++i;
      continue;
    }
    Overtaken held = std::move(overtaken_[i]);
    overtaken_.erase(overtaken_.begin() + static_cast<std::ptrdiff_t>(i));
    held_bytes_ -= held.bytes.size();
    // Passing it counts as well and may release others, so the search starts anew.
    pass_owned(now, held.batch, std::move(held.bytes));
    i = 0;
  }
}

bool FaultNetwork::release(Duration now) {
  while (!late_.empty() && late_.front().due <= now) {
    if (inner_.send_blocked()) return false;
    send_late(now);
  }
  if (inner_.send_blocked()) return false;
  if (!overtaken_.empty()) release_overtaken(now, false);
  send_outgoing(now);
  return !inner_.send_blocked();
}

void FaultNetwork::send_late(Duration now) {
  while (!late_.empty() && late_.front().due <= now && leaving_.size() < kBatchesPerCall) {
    std::pop_heap(late_.begin(), late_.end(), kIsLater);
    leaving_.push_back(std::move(late_.back()));
    late_.pop_back();
    outgoing_.push_back(leaving_.back().batch);
  }
  const std::size_t taken = inner_.send(outgoing_);
  outgoing_.clear();
  for (std::size_t i = 0; i < leaving_.size(); ++i) {
    if (i < taken) {
      held_bytes_ -= leaving_[i].bytes.size();
      recycle(std::move(leaving_[i].bytes));
    } else {
      late_.push_back(std::move(leaving_[i]));
      std::push_heap(late_.begin(), late_.end(), kIsLater);
    }
  }
  leaving_.clear();
}

// What the inner back end does not take waits as if it were late, with a copy of its bytes.
void FaultNetwork::send_outgoing(Duration now) {
  if (!outgoing_.empty()) {
    const std::size_t taken = inner_.send(outgoing_);
    for (const DatagramBatch& batch : std::span(outgoing_).subspan(taken)) {
      if (has_room(batch.bytes.size(), batch.datagram_count())) hold_late(now, batch);
    }
    outgoing_.clear();
  }
  for (auto& bytes : outgoing_bytes_) recycle(std::move(bytes));
  outgoing_bytes_.clear();
}

void FaultNetwork::hold_late(Duration due, const DatagramBatch& batch) {
  std::vector<std::uint8_t> bytes = copy(batch.bytes);
  held_bytes_ += bytes.size();
  const DatagramBatch held = with_bytes(batch, bytes);
  late_.push_back({.due = due, .order = next_order_++, .batch = held, .bytes = std::move(bytes)});
  std::push_heap(late_.begin(), late_.end(), kIsLater);
}

std::optional<Duration> FaultNetwork::next_release() const {
  if (inner_.send_blocked()) return std::nullopt;
  std::optional<Duration> earliest;
  if (!late_.empty()) earliest = late_.front().due;
  for (const Overtaken& held : overtaken_) earliest = std::min(earliest.value_or(held.due), held.due);
  return earliest;
}

bool FaultNetwork::has_room(std::size_t bytes, std::size_t datagrams) {
  if (held_bytes_ + bytes <= plan_.queue_bytes) return true;
  statistics_.queue_overflow += datagrams;
  return false;
}

std::vector<std::uint8_t> FaultNetwork::copy(ByteView bytes) {
  std::vector<std::uint8_t> out;
  if (!spare_.empty()) {
    out = std::move(spare_.back());
    spare_.pop_back();
  }
  out.assign(bytes.begin(), bytes.end());
  return out;
}

void FaultNetwork::recycle(std::vector<std::uint8_t> bytes) {
  if (spare_.size() < kMaxSpareBuffers) spare_.push_back(std::move(bytes));
}

}  // namespace godwit
