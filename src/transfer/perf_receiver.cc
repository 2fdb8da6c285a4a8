#include "transfer/perf_receiver.h"

#include <utility>

namespace godwit {
namespace {

// What one session may have open at a time; a digest state each.
constexpr std::size_t kMaxOpen = 1024;
// Streams of one logical stream end nearly in order. Beyond this a peer makes them up, and its run ends in a
// disagreement.
constexpr std::size_t kMaxBeyond = 1024;

}  // namespace

PerfReceiver::PerfReceiver(const Options& options, trace::CostSink* cost)
    : options_(options), cost_(cost), logical_bytes_(options.streams), finished_(options.streams) {}

bool PerfReceiver::on_stream_begin(Instant now, InboundStream& stream) {
  if (frozen_ || stream.header.transfer != options_.session || stream.header.logical >= options_.streams) {
    return false;
  }
  if (spare_.empty()) {
    if (slots_.size() >= kMaxOpen) return false;
    slots_.push_back(std::make_unique<Slot>());
    spare_.push_back(slots_.back().get());
  }
  Slot* const slot = spare_.back();
  spare_.pop_back();
  slot->digest.reset();
  slot->logical = static_cast<std::uint16_t>(stream.header.logical);
  slot->sequence = stream.header.offset;
  slot->bytes = 0;
  slot->used = true;
  stream.tag = slot;
  if (!first_at_) first_at_ = now;
  return true;
}

void PerfReceiver::on_stream_end(InboundStream& stream) {
  if (options_.digest) digest_ += static_cast<Slot*>(stream.tag)->digest.value();
  ++streams_finished_;
  note_finished(finished_[stream.header.logical], stream.header.offset);
  release(stream);
}

// In an extended session the sender's giving up arrives before its question what has come: the answer is kept for it.
void PerfReceiver::on_stream_aborted(InboundStream& stream) {
  const auto* const slot = static_cast<Slot*>(stream.tag);
  if (slot != nullptr && !frozen_ && unfinished_.size() < kMaxOpen) count_unfinished(*slot);
  release(stream);
}

void PerfReceiver::count_unfinished(const Slot& slot) {
  if (slot.bytes == 0) return;
  if (options_.digest) digest_ += slot.digest.value();
  unfinished_.push_back({.logical = slot.logical, .sequence = slot.sequence, .bytes = slot.bytes});
}

void PerfReceiver::release(InboundStream& stream) {
  auto* const slot = static_cast<Slot*>(stream.tag);
  stream.tag = nullptr;
  if (slot == nullptr) return;
  slot->used = false;
  spare_.push_back(slot);
}

void PerfReceiver::note_finished(Finished& finished, std::uint64_t sequence) {
  if (sequence != finished.first) {
    if (sequence > finished.first && finished.beyond.size() < kMaxBeyond) finished.beyond.insert(sequence);
    return;
  }
  ++finished.first;
  while (finished.beyond.erase(finished.first) > 0) ++finished.first;
}

std::vector<PerfCutEntry> PerfReceiver::freeze() {
  std::vector<PerfCutEntry> entries;
  if (std::exchange(frozen_, true)) return entries;
  for (std::uint16_t logical = 0; logical < options_.streams; ++logical) {
    const Finished& finished = finished_[logical];
    // The first entry of a logical stream names the first that has not ended, with whatever there is of it.
    entries.push_back({.logical = logical, .sequence = finished.first, .bytes = 0});
    for (const std::uint64_t sequence : finished.beyond) {
      entries.push_back({.logical = logical, .sequence = sequence, .bytes = PerfCutEntry::kWhole});
    }
  }
  for (const auto& slot : slots_) {
    if (slot->used) count_unfinished(*slot);
  }
  entries.insert(entries.end(), unfinished_.begin(), unfinished_.end());
  return entries;
}

}  // namespace godwit
