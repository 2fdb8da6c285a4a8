#include "sim/checker_messages.h"

#include <fmt/format.h>

#include <algorithm>

namespace godwit::sim {

std::uint64_t MessageChecker::add(const MessageRecord& record) {
  records_.push_back(record);
  records_.back().receiver_incarnation = incarnation(record.to);
  return records_.size();
}

void MessageChecker::on_accepted(std::uint32_t host, ConnectionId connection, MessageId id, std::uint64_t number,
                                 std::uint32_t stream_id) {
  record(number).stream_id = stream_id;
  sides_[{host, connection}].outgoing.emplace(id, number);
}

std::uint64_t MessageChecker::end_of(Instant now, std::uint32_t host, ConnectionId connection, MessageId id) {
  Side& side = sides_[{host, connection}];
  const auto found = side.outgoing.find(id);
  if (found == side.outgoing.end()) {
    check_log_->report(Rule::kReported, now,
                       fmt::format("host {} was told the end of message {} that is not open", host, id));
    return 0;
  }
  const std::uint64_t number = found->second;
  side.outgoing.erase(found);
  return number;
}

std::uint64_t MessageChecker::on_confirmed(Instant now, std::uint32_t host, ConnectionId connection, MessageId id) {
  const std::uint64_t number = end_of(now, host, connection, id);
  if (number == 0) return 0;
  MessageRecord& message = record(number);
  message.state = MessageRecord::State::kConfirmed;
  // A stream that the receiver has cut off is acknowledged like any other, and so is one whose receiver restarted
  // half-way: there the receiver's report is what tells (decisions 21).
  const bool excused = message.half_received || incarnation(message.to) != message.receiver_incarnation;
  if (message.delivered_incarnation == 0 && !excused) {
    check_log_->report(Rule::kReported, now, fmt::format("message {} was confirmed and has not arrived", number));
  }
  return number;
}

std::uint64_t MessageChecker::on_failed(Instant now, std::uint32_t host, ConnectionId connection, MessageId id,
                                        bool may_have_arrived) {
  const std::uint64_t number = end_of(now, host, connection, id);
  if (number == 0) return 0;
  MessageRecord& message = record(number);
  message.state = MessageRecord::State::kFailed;
  if (message.delivered_incarnation != 0 && !may_have_arrived) {
    check_log_->report(Rule::kReported, now,
                       fmt::format("message {} arrived and was reported as certainly lost", number));
  }
  return number;
}

bool MessageChecker::known(Instant now, std::uint32_t host, const PayloadHeader& header) {
  if (header.message == 0 || header.message > records_.size()) {
    check_log_->report(Rule::kIntact, now, fmt::format("host {} got a message that was never sent", host));
    return false;
  }
  const MessageRecord& message = record(header.message);
  if (message.to != host || message.size != header.size) {
    check_log_->report(Rule::kDeliveredOnce, now,
                       fmt::format("message {} of {} bytes for host {} reached host {} as {} bytes", header.message,
                                   message.size, message.to, host, header.size));
    return false;
  }
  return true;
}

bool MessageChecker::deliver(Instant now, std::uint32_t host, std::uint64_t number) {
  MessageRecord& message = record(number);
  const std::uint32_t mark = incarnation(host) + 1;
  if (message.delivered_incarnation == mark) {
    check_log_->report(Rule::kDeliveredOnce, now, fmt::format("message {} reached host {} twice", number, host));
    return false;
  }
  message.delivered_incarnation = mark;
  delivered_bytes_ += message.size;
  return true;
}

std::optional<std::uint64_t> MessageChecker::on_message(Instant now, std::uint32_t host, ByteView payload) {
  const auto header = PayloadRule::header(payload);
  if (!header || header->size != payload.size() || !known(now, host, *header) ||
      !rule_.matches(header->message, header->size, 0, payload)) {
    check_log_->report(Rule::kIntact, now, fmt::format("host {} got {} bytes that nobody sent", host, payload.size()));
    return std::nullopt;
  }
  if (!deliver(now, host, header->message)) return std::nullopt;
  return header->message;
}

std::optional<std::uint64_t> MessageChecker::on_chunk(Instant now, std::uint32_t host, ConnectionId connection,
                                                      const StreamChunk& chunk) {
  Side& side = sides_[{host, connection}];
  auto [at, begun] = side.inbound.try_emplace(chunk.stream_id);
  Inbound& stream = at->second;
  if (begun) {
    const auto header = PayloadRule::header(chunk.bytes);
    if (!header || chunk.offset != 0 || !known(now, host, *header)) {
      check_log_->report(Rule::kIntact, now,
                         fmt::format("host {}: stream {} does not begin with a message", host, chunk.stream_id));
      return std::nullopt;
    }
    stream = {.number = header->message, .next = 0, .total = chunk.total};
  }
  if (stream.number == 0) return std::nullopt;
  if (chunk.offset != stream.next || chunk.total != stream.total ||
      !rule_.matches(stream.number, record(stream.number).size, chunk.offset, chunk.bytes)) {
    check_log_->report(Rule::kIntact, now,
                       fmt::format("host {}: stream {} is wrong at {} (expected {})", host, chunk.stream_id,
                                   chunk.offset, stream.next));
  }
  stream.next = chunk.offset + chunk.bytes.size();
  if (!chunk.finished()) return std::nullopt;
  const std::uint64_t number = stream.number;
  side.inbound.erase(at);
  if (!deliver(now, host, number)) return std::nullopt;
  return number;
}

void MessageChecker::on_aborted(Instant now, std::uint32_t host, ConnectionId connection,
                                const StreamAborted& aborted) {
  Side& side = sides_[{host, connection}];
  side.inbound.erase(aborted.stream_id);
  if (aborted.received >= aborted.total) {
    check_log_->report(Rule::kHalfReceived, now,
                       fmt::format("stream {} is complete and was cut off", aborted.stream_id));
  }
  for (MessageRecord& message : records_) {
    if (message.to == host && message.stream_id == aborted.stream_id && message.size == aborted.total) {
      message.half_received = true;
    }
  }
}

void MessageChecker::on_closed(Instant now, std::uint32_t host, ConnectionId connection) {
  const auto found = sides_.find({host, connection});
  if (found == sides_.end()) return;
  if (!found->second.outgoing.empty()) {
    check_log_->report(
        Rule::kReported, now,
        fmt::format("host {}: {} messages went with a connection without a word", host, found->second.outgoing.size()));
  }
  for (const auto& [stream_id, stream] : found->second.inbound) {
    check_log_->report(Rule::kHalfReceived, now,
                       fmt::format("host {}: stream {} vanished half received", host, stream_id));
  }
  sides_.erase(found);
}

std::vector<std::uint64_t> MessageChecker::on_host_lost(std::uint32_t host) {
  std::vector<std::uint64_t> lost;
  if (incarnations_.size() <= host) incarnations_.resize(host + 1);
  ++incarnations_[host];
  for (auto at = sides_.lower_bound({host, 0}); at != sides_.end() && at->first.first == host; at = sides_.erase(at)) {
    for (const auto& [id, number] : at->second.outgoing) lost.push_back(number);
  }
  std::sort(lost.begin(), lost.end());
  for (const std::uint64_t number : lost) record(number).state = MessageRecord::State::kLostWithSender;
  return lost;
}

void MessageChecker::at_end(Instant now) {
  for (const auto& [key, side] : sides_) {
    for (const auto& [id, number] : side.outgoing) {
      check_log_->report(Rule::kReported, now,
                         fmt::format("message {} of host {} was never reported", number, key.first));
    }
    for (const auto& [stream_id, stream] : side.inbound) {
      check_log_->report(Rule::kHalfReceived, now,
                         fmt::format("host {}: stream {} was never ended", key.first, stream_id));
    }
  }
}

}  // namespace godwit::sim
