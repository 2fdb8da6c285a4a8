// The receiving half of the io_uring back end: one multishot request puts what arrives into a ring of provided buffers,
// and waiting, waking and the wish to write are requests on the same ring, so that a loop's turn enters the kernel
// once. Owned by the back end. Invariant: a buffer is with the kernel, in an unread arrival, or in the caller's batch.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "udp/backend.h"
#include "udp/intake.h"
#include "udp/uring_ring.h"
#include "udp/waker.h"

namespace godwit {

class UringReceiver {
 public:
  struct Options {
    std::size_t buffers = 0;        // rounded up to a power of two, 2 to 32768; a receive() hands out half of them
    std::size_t payload_bytes = 0;  // of each
  };

  UringReceiver(const Options& options, const Socket& socket, const Waker& waker, std::size_t largest_datagram_bytes,
                BackendStatistics& statistics);
  ~UringReceiver();

  // To be called before anything else, and again by itself when another thread takes over. Errors: kUnsupported.
  [[nodiscard]] Status open();
  void receive(ReceivedBatches& inbox);
  // `woken` only says that the waker may have been called.
  [[nodiscard]] WaitOutcome wait(bool for_writing, std::optional<Duration> timeout);
  [[nodiscard]] int descriptor() const { return ring_.descriptor(); }

 private:
  struct Arrival {
    std::uint16_t buffer = 0;
    std::uint32_t bytes = 0;
  };

  void arm();
  void cancel_all();
  void give_back(std::uint16_t buffer);
  // Enters the kernel to submit and reap; sleeps only when `sleep`. False for an error other than an interruption.
  bool enter(bool sleep, std::optional<Duration> timeout);
  void reap();
  void on_arrival(const io_uring_cqe& completion);
  void take(const Arrival& arrival, ReceivedBatches& inbox);
  [[nodiscard]] std::uint8_t* buffer_at(std::uint16_t buffer);

  Options options_;
  int socket_;
  int waker_;
  BackendStatistics& statistics_;
  Intake intake_;
  msghdr layout_{};  // how the kernel arranges a buffer: room for the name and for control data
  std::unique_ptr<std::uint8_t[]> pool_;
  std::uint8_t* first_buffer_ = nullptr;
  UringRing ring_;
  struct BufferRing;
  std::unique_ptr<BufferRing> provided_;

  std::vector<Arrival> arrivals_;  // reaped, not yet handed out, from next_arrival_ on
  std::size_t next_arrival_ = 0;
  std::vector<std::uint16_t> lent_;  // in the caller's batch
  bool receive_armed_ = false;
  bool wake_armed_ = false;
  bool writable_armed_ = false;
  bool woken_ = false;
  bool writable_ = false;
};

}  // namespace godwit
