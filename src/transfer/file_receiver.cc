#include "transfer/file_receiver.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transfer/echo.h"
#include "transfer/file_receiver_parts.h"
#include "transfer/peer_watch.h"

namespace godwit {
namespace {

// Ranges of a file that have arrived or are arriving. A sender in order needs a handful.
constexpr std::size_t kMaxRanges = 1024;
// Deadlines are looked at this often while a transfer is unfinished, and not at all otherwise.
constexpr Duration kScanInterval = 1s;
constexpr std::size_t kMostKeptRead = 1024;

}  // namespace

FileReceiver::FileReceiver(Endpoint& endpoint, FileStore& store, Options options, Observer& observer)
    : endpoint_(endpoint),
      store_(store),
      options_(std::move(options)),
      observer_(observer),
      places_({.of_a_peer = options_.limits.files_of_a_peer, .all = options_.limits.files}) {}

FileReceiver::~FileReceiver() = default;

FileReceiver::Peer& FileReceiver::peer_of(ConnectionId connection) {
  auto& peer = peers_[connection];
  if (!peer) peer = std::make_unique<Peer>(*this, connection);
  return *peer;
}

void FileReceiver::on_event(Instant now, ConnectionId connection, Event& event) {
  // Copied out: sending below may move the queue that the event lies in.
  if (const auto* chunk = std::get_if<StreamChunk>(&event)) [[likely]] {
    const StreamChunk copy = *chunk;
    peer_of(connection).inbox.on_chunk(now, copy);
  } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
    const ByteView payload = message->payload;
    const auto control = decode_control(payload);
    if (control) return on_control(now, peer_of(connection), *control);
    if (control.error() != ControlError::kNotControl) {
      ++malformed_;
      return;
    }
    if (!may_send(connection)) return observer_.on_message_dropped(connection, payload.size());
    FileHash hash;
    hash.update(payload);
    observer_.on_message(connection, payload.size(), hash.finish(), false, payload);
  } else if (const auto* aborted = std::get_if<StreamAborted>(&event)) {
    const std::uint32_t id = aborted->stream_id;
    if (const auto found = peers_.find(connection); found != peers_.end()) found->second->inbox.on_aborted(now, id);
  } else if (auto* closed = std::get_if<Closed>(&event)) {
    const Closed copy = std::move(*closed);
    on_closed(now, connection, copy);
  }
}

void FileReceiver::on_control(Instant now, Peer& peer, const ControlMessage& message) {
  if (const auto* echo = std::get_if<EchoRequest>(&message)) {
    answer_echo(now, endpoint_, peer.connection, *echo);
  } else if (const auto* offer = std::get_if<FileOffer>(&message)) {
    on_offer(now, peer, *offer);
  } else if (const auto* finish = std::get_if<FileFinish>(&message)) {
    on_finish(now, peer, *finish);
  } else if (const auto* cancelled = std::get_if<FileCancel>(&message)) {
    // Its sender may have lost the connection, and come back from another address: who knows the number is the sender.
    Transfer* const transfer = find(cancelled->transfer);
    if (transfer != nullptr) fail(now, *transfer, "the sender gave it up: " + std::string(cancelled->text), false);
  } else if (const auto* start = std::get_if<PerfStart>(&message)) {
    static_cast<void>(send_control(now, endpoint_, peer.connection,
                                   PerfBusy{start->session, "this is `godwit listen`, not `godwit perf server`"}));
  }
}

FileReceiver::Transfer* FileReceiver::find(std::uint64_t id) {
  for (const auto& [file, transfer] : transfers_) {
    if (transfer->id == id) return transfer.get();
  }
  return nullptr;
}

FileReceiver::Transfer* FileReceiver::find(ConnectionId connection, std::uint64_t id) {
  Transfer* const transfer = find(id);
  return transfer != nullptr && transfer->connection == connection ? transfer : nullptr;
}

// --- Streams ---

bool FileReceiver::begin_piece(Instant now, Peer& peer, InboundStream& stream) {
  const StreamHeader& header = stream.header;
  Transfer* const transfer = find(peer.connection, header.transfer);
  if (transfer == nullptr || !transfer->created) return false;
  const std::uint64_t end = header.offset + header.length;
  auto& ranges = transfer->ranges;
  const auto next = ranges.lower_bound(header.offset);
  const bool overlaps = (next != ranges.end() && next->first < end) ||
                        (next != ranges.begin() && std::prev(next)->second > header.offset);
  if (header.logical != 0 || end < header.offset || end > transfer->size || overlaps) {
    fail(now, *transfer, "its sender sends bytes beyond its end, or twice", true);
    return false;
  }
  if (transfer->pieces.size() >= kMaxPieces || ranges.size() >= kMaxRanges) {
    fail(now, *transfer, "its sender sends it in too many pieces", true);
    return false;
  }
  auto joined = ranges.emplace(header.offset, end).first;
  if (const auto after = std::next(joined); after != ranges.end() && after->first == end) {
    joined->second = after->second;
    ranges.erase(after);
  }
  if (joined != ranges.begin() && std::prev(joined)->second == header.offset) {
    std::prev(joined)->second = joined->second;
    ranges.erase(joined);
  }
  auto piece = std::make_unique<Piece>();
  piece->transfer = transfer;
  piece->stream = stream.id;
  piece->offset = header.offset;
  // A block never holds so much of the window that its sender waits for credit that the block waits for.
  // A short stream has a short block.
  piece->flush_at = static_cast<std::size_t>(
      std::min<std::uint64_t>({FileBlock::kBytes, transfer->window / 8, header.length, peer.block_limit()}));
  peer.blocks += piece->flush_at;
  stream.tag = piece.get();
  transfer->pieces.push_back(std::move(piece));
  return true;
}

bool FileReceiver::add_bytes(Instant now, InboundStream& stream, ByteView bytes) {
  Piece& piece = *static_cast<Piece*>(stream.tag);
  if (!bytes.empty()) {
    piece.transfer->begun = true;
    piece.transfer->heard_at = now;
    piece.transfer->rate.on_bytes(now, bytes.size());
  }
  while (!bytes.empty()) {
    if (!piece.block.bytes) piece.block = store_.new_block(piece.flush_at);
    const std::size_t taken = std::min(bytes.size(), piece.flush_at - piece.block.used);
    std::memcpy(piece.block.bytes.get() + piece.block.used, bytes.data(), taken);
    piece.block.used += taken;
    bytes = bytes.subspan(taken);
    if (piece.block.used == piece.flush_at) flush(now, piece);
  }
  return true;
}

void FileReceiver::flush(Instant now, Piece& piece) {
  if (piece.block.used == 0) return;
  Transfer& transfer = *piece.transfer;
  const std::uint64_t offset = piece.offset;
  piece.offset += piece.block.used;
  transfer.received += piece.block.used;
  if (!transfer.disk_busy_since) transfer.disk_busy_since = now;
  store_.write(transfer.file, offset, std::exchange(piece.block, {}), piece.stream);
}

void FileReceiver::end_piece(Instant now, Piece& piece) {
  flush(now, piece);
  Transfer& transfer = *piece.transfer;
  if (const auto peer = peers_.find(transfer.connection); peer != peers_.end()) peer->second->blocks -= piece.flush_at;
  std::erase_if(transfer.pieces, [&piece](const auto& each) { return each.get() == &piece; });
  check_complete(transfer);
}

void FileReceiver::on_finish(Instant now, Peer& peer, const FileFinish& finish) {
  Transfer* const transfer = find(peer.connection, finish.transfer);
  if (transfer == nullptr || transfer->expected) return;
  transfer->expected = finish.hash;
  if (transfer->size == 0) {
    transfer->begun = true;
    transfer->heard_at = now;
  }
  check_complete(*transfer);
}

void FileReceiver::check_complete(Transfer& transfer) {
  if (transfer.finishing || !transfer.expected || transfer.received != transfer.size) return;
  transfer.finishing = true;
  store_.finish(transfer.file, *transfer.expected);
}

// --- The disk ---

void FileReceiver::on_turn(Instant now) {
  store_.take_completions(completions_);
  for (const FileStore::Completion& completion : completions_) on_completion(now, completion);
  completions_.clear();
  if (transfers_.empty() || now < next_scan_) return;
  next_scan_ = now + kScanInterval;
  for (const auto& [connection, peer] : peers_) peer->inbox.handle_timeout(now);
  for (auto next = transfers_.begin(); next != transfers_.end();) {
    Transfer& transfer = *(next++)->second;
    // The sender's words follow what it gave up: a message may be overtaken by the end of a stream.
    if (transfer.broken && std::exchange(transfer.words_awaited, true)) {
      fail(now, transfer, "a stream of it broke off", true);
      continue;
    }
    if (transfer.deadline() > now || transfer.finishing) continue;
    const std::string_view silence = transfer.begun ? "its sender has fallen silent" : "its sender has sent nothing";
    fail(now, transfer, silence_reason(endpoint_, transfer.connection, silence), true);
  }
}

void FileReceiver::on_completion(Instant now, const FileStore::Completion& completion) {
  const auto found = transfers_.find(completion.file);
  if (found == transfers_.end()) return;
  Transfer& transfer = *found->second;
  switch (completion.kind) {
    case FileStore::Completion::Kind::kCreated: return on_created(now, transfer, completion);
    case FileStore::Completion::Kind::kNoRoom: return turn_away(now, transfer, completion.text);
    case FileStore::Completion::Kind::kWritten:
      on_written(now, transfer, completion);
      if (const auto peer = peers_.find(transfer.connection); peer != peers_.end()) {
        peer->second->inbox.consume(now, completion.tag, completion.bytes);
      }
      return;
    case FileStore::Completion::Kind::kFailed: return fail(now, transfer, completion.text, true);
    case FileStore::Completion::Kind::kFinished: {
      const ReceivedFile file{.name = completion.text,
                              .offered = transfer.offered,
                              .size = transfer.size,
                              .held = transfer.held,
                              .hash = completion.hash,
                              .elapsed = now - transfer.began_at};
      const ConnectionId connection = transfer.connection;
      // A folder that was made on the way is as good as a file that was sent.
      if (options_.limits.all_files) files_.take(transfer.address, completion.folders);
      static_cast<void>(send_control(now, endpoint_, connection, FileConfirm{transfer.id, completion.hash}));
      erase(transfer);
      observer_.on_file_received(connection, file);
      return;
    }
  }
}

void FileReceiver::on_created(Instant now, Transfer& transfer, const FileStore::Completion& completion) {
  transfer.created = true;
  transfer.rate.start(now);
  if (completion.bytes > 0) {
    transfer.held = transfer.received = transfer.written = completion.bytes;
    transfer.held_hash = completion.hash;
    transfer.ranges.emplace(0, completion.bytes);
    transfer.begun = true;
    transfer.heard_at = now;
    count_set_aside(transfer, completion.bytes);
    kept_read_.emplace_back(transfer.kept_as, now);
    if (kept_read_.size() > kMostKeptRead) kept_read_.pop_front();
  }
  send_accept(now, transfer);
}

void FileReceiver::on_written(Instant now, Transfer& transfer, const FileStore::Completion& completion) {
  transfer.heard_at = now;
  transfer.written += completion.bytes;
  if (transfer.written == transfer.received && transfer.disk_busy_since) {
    transfer.rate.excuse(now - *std::exchange(transfer.disk_busy_since, std::nullopt));
  }
  count_set_aside(transfer, completion.set_aside);
}

// What is set aside is none of what the disk has left.
void FileReceiver::count_set_aside(Transfer& transfer, std::uint64_t bytes) {
  transfer.set_aside = bytes;
  if (transfer.promised <= transfer.missing()) return;
  space_.give_back(transfer.address, transfer.promised - transfer.missing());
  transfer.promised = transfer.missing();
}

// --- Ends ---

void FileReceiver::fail(Instant now, Transfer& transfer, std::string why, bool tell_peer) {
  if (tell_peer && transfer.connection != 0) {
    static_cast<void>(
        send_control(now, endpoint_, transfer.connection, FileCancel{.transfer = transfer.id, .text = why}));
  }
  drop(transfer, why);
}

// Does not count it, and keeps nothing of it but what its sender may go on from: that is on the disk, and counts.
void FileReceiver::drop(Transfer& transfer, const std::string& why, bool keep) {
  const ConnectionId connection = transfer.connection;
  const std::string name = transfer.name;
  if (connection == 0) remember_lost(transfer);
  const bool kept = keep && !transfer.kept_as.empty() && transfer.received > 0;
  if (kept) {
    store_.release(transfer.file);
    if (options_.limits.all_bytes) bytes_.take(transfer.address, transfer.received);
    if (options_.limits.all_files) files_.take(transfer.address, 1);
  } else {
    store_.discard(transfer.file);
  }
  uncount(transfer);
  observer_.on_file_failed(connection, name, why);
}

// Its offer has not been answered yet. A sender that knows this code offers the file again when there may be room.
void FileReceiver::turn_away(Instant now, Transfer& transfer, const std::string& why) {
  const ConnectionId connection = transfer.connection;
  const std::string offered = transfer.offered;
  const FileRefuse message{.transfer = transfer.id, .code = RefuseCode::kTooMany, .text = why};
  if (connection != 0) static_cast<void>(send_control(now, endpoint_, connection, message));
  uncount(transfer);
  observer_.on_file_refused(connection, offered, why);
}

// Its sender may offer it on its next connection, to go on in the middle of it.
void FileReceiver::remember_lost(const Transfer& transfer) {
  if (!transfer.begun) return;
  lost_.push_back(transfer.id);
  if (lost_.size() > options_.limits.files) lost_.pop_front();
}

void FileReceiver::uncount(Transfer& transfer) {
  if (options_.limits.all_bytes) bytes_.give_back(transfer.address, transfer.size);
  if (options_.limits.all_files) files_.give_back(transfer.address, 1);
  erase(transfer);
}

void FileReceiver::erase(Transfer& transfer) {
  places_.give_back(transfer.holder, transfer.address);
  if (const auto peer = peers_.find(transfer.connection); peer != peers_.end()) {
    for (const auto& piece : transfer.pieces) {
      peer->second->inbox.forget(piece.get());
      peer->second->blocks -= piece->flush_at;
    }
    peer->second->inbox.release(transfer.id);
  }
  reserved_ -= transfer.reserved;
  space_.give_back(transfer.address, transfer.promised);
  if (space_left_) *space_left_ += transfer.promised;
  transfers_.erase(transfer.file);
}

void FileReceiver::on_closed(Instant now, ConnectionId connection, const Closed& closed) {
  for (auto next = transfers_.begin(); next != transfers_.end();) {
    Transfer& transfer = *(next++)->second;
    if (transfer.connection != connection) continue;
    // A sender renews its connection between two streams. Its file keeps its place meanwhile: it exists.
    if (closed.reason == CloseReason::kReplaced && transfer.created && transfer.pieces.empty()) {
      transfer.connection = 0;
      transfer.renewed_until = now + kRenewalLimit;
    } else {
      if (closed.reason == CloseReason::kReplaced) remember_lost(transfer);
      fail(now, transfer, "the connection has ended: " + closed.text, false);
    }
  }
  peers_.erase(connection);
}

void FileReceiver::cancel_all(Instant now, std::string_view why) {
  for (auto next = transfers_.begin(); next != transfers_.end();) fail(now, *(next++)->second, std::string(why), true);
}

std::optional<Instant> FileReceiver::next_timeout() const {
  return transfers_.empty() ? std::nullopt : std::optional(next_scan_);
}

std::optional<FileReceiver::Progress> FileReceiver::progress() const {
  if (transfers_.empty()) return std::nullopt;
  const Transfer& transfer = *transfers_.begin()->second;
  return Progress{.name = transfer.name, .received = transfer.received, .size = transfer.size};
}

}  // namespace godwit
