// Events of all connections of an endpoint in order, until the application polls them. Storage is reused: an event
// costs no allocation in the steady state, and what a burst took beyond that is given back. A polled event stays where
// it is while new ones are pushed, so that the application may call the endpoint while it reads one.
// Invariant: what the views of a queued event point into outlives it, though its connection has ended and whatever has
// arrived since. The queue is the one place that ends their lives: poll(), when it finds nothing left.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "stream/delivered_memory.h"
#include "stream/recv_streams.h"
#include "transport/event.h"

namespace godwit {

class EventQueue {
 public:
  EventQueue() = default;
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  template <typename T>
  void push(ConnectionId connection, T&& event) {
    if (pushed_ == blocks_.size() * kPerBlock) add_block();
    blocks_[pushed_ / kPerBlock].emplace_back(connection, std::forward<T>(event));
    ++pushed_;
  }

  // The streams of a session that has ended: events in the queue may be views of their memory.
  void keep(std::unique_ptr<RecvStreams> streams) {
    ended_bytes_ += streams->held_bytes();
    ended_streams_.push_back(std::move(streams));
  }
  // Memory that the next drain gives back.
  [[nodiscard]] std::uint64_t ended_bytes() const { return ended_bytes_; }
  // Where the streams of connections register the memory that their events show.
  [[nodiscard]] DeliveredMemory& delivered() { return delivered_; }

  // Null when there is none; the views of all events polled before are then dead. Valid until the next call.
  [[nodiscard]] EndpointEvent* poll() {
    if (polled_ == pushed_) {
      release();
      return nullptr;
    }
    const std::size_t at = polled_++;
    return &blocks_[at / kPerBlock][at % kPerBlock];
  }
  // Events that wait to be polled.
  [[nodiscard]] std::size_t size() const { return pushed_ - polled_; }
  // Events there is storage for.
  [[nodiscard]] std::size_t capacity() const { return blocks_.size() * kPerBlock; }

 private:
  static constexpr std::size_t kPerBlock = 128;
  static constexpr std::size_t kKeptBlocks = 8;  // through a drain: more than a full batch of datagrams causes

  void add_block() { blocks_.emplace_back().reserve(kPerBlock); }
  void release() {
    delivered_.release();
    ended_streams_.clear();
    ended_bytes_ = 0;
    if (pushed_ == 0) return;
    const std::size_t used = (pushed_ + kPerBlock - 1) / kPerBlock;
    for (std::size_t i = 0; i < used; ++i) blocks_[i].clear();
    if (blocks_.size() > kKeptBlocks) blocks_.resize(kKeptBlocks);
    pushed_ = 0;
    polled_ = 0;
  }

  DeliveredMemory delivered_;
  std::vector<std::vector<EndpointEvent>> blocks_;  // each of kPerBlock events, reserved: events never move
  std::size_t pushed_ = 0;                          // since the last drain
  std::size_t polled_ = 0;
  std::vector<std::unique_ptr<RecvStreams>> ended_streams_;
  std::uint64_t ended_bytes_ = 0;
};

}  // namespace godwit
