#include "runtime/transmit_workers.h"

#include <algorithm>
#include <csignal>
#include <ranges>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "runtime/clock.h"

namespace godwit {
namespace {

// The owner seals a lone round itself sooner than a worker wakes up.
constexpr std::uint64_t kWorthWaking = 2;
constexpr std::uint32_t kMostPatience = 1023;
// How long a worker looks out for the next round before it sleeps: the rounds of one turn come some 10 us apart.
constexpr Duration kLinger = 20us;

// Signals are the application's: its threads get them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

// --- A round ---

void TransmitWorkers::Round::reset(std::uint64_t ticket) {
  buffer_.reset();
  batches_.clear();
  job_count_ = 0;
  sent_ = 0;
  ticket_ = ticket;
  sealed_ = false;
}

TransmitBuffer& TransmitWorkers::Round::space() {
  forget_unused();
  SealJob* const job = job_count_ < kMostJobs ? &jobs_[job_count_] : nullptr;
  if (job != nullptr) job->ticket = ticket_;
  buffer_.offer(job);
  return buffer_;
}

void TransmitWorkers::Round::add(const DatagramBatch& batch) {
  batches_.push_back(batch);
  if (job_count_ < kMostJobs && jobs_[job_count_].pending()) ++job_count_;
}

void TransmitWorkers::Round::forget_unused() {
  if (job_count_ < kMostJobs) jobs_[job_count_].clear();
}

// With the job of a batch that is being put together, if there is one.
void TransmitWorkers::Round::seal() {
  for (std::size_t i = 0; i < std::min(job_count_ + 1, kMostJobs); ++i) jobs_[i].run();
}

// --- The owner ---

TransmitWorkers::TransmitWorkers(Backend& backend, std::size_t threads)
    : backend_(backend),
      shared_(backend.share_sending()),
      lingers_(std::thread::hardware_concurrency() > threads),
      workers_send_(shared_) {
  const std::size_t rounds = threads + 2;
  order_.resize(rounds);
  for (std::size_t i = 0; i < rounds; ++i) free_.push_back(std::unique_ptr<Round>(new Round));
}

Result<std::unique_ptr<TransmitWorkers>> TransmitWorkers::start(Backend& backend, std::size_t threads) {
  GODWIT_ASSERT(threads >= 2 && threads <= kMostThreads);
  std::unique_ptr<TransmitWorkers> made(new TransmitWorkers(backend, threads));
  const SignalsBlocked blocked;
  try {
    for (std::size_t i = 1; i < threads; ++i) made->threads_.emplace_back([&workers = *made] { workers.work(); });
  } catch (const std::system_error& error) {
    return failure(ErrorCode::kSystem, std::string("cannot start a thread that seals and sends: ") + error.what());
  }
  return made;
}

TransmitWorkers::~TransmitWorkers() {
  settle();
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

TransmitWorkers::Round* TransmitWorkers::begin() {
  if (next_ == nullptr) {
    const Lock lock(mutex_);
    if (blocked_ || free_.empty()) {
      ++statistics_.full;
      return nullptr;
    }
    next_ = std::move(free_.back());
    free_.pop_back();
    next_->reset(next_ticket_++);
  }
  return next_.get();
}

void TransmitWorkers::submit() {
  GODWIT_ASSERT(next_ != nullptr && !next_->empty());
  next_->forget_unused();
  Lock lock(mutex_);
  Round& round = *next_;
  const std::uint64_t number = tail_.load(std::memory_order_relaxed);
  const bool alone = round.job_count_ == 0 && head_ == number;
  order_[number % order_.size()] = std::move(next_);
  tail_.store(number + 1, std::memory_order_release);
  ++statistics_.rounds;
  statistics_.jobs += round.job_count_;
  if (round.job_count_ == 0 && claimed_ == number) {
    // There is nothing to seal, and nobody has to be asked.
    ++claimed_;
    round.sealed_ = true;
  }
  if (alone) {
    ++statistics_.rounds_sent_alone;
    static_cast<void>(send_ready(lock));
    return;
  }
  wake_a_worker();
}

void TransmitWorkers::wake_a_worker() {
  if (sleepers_ == 0 || tail_.load(std::memory_order_relaxed) - claimed_ < kWorthWaking) return;
  if (left_out_ > 0) {
    --left_out_;
    return;
  }
  ++statistics_.wakes;
  if (!woken_) sealed_at_wake_ = statistics_.sealed_by_workers;
  woken_ = true;
  work_.notify_one();
}

bool TransmitWorkers::help() {
  Lock lock(mutex_);
  if (claimed_ == tail_.load(std::memory_order_relaxed)) return false;
  seal_next(lock, statistics_.sealed_by_owner);
  static_cast<void>(send_ready(lock));
  return true;
}

bool TransmitWorkers::end_turn() {
  while (help()) {
  }
  {
    Lock lock(mutex_);
    // What finish() has sealed here nobody has sent.
    static_cast<void>(send_ready(lock));
    if (std::exchange(woken_, false)) {
      const bool late = statistics_.sealed_by_workers == sealed_at_wake_ && claimed_ == head_;
      statistics_.late_wakes += late ? 1 : 0;
      patience_ = late ? std::min(2 * patience_ + 1, kMostPatience) : 0;
      left_out_ = patience_;
    }
    if (workers_send_) return !blocked_ && head_ < tail_.load(std::memory_order_relaxed);
  }
  settle();
  return false;
}

void TransmitWorkers::keep_sending_to_owner(bool keeps) {
  if (!shared_) return;
  {
    const Lock lock(mutex_);
    workers_send_ = !keeps;
  }
  settle();
}

std::size_t TransmitWorkers::on_their_way() const {
  const Lock lock(mutex_);
  return static_cast<std::size_t>(tail_.load(std::memory_order_relaxed) - head_);
}

bool TransmitWorkers::workers_send() const {
  const Lock lock(mutex_);
  return workers_send_;
}

bool TransmitWorkers::resume() {
  Lock lock(mutex_);
  if (!blocked_) return true;
  blocked_ = false;
  return !send_ready(lock);
}

void TransmitWorkers::settle() {
  while (help()) {
  }
  Lock lock(mutex_);
  wait_until_sealed(lock, tail_.load(std::memory_order_relaxed));
  while (sending_) {
    owner_waits_ = true;
    sealed_.wait(lock);
  }
  owner_waits_ = false;
  static_cast<void>(send_ready(lock));
}

void TransmitWorkers::finish(std::uint64_t ticket) {
  // In a child nobody reads anything, and the lock may have been taken at the fork.
  if (guard_.in_child()) return;
  // What the owner has not handed over yet nobody else can have begun with.
  if (next_ != nullptr && next_->ticket_ <= ticket) next_->seal();
  Lock lock(mutex_);
  std::uint64_t end = head_;
  while (end < tail_.load(std::memory_order_relaxed) && at(end).ticket_ <= ticket) ++end;
  if (sealed_until(end)) return;
  ++statistics_.hurried;
  while (claimed_ < end) seal_next(lock, statistics_.sealed_by_owner);
  wait_until_sealed(lock, end);
}

TransmitWorkersStatistics TransmitWorkers::statistics() const {
  const Lock lock(mutex_);
  return statistics_;
}

bool TransmitWorkers::sealed_until(std::uint64_t end) const {
  return std::ranges::all_of(std::views::iota(head_, std::max(head_, end)), [this](auto i) { return at(i).sealed_; });
}

void TransmitWorkers::wait_until_sealed(Lock& lock, std::uint64_t end) {
  while (!sealed_until(end)) {
    owner_waits_ = true;
    sealed_.wait(lock);
  }
  owner_waits_ = false;
}

// --- Whoever is free ---

void TransmitWorkers::work() {
  Lock lock(mutex_);
  while (true) {
    if (claimed_ < tail_.load(std::memory_order_relaxed)) {
      seal_next(lock, statistics_.sealed_by_workers);
      // The owner waits for the socket, once it knows that it is full.
      if (workers_send_ && send_ready(lock)) backend_.wake();
      if (claimed_ == tail_.load(std::memory_order_relaxed)) linger(lock);
      continue;
    }
    if (stopping_) return;
    ++sleepers_;
    work_.wait(lock);
    --sleepers_;
  }
}

// Only where there are processors for all: others would wait for this one.
void TransmitWorkers::linger(Lock& lock) {
  if (!lingers_) return;
  const std::uint64_t seen = tail_.load(std::memory_order_relaxed);
  lock.unlock();
  const Instant until = boot_time_now() + kLinger;
  while (tail_.load(std::memory_order_acquire) == seen && boot_time_now() < until) std::this_thread::yield();
  lock.lock();
}

void TransmitWorkers::seal_next(Lock& lock, std::uint64_t& count) {
  Round& round = at(claimed_++);
  lock.unlock();
  round.seal();
  lock.lock();
  round.sealed_ = true;
  ++count;
  if (owner_waits_) sealed_.notify_one();
}

bool TransmitWorkers::send_ready(Lock& lock) {
  if (sending_) return false;  // whoever does comes by
  sending_ = true;
  while (!blocked_ && head_ < claimed_ && at(head_).sealed_) {
    Round& round = at(head_);
    lock.unlock();
    const std::size_t taken = backend_.send(std::span<const DatagramBatch>(round.batches_).subspan(round.sent_));
    const bool full = backend_.send_blocked();
    lock.lock();
    round.sent_ += taken;
    blocked_ = full || round.sent_ < round.batches_.size();
    if (round.sent_ == round.batches_.size()) {
      free_.push_back(std::move(order_[head_ % order_.size()]));
      ++head_;
    }
  }
  sending_ = false;
  if (owner_waits_) sealed_.notify_one();
  return blocked_;
}

}  // namespace godwit
