#include "sim/delayed_sealing.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit::sim {

TransmitBuffer* DelayedSealing::begin() {
  if (full()) {
    ++statistics_.refusals;
    return nullptr;
  }
  if (next_ == nullptr) {
    if (free_.empty()) {
      next_ = std::make_unique<Outgoing>();
    } else {
      next_ = std::move(free_.back());
      free_.pop_back();
    }
  }
  next_->buffer.reset();
  next_->job.clear();  // a connection that ended as it was asked may have left one
  next_->job.ticket = next_ticket_;
  next_->buffer.offer(&next_->job);
  return &next_->buffer;
}

Instant DelayedSealing::submit(Instant now, const DatagramBatch& batch) {
  GODWIT_ASSERT(next_ != nullptr);
  next_->batch = batch;
  next_->due = now;
  if (next_->job.pending()) {
    ++statistics_.jobs;
    next_->due += Duration{static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(longest_.count()) + 1))};
  }
  ++next_ticket_;
  const Instant due = next_->due;
  on_their_way_.push_back(std::move(next_));
  return due;
}

void DelayedSealing::run(Outgoing& outgoing) {
  if (!outgoing.job.pending()) return;
  if (outgoing.job.ticket < latest_run_) ++statistics_.overtaken;
  latest_run_ = std::max(latest_run_, outgoing.job.ticket);
  outgoing.job.run();
}

void DelayedSealing::run_due(Instant now) {
  std::vector<Outgoing*> due;
  for (const auto& outgoing : on_their_way_) {
    if (outgoing->job.pending() && outgoing->due <= now) due.push_back(outgoing.get());
  }
  std::ranges::sort(due, {}, &Outgoing::due);
  for (Outgoing* const outgoing : due) run(*outgoing);
}

const DatagramBatch* DelayedSealing::front() const {
  return on_their_way_.empty() || on_their_way_.front()->job.pending() ? nullptr : &on_their_way_.front()->batch;
}

void DelayedSealing::pop() {
  free_.push_back(std::move(on_their_way_.front()));
  on_their_way_.pop_front();
}

void DelayedSealing::clear() {
  for (const auto& outgoing : on_their_way_) outgoing->job.clear();
  while (!on_their_way_.empty()) pop();
}

void DelayedSealing::finish(std::uint64_t ticket) {
  // The batch that is being put together may have been put off already.
  if (next_ != nullptr && next_->job.ticket <= ticket) run(*next_);
  std::vector<Outgoing*> left;
  for (const auto& outgoing : on_their_way_) {
    if (outgoing->job.pending() && outgoing->job.ticket <= ticket) left.push_back(outgoing.get());
  }
  while (!left.empty()) {
    const std::size_t chosen = random_.below(left.size());
    ++statistics_.hurried;
    run(*left[chosen]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
}

bool DelayedSealing::reads(ByteView bytes) const {
  const auto any = [&](const std::unique_ptr<Outgoing>& outgoing) {
    return outgoing != nullptr && outgoing->job.reads(bytes);
  };
  return any(next_) || std::ranges::any_of(on_their_way_, any);
}

}  // namespace godwit::sim
