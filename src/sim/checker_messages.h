// The checker of messages: who sent what, what arrived, and what the sender was told. Knows only what applications see.
// Owned by Simulator; hosts pass every event of the API on to it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/checker.h"
#include "sim/payload.h"
#include "transport/event.h"

namespace godwit::sim {

struct MessageRecord {
  enum class State : std::uint8_t { kOpen, kRefused, kConfirmed, kFailed, kLostWithSender };
  State state = State::kOpen;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::uint64_t size = 0;
  std::uint32_t flow = 0;
  std::uint64_t reply_to = 0;  // the request it answers; 0: none
  std::uint32_t stream_id = 0;
  Instant sent_at{};
  std::uint32_t receiver_incarnation = 0;   // when it was sent
  std::uint32_t delivered_incarnation = 0;  // 1 + the incarnation that got it last; 0: none
  bool half_received = false;               // the receiver has reported its stream as cut off
  bool reply_made = false;                  // requests: the receiver has answered
  bool answered = false;                    // and the sender has got the answer, or given up
};

class MessageChecker {
 public:
  MessageChecker(std::uint64_t seed, CheckLog& check_log) : rule_(seed), check_log_(&check_log) {}

  // --- The sender's side ---
  // The number of a new message. What it holds is payload().body(number, size).
  [[nodiscard]] std::uint64_t add(const MessageRecord& record);
  void on_refused(std::uint64_t number) { record(number).state = MessageRecord::State::kRefused; }
  void on_accepted(std::uint32_t host, ConnectionId connection, MessageId id, std::uint64_t number,
                   std::uint32_t stream_id);
  // The number of the message that ended, 0 when it is unknown (which is checked).
  std::uint64_t on_confirmed(Instant now, std::uint32_t host, ConnectionId connection, MessageId id);
  std::uint64_t on_failed(Instant now, std::uint32_t host, ConnectionId connection, MessageId id,
                          bool may_have_arrived);

  // --- The receiver's side. The number of a message that is now complete. ---
  std::optional<std::uint64_t> on_message(Instant now, std::uint32_t host, ByteView payload);
  std::optional<std::uint64_t> on_chunk(Instant now, std::uint32_t host, ConnectionId connection,
                                        const StreamChunk& chunk);
  void on_aborted(Instant now, std::uint32_t host, ConnectionId connection, const StreamAborted& aborted);

  // --- Ends ---
  // The connection's last event: everything on it must have been reported.
  void on_closed(Instant now, std::uint32_t host, ConnectionId connection);
  // The process ended without a word; the next one is another incarnation. Numbers of the messages lost with it.
  std::vector<std::uint64_t> on_host_lost(std::uint32_t host);
  void at_end(Instant now);

  [[nodiscard]] const PayloadRule& payload() const { return rule_; }
  [[nodiscard]] MessageRecord& record(std::uint64_t number) { return records_[number - 1]; }
  [[nodiscard]] const std::vector<MessageRecord>& records() const { return records_; }
  [[nodiscard]] std::uint32_t incarnation(std::uint32_t host) const {
    return host < incarnations_.size() ? incarnations_[host] : 0;
  }
  [[nodiscard]] std::uint64_t delivered_bytes() const { return delivered_bytes_; }

 private:
  struct Inbound {
    std::uint64_t number = 0;
    std::uint64_t next = 0;  // offset
    std::uint64_t total = 0;
  };
  struct Side {  // one end of one connection
    std::unordered_map<MessageId, std::uint64_t> outgoing;
    std::map<std::uint32_t, Inbound> inbound;  // by stream id
  };
  using Key = std::pair<std::uint32_t, ConnectionId>;

  [[nodiscard]] std::uint64_t end_of(Instant now, std::uint32_t host, ConnectionId connection, MessageId id);
  // Checks that `number` may reach `host` now, complete.
  [[nodiscard]] bool deliver(Instant now, std::uint32_t host, std::uint64_t number);
  [[nodiscard]] bool known(Instant now, std::uint32_t host, const PayloadHeader& header);

  PayloadRule rule_;
  CheckLog* check_log_;
  std::vector<MessageRecord> records_;
  std::vector<std::uint32_t> incarnations_;
  std::map<Key, Side> sides_;
  std::uint64_t delivered_bytes_ = 0;
};

}  // namespace godwit::sim
