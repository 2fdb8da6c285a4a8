#include "transfer/stream_inbox.h"

#include <algorithm>
#include <span>
#include <utility>

#include "transfer/control.h"

namespace godwit {
namespace {

// Well below the 30 s after which a stream without new bytes is evicted (wire spec 6.4).
constexpr Duration kCheckInterval = 5s;

}  // namespace

StreamInbox::StreamInbox(Endpoint& endpoint, ConnectionId connection, StreamConsumer& consumer)
    : endpoint_(endpoint),
      connection_(connection),
      consumer_(consumer),
      flow_(endpoint.flow_windows(connection)),
      by_hand_(flow_ && flow_->by_hand) {}

void StreamInbox::on_other_chunk(Instant now, const StreamChunk& chunk) {
  auto [position, is_new] = streams_.try_emplace(chunk.stream_id);
  if (is_new) {
    position->second = std::make_unique<Entry>();
    position->second->stream = {.id = chunk.stream_id, .total = chunk.total};
    ++statistics_.streams;
    if (!next_check_) next_check_ = now + kCheckInterval;
  }
  Entry& entry = *position->second;
  last_id_ = chunk.stream_id;
  last_ = &entry;
  ByteView bytes = chunk.bytes;
  if (entry.kind == Kind::kUndecided && !take_prefix(now, entry, bytes)) return drop(now, entry);
  switch (entry.kind) {
    case Kind::kUndecided: break;
    case Kind::kData:
      if (!bytes.empty()) deliver(now, entry, bytes);
      break;
    case Kind::kControl: collect_control(now, entry, bytes); break;
    case Kind::kForeign:
      pass(chunk.stream_id, bytes.size());
      consumer_.on_foreign_bytes(now, chunk.stream_id, bytes, chunk.finished());
      if (chunk.finished()) erase(chunk.stream_id);
      break;
  }
}

bool StreamInbox::take_prefix(Instant now, Entry& entry, ByteView& bytes) {
  const std::size_t wanted = std::min(entry.prefix.size() - entry.prefix_size, bytes.size());
  std::copy_n(bytes.begin(), wanted, entry.prefix.begin() + static_cast<std::ptrdiff_t>(entry.prefix_size));
  entry.prefix_size += wanted;
  bytes = bytes.subspan(wanted);
  const ByteView prefix = ByteView(entry.prefix).first(entry.prefix_size);
  const bool whole = entry.prefix_size == entry.stream.total;
  if (prefix.size() < kStreamMagic.size() && !whole) return true;
  if (is_control(prefix)) {
    if (entry.stream.total > kMaxControlBytes) return false;
    entry.kind = Kind::kControl;
    pass(entry.stream.id, prefix.size());
    entry.control.reserve(entry.stream.total);
    entry.control.assign(prefix.begin(), prefix.end());
    return true;
  }
  if (prefix.size() < kStreamMagic.size() || !std::equal(kStreamMagic.begin(), kStreamMagic.end(), prefix.begin())) {
    entry.kind = Kind::kForeign;
    pass(entry.stream.id, prefix.size());
    consumer_.on_foreign_bytes(now, entry.stream.id, prefix, false);
    return true;
  }
  if (prefix.size() < kStreamHeaderSize) return !whole;
  const auto header =
      read_stream_header(std::span<const std::uint8_t, kStreamHeaderSize>(entry.prefix), entry.stream.total);
  if (!header) return false;
  InboundStream& stream = entry.stream;
  stream.header = *header;
  stream.received = kStreamHeaderSize;
  const auto window = consumer_.on_stream_begin(now, stream);
  if (!window) return false;
  entry.kind = Kind::kData;
  stream.window = *window;
  stream.limit = std::min(*window, stream.total);
  consume(now, stream, kStreamHeaderSize);
  return true;
}

void StreamInbox::deliver(Instant now, Entry& entry, ByteView bytes) {
  InboundStream& stream = entry.stream;
  stream.received += bytes.size();
  if (stream.received > stream.limit || !consumer_.on_stream_bytes(now, stream, bytes)) [[unlikely]] {
    return drop(now, entry);
  }
  if (stream.received == stream.total) [[unlikely]] {
    if (by_hand_ && stream.consumed < stream.total) {
      unread_.insert_or_assign(
          stream.id, Unread{.transfer = stream.header.transfer, .bytes = stream.total - stream.consumed});
    }
    consumer_.on_stream_end(now, stream);
    erase(stream.id);
  }
}

void StreamInbox::collect_control(Instant now, Entry& entry, ByteView bytes) {
  entry.control.insert(entry.control.end(), bytes.begin(), bytes.end());
  pass(entry.stream.id, bytes.size());
  if (entry.control.size() < entry.stream.total) return;
  const std::vector<std::uint8_t> message = std::move(entry.control);
  erase(entry.stream.id);
  consumer_.on_control_stream(now, message);
}

void StreamInbox::grant(Instant now, InboundStream& stream) {
  const std::uint64_t limit = std::min(stream.consumed + stream.window, stream.total);
  // Without room in the queue of messages the credit goes with the next bytes, or with the timer.
  if (!send_control(now, endpoint_, connection_, StreamCredit{stream.id, limit})) return;
  stream.limit = limit;
  ++statistics_.credits_sent;
}

void StreamInbox::consume(Instant now, std::uint32_t stream_id, std::uint64_t bytes) {
  if (const auto found = streams_.find(stream_id); found != streams_.end()) {
    if (found->second->kind == Kind::kData) consume(now, found->second->stream, bytes);
    return;
  }
  const auto ended = unread_.find(stream_id);
  if (ended == unread_.end()) return;
  const std::uint64_t read = std::min(bytes, ended->second.bytes);
  endpoint_.consume(connection_, stream_id, read);
  ended->second.bytes -= read;
  if (ended->second.bytes == 0) unread_.erase(ended);
}

void StreamInbox::release(std::uint64_t transfer) {
  for (auto next = unread_.begin(); next != unread_.end();) {
    const auto ended = next++;
    if (ended->second.transfer != transfer) continue;
    endpoint_.consume(connection_, ended->first, ended->second.bytes);
    unread_.erase(ended);
  }
}

void StreamInbox::forget(const void* tag) {
  for (const auto& [id, entry] : streams_) {
    if (entry->stream.tag == tag) entry->stream.tag = nullptr;
  }
}

void StreamInbox::drop(Instant now, Entry& entry) {
  ++statistics_.refused;
  const std::uint32_t id = entry.stream.id;
  if (entry.kind == Kind::kData) consumer_.on_stream_aborted(now, entry.stream);
  if (entry.kind == Kind::kForeign) consumer_.on_foreign_aborted(now, id);
  erase(id);
  static_cast<void>(endpoint_.stop_receiving(connection_, id));
}

void StreamInbox::on_aborted(Instant now, std::uint32_t stream_id) {
  const auto found = streams_.find(stream_id);
  if (found == streams_.end()) return;
  ++statistics_.aborted;
  Entry& entry = *found->second;
  if (entry.kind == Kind::kData) consumer_.on_stream_aborted(now, entry.stream);
  if (entry.kind == Kind::kForeign) consumer_.on_foreign_aborted(now, stream_id);
  erase(stream_id);
}

void StreamInbox::erase(std::uint32_t stream_id) {
  if (stream_id == last_id_) last_ = nullptr;
  streams_.erase(stream_id);
  if (streams_.empty()) next_check_.reset();
}

std::optional<Instant> StreamInbox::next_timeout() const {
  return next_check_;
}

void StreamInbox::handle_timeout(Instant now) {
  if (!next_check_ || *next_check_ > now) return;
  next_check_ = now + kCheckInterval;
  for (const auto& [id, entry] : streams_) {
    if (entry->kind != Kind::kData || entry->stream.tag == nullptr) continue;
    static_cast<void>(endpoint_.keep_stream_alive(now, connection_, id));
    InboundStream& stream = entry->stream;
    if (stream.limit < stream.total && stream.consumed + stream.window > stream.limit) grant(now, stream);
  }
}

}  // namespace godwit
