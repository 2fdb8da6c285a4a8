// Flow control of an established connection of the extended form: docs/extended_sessions.md, section 9.

#include <algorithm>
#include <array>
#include <utility>

#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "wire/flow_frame.h"

namespace godwit {
namespace {

wire::FlowFrame::Kind frame_kind(FlowUpdate::Kind kind) {
  switch (kind) {
    case FlowUpdate::Kind::kConnectionCredit: return wire::FlowFrame::Kind::kConnectionCredit;
    case FlowUpdate::Kind::kStreamCredit: return wire::FlowFrame::Kind::kStreamCredit;
    case FlowUpdate::Kind::kStop: break;
  }
  return wire::FlowFrame::Kind::kStreamStop;
}

FlowUpdate::Kind update_kind(wire::FlowFrame::Kind kind) {
  if (kind == wire::FlowFrame::Kind::kConnectionCredit) return FlowUpdate::Kind::kConnectionCredit;
  return kind == wire::FlowFrame::Kind::kStreamCredit ? FlowUpdate::Kind::kStreamCredit : FlowUpdate::Kind::kStop;
}

wire::FlowFrame frame_of(const FlowUpdate& update) {
  const bool stop = update.kind == FlowUpdate::Kind::kStop;
  return {.kind = frame_kind(update.kind),
          .stream_id = update.stream_id,
          .value = stop ? 0 : update.value,
          .code = stop ? update.value : 0};
}

wire::FlowFrame frame_of(const StreamReset& reset) {
  return {.kind = wire::FlowFrame::Kind::kStreamReset,
          .stream_id = reset.stream_id,
          .value = reset.sent_bytes,
          .code = reset.code};
}

wire::FlowFrame frame_of(const StreamEnd& end) {
  return {.kind = wire::FlowFrame::Kind::kStreamEnd, .stream_id = end.stream_id, .value = end.total};
}

bool has_open_streams(const Session& session) {
  return session.has(wire::capability::kFlowControl) && session.has(wire::capability::kOpenStreams);
}

}  // namespace

void EstablishedConnection::begin_flow_control() {
  if (session_.has(wire::capability::kFlowControl)) {
    const wire::TransportParameters& theirs = session_.extended()->theirs();
    // Who grants all that fits into a field has a limit all the same.
    core_.queue.limit_streams(std::min(theirs.initial_stream_credit, kUnlimited - 1),
                              std::min(theirs.initial_credit, kUnlimited - 1));
  } else {
    core_.queue.limit_streams(kUnlimited, kUnlimited);
  }
  if (has_open_streams(session_)) core_.queue.allow_open_streams();
  core_.queue.set_packet_payload(wire::kFragmentPayload, wire::kFragmentPayload);
}

void EstablishedConnection::make_inbound_streams() {
  streams_ = std::make_unique<RecvStreams>(core_.context.config.streams, core_.context.reassembly);
  if (session_.has(wire::capability::kFlowControl)) streams_->use_credit(core_.context.config.handshake.flow);
  if (has_open_streams(session_)) streams_->allow_open_streams();
  if (session_.has(wire::capability::kLargeDatagrams)) streams_->allow_groups();
  if (session_.extended() != nullptr) streams_->expect_consistency();
}

// True when a frame of flow control stands at the start of `plaintext`, where both sides have it.
bool EstablishedConnection::process_flow_frame(Instant now, const Arrival& arrival, ByteView plaintext) {
  if (!session_.has(wire::capability::kFlowControl)) return false;
  const auto frame = wire::read_flow_frame(plaintext);
  if (!frame) return false;
  note_ordinary(now, arrival, frame->packet_id);
  const bool duplicate = acks_.is_duplicate(frame->packet_id);
  static_cast<void>(acks_.on_packet(now, frame->packet_id));
  acks_.queue_ack(now, frame->packet_id);
  if (duplicate) {
    core_.drop(now, trace::DropReason::kDuplicate, arrival.bytes());
    return true;
  }
  keepalive_.on_authentic(now);
  const bool of_own_stream =
      frame->kind == wire::FlowFrame::Kind::kStreamCredit || frame->kind == wire::FlowFrame::Kind::kStreamStop;
  if (of_own_stream && !core_.queue.has_opened(frame->stream_id)) {
    end(CloseReason::kProtocolViolation, "the peer names a stream that was never opened", Telling::kClose);
    return true;
  }
  switch (frame->kind) {
    case wire::FlowFrame::Kind::kStreamEnd:
      if (!inbound_streams().on_end(now, frame->stream_id, frame->value, *this)) {
        end(CloseReason::kProtocolViolation, "the end contradicts the peer's stream", Telling::kClose);
      }
      break;
    case wire::FlowFrame::Kind::kConnectionCredit: core_.queue.raise_credit(frame->value); break;
    case wire::FlowFrame::Kind::kStreamCredit: core_.queue.raise_stream_credit(frame->stream_id, frame->value); break;
    case wire::FlowFrame::Kind::kStreamStop:
      core_.queue.stop(frame->stream_id, frame->code);
      report_failures(now);
      core_.report_writable();
      break;
    case wire::FlowFrame::Kind::kStreamReset:
      if (!inbound_streams().on_reset(frame->stream_id, frame->value, frame->code, *this)) {
        end(CloseReason::kProtocolViolation, "the peer's reset contradicts its stream", Telling::kClose);
      }
      break;
  }
  return true;
}

void EstablishedConnection::write_flow_frames(Instant now, BatchWriter& batch) {
  if (!session_.has(wire::capability::kFlowControl)) return;
  std::array<std::uint8_t, wire::kMaxPlaintext> plaintext;
  const std::size_t most = session_.has(wire::capability::kCoalescing) ? plaintext.size() : wire::kFlowFrameSize;
  std::size_t used = 0;
  std::uint32_t first_id = 0;
  while (recovery_.may_send_new() && used + wire::kFlowFrameSize <= most &&
         batch.fits(used + wire::kFlowFrameSize + wire::kDatagramOverhead)) {
    std::optional<wire::FlowFrame> frame;
    if (const auto reset = core_.queue.poll_reset()) {
      frame = frame_of(*reset);
    } else if (const auto stream_end = core_.queue.poll_end()) {
      frame = frame_of(*stream_end);
    } else if (streams_ != nullptr) {
      if (const auto update = streams_->poll_flow()) frame = frame_of(*update);
    }
    if (!frame) break;
    frame->packet_id = recovery_.next_packet_id();
    if (used == 0) {
      first_id = frame->packet_id;
      begin_packet(batch);
    }
    std::ranges::copy(wire::encode(*frame), MutableBytes(plaintext).subspan(used).begin());
    // The envelope counts for the first of them.
    const std::size_t bytes = wire::kFlowFrameSize + (used == 0 ? wire::kDatagramOverhead : 0);
    recovery_.on_sent(now, frame->packet_id,
                      {.kind = PacketContent::Kind::kControl,
                       .owner = frame->stream_id,
                       .fragment = static_cast<std::uint32_t>(frame->kind)},
                      static_cast<std::uint32_t>(bytes));
    used += wire::kFlowFrameSize;
  }
  if (used == 0) return;
  const std::size_t before = batch.bytes();
  batch.append(ByteView(plaintext).first(used));
  batch.count_tracked(batch.bytes() - before);
  record_sent(now, batch, before, first_id, trace::PacketKind::kFlowControl);
}

void EstablishedConnection::on_control_acknowledged(const AckedRange& range) {
  switch (static_cast<wire::FlowFrame::Kind>(range.first_fragment)) {
    case wire::FlowFrame::Kind::kStreamReset: core_.queue.on_reset_acknowledged(range.owner); break;
    case wire::FlowFrame::Kind::kStreamEnd:
      if (const auto confirmed = core_.queue.on_end_acknowledged(range.owner)) core_.emit(MessageConfirmed{*confirmed});
      break;
    default: break;
  }
}

std::size_t EstablishedConnection::encode_control_again(const LostPacket& lost, MutableBytes out) const {
  if (lost.content.fragment == 0) {
    const wire::UpgradeDecline decline{.attempt = lost.content.owner, .reason = wire::kDeclineDisabled};
    return wire::encode(out, lost.id, {}, decline);
  }
  std::optional<wire::FlowFrame> frame;
  const auto kind = static_cast<wire::FlowFrame::Kind>(lost.content.fragment);
  if (kind == wire::FlowFrame::Kind::kStreamReset) {
    if (const auto reset = core_.queue.reset_again(lost.content.owner)) frame = frame_of(*reset);
  } else if (kind == wire::FlowFrame::Kind::kStreamEnd) {
    if (const auto stream_end = core_.queue.end_again(lost.content.owner)) frame = frame_of(*stream_end);
  } else if (streams_ != nullptr) {
    if (const auto update = streams_->flow_again(update_kind(kind), lost.content.owner)) frame = frame_of(*update);
  }
  if (!frame) return 0;
  frame->packet_id = lost.id;
  const auto bytes = wire::encode(*frame);
  std::ranges::copy(bytes, out.begin());
  return bytes.size();
}

}  // namespace godwit
