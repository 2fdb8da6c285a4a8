// What an established connection of the extended form does about the size of datagrams: docs/extended_sessions.md,
// section 10.

#include <algorithm>
#include <array>

#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "wire/control_frame.h"

namespace godwit {
namespace {

// Around the payload of a fragment.
constexpr std::size_t kOverhead = wire::kDatagramOverhead + wire::kFragmentOverhead;
// A connection with less in flight has no use for larger datagrams.
constexpr std::uint64_t kBurst = 8 * wire::kMaxDatagram;
// The usual link carries so much: such datagrams may be a larger part of a window.
constexpr std::size_t kOrdinary = 1452;
constexpr int kProbeTimeouts = 3;
constexpr std::uint32_t kTimeoutWeight = 3;  // in losses

}  // namespace

EstablishedConnection::PathSize& EstablishedConnection::path_size() {
  std::unique_ptr<PathSize>& size = roaming().size;
  if (size == nullptr) {
    const std::uint16_t both =
        std::min(core_.context.config.handshake.largest_datagram, session_.extended()->theirs().largest_datagram);
    size = std::make_unique<PathSize>(std::min<std::uint16_t>(both, wire::kMaxLargeDatagram));
  }
  return *size;
}

// Windows and bursts are counted in bytes, and hold several datagrams of whatever size: a small one is filled with
// small packets.
std::size_t EstablishedConnection::size_packets() {
  if (known_size() == nullptr) [[likely]]
    return wire::kMaxDatagram;
  const std::size_t path = datagram_bytes();
  std::size_t now = path;
  if (path > kOrdinary) {
    const std::uint64_t released =
        pacer_.rate().is_unlimited() ? controller_->window_bytes() : pacer_.release_bytes() * 2;
    const std::uint64_t share = std::min(controller_->window_bytes(), released) / 4;
    if (share < path) now = kOrdinary;
  }
  core_.queue.set_packet_payload(path - kOverhead, now - kOverhead);
  return path;
}

// The first burst of data tells that there is more to come.
void EstablishedConnection::seek_larger_datagrams() {
  if (recovery_.bytes_in_flight() < kBurst || !session_.has(wire::capability::kLargeDatagrams)) return;
  path_size().searching = true;
}

void EstablishedConnection::process_size_frame(Instant now, const wire::ControlFrame& frame) {
  PathSize& size = path_size();
  if (frame.kind == wire::ControlFrame::Kind::kSizeProbe) {
    if (size.answer_count < size.answers.size()) size.answers[size.answer_count++] = frame.data;
  } else if (size.mtu.on_answer(now, frame.data)) {
    update_rate(now);
  }
}

void EstablishedConnection::note_sizes(Instant now, std::uint32_t largest_acked_bytes, const LossOutcome& losses,
                                       bool timed_out) {
  PathSize* const size = known_size();
  if (size == nullptr) return;
  // A time-out is one loss for all that is in flight: few packets at the end of a stream must tell as well.
  const std::uint32_t weight = timed_out ? kTimeoutWeight : 1;
  const auto large =
      std::ranges::count_if(losses.lost, [](const LostRecord& record) { return record.bytes > PathMtu::kBase; });
  if (size->mtu.on_packets(largest_acked_bytes, static_cast<std::uint32_t>(large) * weight)) update_rate(now);
}

void EstablishedConnection::write_size_answers(Instant now, BatchWriter& batch) const {
  PathSize* const size = known_size();
  while (size != nullptr && size->answer_count > 0 && batch.fits(wire::kControlFrameSize + wire::kDatagramOverhead)) {
    const std::uint64_t data = size->answers[--size->answer_count];
    const std::size_t before = batch.bytes();
    batch.append(wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kSizeAnswer, .data = data}));
    record_sent(now, batch, before, 0, trace::PacketKind::kPong);  // of the path
  }
}

// One probe at a time, to the address in use alone. It is no data: neither window nor loss detection know of it.
std::optional<DatagramBatch> EstablishedConnection::poll_size_probe(Instant now, TransmitBuffer& buffer) {
  PathSize* const size = known_size();
  if (size == nullptr || !size->searching || !recovery_.outstanding()) return std::nullopt;
  if (buffer.space().size() < wire::kMaxLargeDatagram || hold_ != nullptr) return std::nullopt;
  const auto probe =
      size->mtu.poll(now, recovery_.rtt().probe_timeout() * kProbeTimeouts, *core_.context.handshake.random);
  if (!probe) return std::nullopt;
  BatchWriter batch(buffer.space(), session_.sealer(), probe->bytes);
  const auto frame =
      wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kSizeProbe, .data = probe->data});
  static constexpr std::array<std::uint8_t, wire::kMaxLargePlaintext> kPadding{};
  batch.append(frame, ByteView(kPadding).first(probe->bytes - wire::kDatagramOverhead - frame.size()), {},
               BatchWriter::Body::kStays);
  batch.seal();
  if (batch.empty()) return std::nullopt;
  ++core_.counted.packets_sent;
  core_.counted.bytes_sent += batch.bytes();
  record_sent(now, batch, 0, 0, trace::PacketKind::kPing);  // of the path
  return DatagramBatch{
      .local = {}, .remote = core_.remote, .bytes = buffer.commit(batch.bytes()), .segment_size = batch.segment_size()};
}

}  // namespace godwit
