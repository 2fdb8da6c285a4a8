// Runs: fragments of one stream that leave or arrive together (established_connection.h). What is done once for all of
// them here is done for each packet in established_send.cc and established_receive.cc.

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "wire/fragment.h"

namespace godwit {
namespace {

// The fragment in a packet with nothing else, whose id and number do not wrap in what follows.
std::optional<wire::StreamFragmentHeader> peek_run(const PacketToOpen& packet) {
  const auto fragment = wire::peek_fragment({packet.out, packet.size});
  if (!fragment || packet.size != wire::kFragmentOverhead + fragment->payload.size()) return std::nullopt;
  constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max() - BatchWriter::kMaxSegments;
  const bool wraps = fragment->packet_id == 0 || fragment->packet_id > kLast || fragment->number > kLast;
  return wraps ? std::nullopt : fragment;
}

// How many packets from the first on, which holds `fragment`, are equal to it but for their ids and numbers, which go
// up by one.
std::size_t matching(std::span<const PacketToOpen> packets, const wire::StreamFragmentHeader& fragment) {
  using Offsets = wire::FragmentOffsets;
  const PacketToOpen& first = packets.front();
  std::uint32_t count = 1;
  for (; count < packets.size(); ++count) {
    const PacketToOpen& next = packets[count];
    const std::uint8_t* const at = next.out;
    const bool equal =
        next.authentic && next.size == first.size && load_le<std::uint32_t>(at) == fragment.packet_id + count &&
        load_le<std::uint32_t>(at + Offsets::kNumber) == fragment.number + count &&
        std::memcmp(at + Offsets::kAckCount, first.out + Offsets::kAckCount, Offsets::kNumber - Offsets::kAckCount) ==
            0 &&
        load_le<std::uint64_t>(at + Offsets::kPayloadLength) == fragment.payload.size() &&
        at[next.size - 1] == wire::kFragmentTail[0];
    if (!equal) break;
  }
  return count;
}

}  // namespace

// What may be sealed later is copied, but for streams, whose bodies wait for it (stream/body_readers.h). One of unknown
// length gives its bytes back piece by piece.
bool EstablishedConnection::payload_stays(const SendItem& item, const BatchWriter& batch) {
  if (!item.payload_stays) return false;
  if (!batch.may_be_put_off()) [[likely]]
    return true;
  if (item.stream == nullptr || item.stream->open() != nullptr) return false;
  core_.queue.note_reader(item.owner, batch.ticket());
  return true;
}

// Full fragments of one stream, at most `most`, with one record for all of them. Returns how many; 0: what is
// next stands alone, and nothing has been done.
std::uint32_t EstablishedConnection::write_run(Instant now, BatchWriter& batch, const SendItem& first,
                                               std::uint64_t most) {
  const std::size_t fits = batch.packets_left(first.datagram_bytes());
  const auto room = static_cast<std::uint32_t>(std::min<std::uint64_t>({most, fits, SentRun::kMost}));
  const std::uint32_t length = core_.queue.run_length(room);
  if (length < 2) return 0;
  const SendItem item = first;
  const std::size_t size = item.datagram_bytes();
  const wire::FragmentTemplate& header = item.stream->header();
  const BatchWriter::Body lifetime =
      payload_stays(item, batch) ? BatchWriter::Body::kStays : BatchWriter::Body::kCopied;
  const std::uint64_t number = acks_.by_number() ? session_.next_number() + batch.unsealed() : 0;
  const Recovery::PacketIds ids = recovery_.next_packet_ids(length);
  std::optional<ByteView> payload = item.payload;
  std::uint32_t packets = 0;
  do {
    const std::uint32_t id = ids.first + packets;
    const std::size_t before = batch.bytes();
    std::uint8_t* const text = batch.append_body(wire::kFragmentHeader, *payload, wire::kFragmentTail.size(), lifetime);
    header.write(text, id, item.fragment + packets, payload->size());
    text[wire::kFragmentHeader + payload->size()] = wire::kFragmentTail[0];
    if (core_.context.sink != nullptr) [[unlikely]]
      record_sent(now, batch, before, id, trace::PacketKind::kStreamFragment);
    if (++packets == ids.count) break;
    payload = core_.queue.payload_of_run(packets);
    // A source that fails is asked again, and a stream's last fragment is shorter: both stand alone.
  } while (payload && payload->size() == item.payload.size());
  GODWIT_COST_PROBE(core_.context.cost, kBookkeeping);
  core_.queue.take_run(ids.first, packets);
  recovery_.on_sent_run(now, ids.first,
                        {.kind = PacketContent::Kind::kFragment, .owner = item.owner, .fragment = item.fragment},
                        static_cast<std::uint32_t>(size), packets, number);
  core_.counted.payload_bytes_sent += packets * item.payload.size();
  batch.count_tracked(packets * size, packets);
  return packets;
}

// The shortest path of all: fragments of one stream that follow one another in all respects, as a sender's run leaves
// them. Returns how many packets were taken; 0: the first is none of a run, and nothing has been done.
std::size_t EstablishedConnection::receive_run(Instant now, const DatagramBatch& batch, std::size_t first,
                                               std::span<const PacketToOpen> packets) {
  if (packets.size() < 2 || streams_ == nullptr || ending_ != nullptr || !packets[0].authentic) return 0;
  const auto fragment = peek_run(packets[0]);
  if (!fragment || !acks_.is_next(fragment->packet_id)) return 0;
  auto count = static_cast<std::uint32_t>(matching(packets, *fragment));
  count = streams_->run_room(*fragment, count);
  if (count < 2) return 0;
  const std::uint64_t number = acks_.by_number() ? session_.number_of(batch.segment(first)) : 0;
  count = static_cast<std::uint32_t>(session_.opened_run(packets.first(count)));
  if (count == 0) return 0;
  const Arrival arrival{.datagram = batch.segment(first), .opened = {.newest = true}, .ecn = batch.ecn};
  core_.counted.packets_received += count;
  core_.counted.bytes_received += count * arrival.bytes();
  for (std::uint32_t i = 0; core_.context.sink != nullptr && i < count; ++i) {
    core_.context.record_received(now, core_.id,
                                  {.packet_id = fragment->packet_id + i,
                                   .kind = trace::PacketKind::kStreamFragment,
                                   .bytes = static_cast<std::uint32_t>(arrival.bytes())});
  }
  note_ordinary(now, arrival, fragment->packet_id + count - 1);
  keepalive_.on_authentic(now);
  GODWIT_COST_PROBE(core_.context.cost, kReassemble);
  streams_->take_run(now, *fragment, batch.segment_size, count, *this);
  GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
  acks_.on_run(now, fragment->packet_id, count, number);
  for (std::uint32_t i = 0; acks_.by_number() && batch.ecn != Ecn::kNone && i < count; ++i) note_mark(batch.ecn);
  return count;
}

void EstablishedConnection::on_run(const InboundRun& run) {
  if (!core_.context.config.streams.runs) return StreamSink::on_run(run);
  core_.counted.payload_bytes_received += run.bytes();
  core_.emit(StreamChunks{.stream_id = run.stream_id,
                          .count = run.count,
                          .offset = run.offset,
                          .total = run.total,
                          .first = run.first,
                          .stride = run.stride});
}

}  // namespace godwit
