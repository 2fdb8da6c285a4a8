// When acknowledgements are due and how often each is repeated. Shared by all connections of an endpoint; read by
// AckTracker, AckPath and AckQueue.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace godwit {

struct AckQueueConfig {
  std::size_t pending_limit =
      4096;  // an acknowledgement beyond is dropped and counted: the peer's retransmission asks again
  std::size_t recent_limit = 288;  // acknowledgements remembered for repetition
  std::uint8_t repetitions = 1;  // in how many later packets an acknowledgement is repeated while none seem to be lost
  Duration repetition_window = 1s;  // not repeated once this old
};

inline constexpr AckQueueConfig kDefaultAckQueueConfig;

// Acknowledgements are due at `threshold` waiting ones, at the end of a batch that opened or filled a gap, held a
// duplicate or a hinted tail, at the end of each of the first batches, or once the oldest has waited clamp(least round
// trip / 8, min_delay, max_delay), longer where a queue is in the way (AckPath).
struct AckPolicy {
  std::uint32_t threshold = 144;  // half of what one NoOp carries: the other half repeats
  Duration min_delay = 250us;
  Duration max_delay = 20ms;
  Duration initial_delay = 1ms;       // until packets of our own were acknowledged
  std::uint32_t prompt_packets = 64;  // of a young connection: the sender's window is still small
  // Most acknowledgements of one packet of their own. 1, with a threshold of 1: a packet of acknowledgements for each
  // packet, as simple transports do.
  std::uint32_t acks_per_packet = 288;

  // What follows adapts to the way back (AckPath).
  std::uint8_t max_repetitions = 5;  // once duplicates say that acknowledgements are lost
  Duration repetition_memory = 5s;   // without such duplicates until there is one repetition less
  Duration max_queue_delay =
      80ms;  // most that acknowledgements wait besides because the round trip has grown; 0: never
  Duration probe_interval = 100ms;      // least time between two pings that measure the round trip; and one round trip
  std::uint32_t packets_per_probe = 4;  // acknowledgement packets sent before another ping is worth its bytes
  AckQueueConfig queue;
};

inline constexpr AckPolicy kDefaultAckPolicy;

}  // namespace godwit
