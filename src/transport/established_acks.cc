// Acknowledgements by packet number of an established connection of the extended form: docs/extended_sessions.md,
// section 5.2.

#include <algorithm>
#include <array>
#include <limits>

#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "wire/ack_frame.h"

namespace godwit {
namespace {

static_assert(ReceivedNumbers::kMaxRanges == wire::kMaxAckRanges);

constexpr std::string_view text_of(wire::AckFrameFault fault) {
  switch (fault) {
    case wire::AckFrameFault::kTooMany: return "the peer's acknowledgement has more than 64 ranges";
    case wire::AckFrameFault::kEmpty: return "the peer's acknowledgement has an empty range";
    case wire::AckFrameFault::kBelowZero: return "the peer's acknowledgement goes below packet 0";
    case wire::AckFrameFault::kCutShort: break;
  }
  return "the peer's acknowledgement is cut short";
}

}  // namespace

void EstablishedConnection::begin_acknowledgements() {
  if (!session_.has(wire::capability::kAckRanges)) return;
  acks_.acknowledge_numbers();
  recovery_.use_numbers();
}

void EstablishedConnection::begin_packet(const BatchWriter& batch) {
  if (acks_.by_number()) recovery_.begin_packet(session_.next_number() + batch.unsealed());
}

// Nothing has been sealed for the present batch yet. Before the key is used up there are numbers enough to close.
void EstablishedConnection::leave_number_out() {
  const std::uint64_t number = session_.next_number();
  session_.sealer().leave_one_out();
  recovery_.on_left_out(number);
}

std::size_t EstablishedConnection::process_ack_frame(Instant now, const Arrival& arrival, ByteView plaintext) {
  if (!acks_.by_number() || !wire::is_ack_frame(plaintext, uses_ecn())) return 0;
  const auto frame = wire::read_ack_frame(plaintext);
  if (!frame) {
    end(CloseReason::kProtocolViolation, std::string(text_of(frame.error())), Telling::kClose);
    return plaintext.size();
  }
  GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
  keepalive_.on_authentic(now);
  newer_packet_ |= arrival.opened.newest;
  if (!recovery_.collecting_acks()) recovery_.begin_acks(now);
  const std::uint64_t next = session_.next_number();
  const std::chrono::microseconds delay(frame->delay);
  if (ecn_ == nullptr) [[likely]] {
    recovery_.on_ranges(frame->newest_first(), delay, next);
  } else {
    const std::uint64_t newly = recovery_.on_ranges(frame->newest_first(), delay, next, ecn_->marked());
    ecn_->on_acknowledged(frame->ecn, newly, frame->ranges.front().last, next);
  }
  return wire::ack_frame_size(*frame);
}

std::size_t EstablishedConnection::take_ack_frame(Instant now, MutableBytes out) {
  wire::AckFrame frame;
  Duration delay{};
  frame.count = acks_.take_ranges(now, frame.ranges, delay);
  if (frame.count == 0) return 0;
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(delay).count();
  frame.delay =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(microseconds, 0, std::numeric_limits<std::uint32_t>::max()));
  if (ecn_ != nullptr) frame.ecn = ecn_->received();
  return wire::encode(out, frame);
}

std::size_t EstablishedConnection::next_ack_frame_size() const {
  return wire::ack_frame_size(acks_.range_count(), ecn_ != nullptr && ecn_->received());
}

// What is due goes as a packet of its own; in a batch of data it is the shorter last segment (decisions 4).
void EstablishedConnection::write_ack_frame(Instant now, BatchWriter& batch) {
  if (!acks_.due(now) || !batch.fits(next_ack_frame_size() + wire::kDatagramOverhead)) return;
  GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
  std::array<std::uint8_t, wire::kLargestAckFrame> plaintext;
  const std::size_t size = take_ack_frame(now, plaintext);
  if (size == 0) return;
  append_acks(now, batch, ByteView(plaintext).first(size), 0);
}

}  // namespace godwit
