#include "udp/faulty_backend.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.h"
#include "udp/fault_network.h"

namespace godwit {
namespace {

Duration monotonic_now() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

FaultyBackend::FaultyBackend(std::unique_ptr<Backend> inner, const FaultPlan& plan, Clock clock)
    : inner_(std::move(inner)),
      network_(std::make_unique<FaultNetwork>(*inner_, plan)),
      clock_(clock ? std::move(clock) : Clock(monotonic_now)) {
  GODWIT_ASSERT(inner_ != nullptr);
}

FaultyBackend::~FaultyBackend() = default;

std::size_t FaultyBackend::send(std::span<const DatagramBatch> batches) {
  if (inner_->send_blocked()) static_cast<void>(inner_->send({}));
  return network_->send(clock_(), batches);
}

bool FaultyBackend::send_blocked() const {
  return inner_->send_blocked();
}

std::size_t FaultyBackend::receive(ReceivedBatches& inbox) {
  network_->release(clock_());
  return inner_->receive(inbox);
}

WaitOutcome FaultyBackend::wait(std::optional<Duration> timeout) {
  const Duration before = clock_();
  network_->release(before);
  if (const auto due = network_->next_release()) {
    const Duration left = std::max(*due - before, Duration::zero());
    timeout = std::min(timeout.value_or(left), left);
  }
  WaitOutcome outcome = inner_->wait(timeout);
  network_->release(clock_());
  outcome.writable = outcome.writable && !inner_->send_blocked();
  return outcome;
}

void FaultyBackend::wake() noexcept {
  inner_->wake();
}
std::optional<PathReport> FaultyBackend::poll_path_report() {
  return inner_->poll_path_report();
}
int FaultyBackend::descriptor() const {
  return inner_->descriptor();
}
const Socket& FaultyBackend::socket() const {
  return inner_->socket();
}
const BackendStatistics& FaultyBackend::statistics() const {
  return inner_->statistics();
}
BackendKind FaultyBackend::kind() const {
  return inner_->kind();
}
const std::string& FaultyBackend::choice() const {
  return inner_->choice();
}
const FaultStatistics& FaultyBackend::faults() const {
  return network_->statistics();
}

}  // namespace godwit
