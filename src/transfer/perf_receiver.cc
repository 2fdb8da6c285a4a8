#include "transfer/perf_receiver.h"

namespace godwit {
namespace {

// What one session may have open at a time; a digest state each.
constexpr std::size_t kMaxOpen = 1024;

}  // namespace

PerfReceiver::PerfReceiver(const Options& options, trace::CostSink* cost)
    : options_(options), cost_(cost), finished_bytes_(options.streams) {}

std::optional<std::uint64_t> PerfReceiver::on_stream_begin(Instant now, InboundStream& stream) {
  if (stream.header.transfer != options_.session || stream.header.logical >= options_.streams) return std::nullopt;
  if (spare_.empty()) {
    if (slots_.size() >= kMaxOpen) return std::nullopt;
    slots_.push_back(std::make_unique<Slot>());
    spare_.push_back(slots_.back().get());
  }
  Slot* const slot = spare_.back();
  spare_.pop_back();
  slot->digest.reset();
  stream.tag = slot;
  if (!first_at_) first_at_ = now;
  return options_.window;
}

void PerfReceiver::on_stream_end(InboundStream& stream) {
  if (options_.digest) digest_ += static_cast<Slot*>(stream.tag)->digest.value();
  ++streams_finished_;
  finished_bytes_[stream.header.logical] += stream.header.length;
  release(stream);
}

void PerfReceiver::on_stream_aborted(InboundStream& stream) {
  ++streams_aborted_;
  release(stream);
}

void PerfReceiver::release(InboundStream& stream) {
  if (stream.tag != nullptr) spare_.push_back(static_cast<Slot*>(stream.tag));
  stream.tag = nullptr;
}

}  // namespace godwit
