// What a receiver grants the streams of one connection, and what it owes its peer about them: credit, and word that it
// wants no more of a stream (docs/extended_sessions.md, section 9). RecvStreams tells it what comes and what the
// application gets; Connection sends what poll() names. The peer has sent each byte of a stream once, so what has come
// and what a reset accounts for add up to what the peer counts against its credit. Streams are named by the slot that
// RecvStreams gives them while they are open, afterwards by id. Memory: one record for each slot, and the ids of
// streams that have ended before their last byte, bounded by the configuration.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "stream/inbound_credit.h"
#include "stream/recent_ids.h"
#include "wire/flow_windows.h"

namespace godwit {

// What the peer is to be told next.
struct FlowUpdate {
  enum class Kind : std::uint8_t { kConnectionCredit, kStreamCredit, kStop };
  Kind kind = Kind::kConnectionCredit;
  std::uint32_t stream_id = 0;
  std::uint64_t value = 0;  // the limit, in bytes from the start; of a stop: the application's code
};

class InboundFlow {
 public:
  // `remembered`: streams that are remembered after their end.
  InboundFlow(const FlowWindows& windows, std::size_t remembered, std::uint64_t hash_key)
      : windows_(windows), connection_(windows.connection), remembered_(remembered), reset_(remembered, hash_key) {}

  // Whether streams may begin with an unknown length.
  void allow_open_streams() { open_streams_ = true; }
  [[nodiscard]] bool open_streams() const { return open_streams_; }
  // Fragments may come again under other packet ids.
  void allow_repeats() { repeats_ = true; }

  // --- Open streams ---
  void open(std::uint32_t slot, std::uint32_t id, std::uint64_t total);
  [[nodiscard]] bool admits(std::uint32_t slot, std::uint64_t bytes) const {
    return streams_[slot].credit.admits(bytes) && connection_.admits(bytes);
  }
  // The most bytes that admits() lets come.
  [[nodiscard]] std::uint64_t room(std::uint32_t slot) const {
    return std::min(streams_[slot].credit.room(), connection_.room());
  }
  // New bytes have come. Requires admits().
  void receive(std::uint32_t slot, std::uint64_t bytes) {
    streams_[slot].credit.receive(bytes);
    connection_.receive(bytes);
  }
  // The application has been given them.
  void deliver(std::uint32_t slot, std::uint64_t bytes) {
    Stream& stream = streams_[slot];
    stream.delivered += bytes;
    if (!windows_.by_hand && !stream.paused) [[likely]]
      consume(slot, bytes);
  }
  // Some of the bytes that the application has been given are read; what exceeds them is ignored.
  void consume(std::uint32_t slot, std::uint64_t bytes);
  // A paused stream's bytes count as unread until it goes on.
  void set_paused(std::uint32_t slot, bool paused);
  // Its sender waits for credit, or may soon: it is not idle.
  [[nodiscard]] bool holds_back(std::uint32_t slot) const {
    return streams_[slot].paused || streams_[slot].credit.unconsumed() > 0 || !streams_[slot].credit.admits(1);
  }
  // Nothing of it has been counted.
  void forget(std::uint32_t slot) { streams_[slot] = {}; }
  // All its bytes have been delivered.
  void finish(std::uint32_t slot);
  // This side wants no more of it: its peer is told, and what comes still is counted. All fragments below number `next`
  // have come.
  void give_up(std::uint32_t slot, std::uint64_t code, std::uint32_t next = 1);
  // Its sender has given it up after `final_bytes`. False when that contradicts what has come.
  [[nodiscard]] bool reset(std::uint32_t slot, std::uint64_t final_bytes);

  // --- Streams without a slot ---
  [[nodiscard]] bool admits_whole(std::uint64_t bytes) const {
    return bytes <= windows_.stream && connection_.admits(bytes);
  }
  // A stream of one fragment. Requires admits_whole().
  void receive_whole(std::uint64_t bytes);
  // A stream that finds no place here: `bytes` of it have come. False when they exceed the credit.
  [[nodiscard]] bool refuse(std::uint32_t id, std::uint64_t total, std::uint64_t bytes);
  // Fragments from `number` on of a stream that has ended here. False when they exceed the credit.
  [[nodiscard]] bool receive_late(std::uint32_t id, std::uint32_t number, std::uint64_t bytes);
  // A reset of a stream that has no slot and is not complete. False when it contradicts what has come.
  [[nodiscard]] bool reset_ended(std::uint32_t id, std::uint64_t final_bytes);
  // Bytes of a complete stream that have been read, where that is said by hand. Those of a stream that has been reset
  // or given up count as read already.
  void consume_ended(std::uint32_t id, std::uint64_t bytes);

  // --- What the peer is to be told ---
  [[nodiscard]] std::optional<FlowUpdate> poll();
  // The same again, as it is now, after a loss. Nothing when it does not matter any more. `slot`: of an open stream.
  [[nodiscard]] std::optional<FlowUpdate> again(FlowUpdate::Kind kind, std::uint32_t id,
                                                std::optional<std::uint32_t> slot) const;

  [[nodiscard]] const InboundCredit& connection() const { return connection_; }
  [[nodiscard]] std::size_t bytes() const {
    return streams_.capacity() * sizeof(Stream) + ended_.capacity() * sizeof(Ended) + reset_.bytes() +
           due_.capacity() * sizeof(std::uint32_t) + stops_.capacity() * sizeof(FlowUpdate);
  }

 private:
  struct Stream {
    std::uint32_t id = 0;
    bool paused = false;
    bool due = false;  // stands in due_
    std::uint64_t total = 0;
    std::uint64_t delivered = 0;
    InboundCredit credit;
  };
  // Given up here: its sender may not know yet.
  struct Ended {
    std::uint32_t id = 0;
    std::uint64_t total = 0;
    std::uint64_t received = 0;
    std::uint64_t code = 0;
    std::uint32_t next = 1;  // all fragments below have come
  };

  void note_due(std::uint32_t slot);
  // A stream is complete, and so many of its bytes have not been read.
  void complete(std::uint64_t unread);
  void remember(const Ended& ended);
  [[nodiscard]] Ended* find_ended(std::uint32_t id);

  FlowWindows windows_;
  InboundCredit connection_;
  std::size_t remembered_;
  std::vector<Stream> streams_;     // by slot
  std::vector<std::uint32_t> due_;  // slots whose stream's credit is to be told
  std::vector<Ended> ended_;
  std::vector<FlowUpdate> stops_;  // to be told
  RecentIds reset_;                // their bytes are accounted for
  std::uint64_t unread_of_complete_ = 0;
  bool open_streams_ = false;
  bool repeats_ = false;
};

}  // namespace godwit
