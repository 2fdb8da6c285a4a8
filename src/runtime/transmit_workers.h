// Threads that seal whole batches and pass them to the socket, behind the one thread that runs the protocol
// (docs/adr/0017-one-connection-on-several-cores.md). The owner, which is that thread, fills a round: a buffer of
// batches of which the large ones are left unsealed, each with its SealJob. Rounds are claimed one by one by whoever is
// free, the owner included, sealed in any order, and sent in the order of their tickets: whoever has sealed the oldest
// one sends it and what is ready behind it. At most threads + 2 rounds are on their way.
// Made by a Node; everything but what the threads do themselves is called by the owner. A Node with one thread has none
// of this.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/datagram_batch.h"
#include "base/result.h"
#include "crypto/seal_job.h"
#include "runtime/fork_guard.h"
#include "stream/body_readers.h"
#include "transport/transmit_buffer.h"
#include "udp/backend.h"

namespace godwit {

// Written under the lock; statistics() copies.
struct TransmitWorkersStatistics {
  std::uint64_t rounds = 0;             // that were handed over
  std::uint64_t rounds_sent_alone = 0;  // small ones with nothing before them: sealed and sent by the owner, as without
  std::uint64_t jobs = 0;               // batches that were put off
  std::uint64_t sealed_by_workers = 0;  // rounds
  std::uint64_t sealed_by_owner = 0;
  std::uint64_t wakes = 0;       // of sleeping workers
  std::uint64_t late_wakes = 0;  // after which the owner had sealed everything itself before a worker came
  std::uint64_t full = 0;        // a round had to wait for one on its way
  std::uint64_t hurried = 0;     // a body was to be released, and the owner waited for batches that read it
};

class TransmitWorkers final : public BodyReaders {
 public:
  static constexpr std::size_t kMostThreads = 64;

  // A buffer of batches, handed over as one.
  class Round {
   public:
    // The memory for the next batch.
    [[nodiscard]] TransmitBuffer& space();
    // What poll_transmit() made in it.
    void add(const DatagramBatch& batch);
    [[nodiscard]] bool empty() const { return batches_.empty(); }

   private:
    friend class TransmitWorkers;
    static constexpr std::size_t kMostJobs = 4;

    Round() = default;
    void reset(std::uint64_t ticket);
    // A connection that ended as it was asked may have left a job without a batch.
    void forget_unused();
    void seal();

    TransmitBuffer buffer_{128 * 1024};
    std::vector<DatagramBatch> batches_;
    std::array<SealJob, kMostJobs> jobs_;
    std::size_t job_count_ = 0;
    std::size_t sent_ = 0;  // batches
    std::uint64_t ticket_ = 0;
    bool sealed_ = false;
  };

  // `threads`: the owner's included, 2 to kMostThreads. `backend` outlives it. Where the back end cannot be shared
  // (Backend::share_sending), only the owner sends. Errors: kSystem, when the system has no more threads.
  [[nodiscard]] static Result<std::unique_ptr<TransmitWorkers>> start(Backend& backend, std::size_t threads);
  TransmitWorkers(const TransmitWorkers&) = delete;
  TransmitWorkers& operator=(const TransmitWorkers&) = delete;
  // Sends what the socket takes, and ends the threads. Not in a child of fork(), which has none of them.
  ~TransmitWorkers() override;

  // The round to fill; null when all are on their way, or when the socket is full.
  [[nodiscard]] Round* begin();
  // Hands the round of begin() over, which is not empty.
  void submit();
  // Seals one round that nobody has begun with. False when there is none.
  bool help();
  // At the end of a turn: nothing waits to be begun with. Where only the owner sends, everything has been sent. True
  // when workers have rounds on their way, which do not wait for the socket.
  [[nodiscard]] bool end_turn();
  // Goes on where the socket was full. False when it still is.
  [[nodiscard]] bool resume();
  // Everything has been sealed, and sent as far as the socket takes it.
  void settle();
  // True: the owner alone sends, as where the back end cannot be shared, while it changes what send() reads; false:
  // others may again. Settles.
  void keep_sending_to_owner(bool keeps);

  // Rounds that have not been sent whole.
  [[nodiscard]] std::size_t on_their_way() const;

  void finish(std::uint64_t ticket) override;

  [[nodiscard]] bool workers_send() const;
  [[nodiscard]] TransmitWorkersStatistics statistics() const;

 private:
  using Lock = std::unique_lock<std::mutex>;

  TransmitWorkers(Backend& backend, std::size_t threads);
  void work();
  void linger(Lock& lock);
  // Requires a round that is not claimed.
  void seal_next(Lock& lock, std::uint64_t& count);
  // True when the socket is full.
  bool send_ready(Lock& lock);
  // Of the rounds on their way, those before `end`.
  [[nodiscard]] bool sealed_until(std::uint64_t end) const;
  void wait_until_sealed(Lock& lock, std::uint64_t end);
  void wake_a_worker();
  [[nodiscard]] Round& at(std::uint64_t number) const { return *order_[number % order_.size()]; }

  Backend& backend_;
  ForkGuard guard_;
  bool shared_;                  // the back end lets several threads send
  bool lingers_;                 // there are processors for all threads, and for others
  std::unique_ptr<Round> next_;  // of the owner, between begin() and submit()
  std::uint64_t next_ticket_ = 1;

  mutable std::mutex mutex_;
  std::condition_variable work_;    // for workers: there is a round, or the end
  std::condition_variable sealed_;  // for the owner: a round has been sealed or sent
  // Rounds on their way, by number: head_ <= claimed_ <= tail_.
  std::vector<std::unique_ptr<Round>> order_;
  std::vector<std::unique_ptr<Round>> free_;  // the warmest last
  std::uint64_t head_ = 0;                    // the oldest that has not been sent whole
  std::uint64_t claimed_ = 0;                 // the next to be sealed
  std::atomic<std::uint64_t> tail_ = 0;       // the next to be handed over; written under the lock
  bool workers_send_;                         // and not only the owner
  bool sending_ = false;                      // somebody sends
  bool blocked_ = false;                      // the socket was full
  bool owner_waits_ = false;
  bool stopping_ = false;
  std::size_t sleepers_ = 0;
  // A worker that came too late is not called again so soon: on a machine without a free processor it always would.
  bool woken_ = false;
  std::uint64_t sealed_at_wake_ = 0;
  std::uint32_t patience_ = 0;  // wakes to be left out after the next late one
  std::uint32_t left_out_ = 0;  // wakes still to be left out
  TransmitWorkersStatistics statistics_;

  std::vector<std::thread> threads_;
};

}  // namespace godwit
