#include "transfer/file_receiver.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transfer/digest.h"
#include "transfer/echo.h"
#include "transfer/file_name.h"
#include "transfer/file_sender.h"

namespace godwit {
namespace {

// Streams of a transfer: what a sender may have unconfirmed, and as many that are confirmed there but not read here.
constexpr std::size_t kMaxPieces = 2 * FileSender::kMaxStreams;
// Ranges of a file that have arrived or are arriving. A sender in order needs a handful.
constexpr std::size_t kMaxRanges = 1024;
constexpr std::uint64_t kSmallestWindow = std::uint64_t{64} << 10;
// A transfer without any progress, and one whose connection is being renewed.
constexpr Duration kIdleLimit = 600s;
constexpr Duration kRenewalLimit = 30s;
// Deadlines are looked at this often while a transfer is unfinished, and not at all otherwise.
constexpr Duration kScanInterval = 1s;
constexpr std::size_t kMaxForeignStreams = 64;
// Beyond so much unbegun work of the disk no offer is taken: a peer that offers and cancels must not pile it up.
constexpr std::size_t kMaxDiskBacklog = 4096;

}  // namespace

// One file that is being received.
struct FileReceiver::Transfer {
  FileStore::FileId file = 0;
  std::uint64_t id = 0;         // the sender's
  ConnectionId connection = 0;  // 0 while its connection is being renewed
  std::string name;
  std::uint64_t size = 0;
  std::uint64_t window = 0;
  std::uint64_t reserved = 0;
  bool created = false;
  bool finishing = false;
  bool broken = false;  // a stream of it broke off
  std::uint64_t received = 0;
  std::map<std::uint64_t, std::uint64_t> ranges;  // claimed by streams: begin to end, neighbours joined
  std::vector<std::unique_ptr<Piece>> pieces;
  std::optional<std::array<std::uint8_t, kSha256Size>> expected;
  Instant began_at{};
  Instant deadline{};
};

// One data stream that is being received: the block that its bytes gather in.
struct FileReceiver::Piece {
  Transfer* transfer = nullptr;
  std::uint32_t stream = 0;
  std::uint64_t offset = 0;  // in the file, of the block's first byte
  std::size_t flush_at = FileBlock::kBytes;
  FileBlock block;
};

// One connection.
class FileReceiver::Peer final : public StreamConsumer {
 public:
  Peer(FileReceiver& owner, ConnectionId id) : inbox(owner.endpoint_, id, *this), connection(id), owner_(owner) {}

  [[nodiscard]] std::optional<std::uint64_t> on_stream_begin(Instant now, InboundStream& stream) override {
    if (!owner_.begin_piece(now, *this, stream)) return std::nullopt;
    return static_cast<Piece*>(stream.tag)->transfer->window;
  }
  [[nodiscard]] bool on_stream_bytes(Instant now, InboundStream& stream, ByteView bytes) override {
    static_cast<void>(now);
    return stream.tag != nullptr && owner_.add_bytes(stream, bytes);
  }
  void on_stream_end(Instant now, InboundStream& stream) override {
    if (stream.tag != nullptr) owner_.end_piece(now, *static_cast<Piece*>(stream.tag));
  }
  void on_stream_aborted(Instant now, InboundStream& stream) override {
    static_cast<void>(now);
    if (stream.tag == nullptr) return;
    // A connection that ends aborts all its streams before it says so: judged in the turn, when that is known.
    static_cast<Piece*>(stream.tag)->transfer->broken = true;
    owner_.any_broken_ = true;
  }
  void on_foreign_bytes(Instant now, std::uint32_t stream_id, ByteView bytes, bool finished) override {
    static_cast<void>(now);
    if (!foreign_.contains(stream_id) && foreign_.size() >= kMaxForeignStreams) return;
    Foreign& foreign = foreign_[stream_id];
    foreign.hash.update(bytes);
    foreign.bytes += bytes.size();
    if (!finished) return;
    owner_.observer_.on_message(connection, foreign.bytes, foreign.hash.finish(), true);
    foreign_.erase(stream_id);
  }
  void on_foreign_aborted(Instant now, std::uint32_t stream_id) override {
    static_cast<void>(now);
    foreign_.erase(stream_id);
  }
  void on_control_stream(Instant now, ByteView message) override {
    if (const auto control = decode_control(message)) owner_.on_control(now, *this, *control);
  }

  StreamInbox inbox;
  const ConnectionId connection;
  std::size_t transfers = 0;

 private:
  struct Foreign {
    FileHash hash;
    std::uint64_t bytes = 0;
  };
  FileReceiver& owner_;
  std::unordered_map<std::uint32_t, Foreign> foreign_;
};

FileReceiver::FileReceiver(Endpoint& endpoint, FileStore& store, Options options, Observer& observer)
    : endpoint_(endpoint), store_(store), options_(std::move(options)), observer_(observer) {}

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
    FileHash hash;
    hash.update(payload);
    observer_.on_message(connection, payload.size(), hash.finish(), false);
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
    Transfer* const transfer = find(peer.connection, cancelled->transfer);
    if (transfer != nullptr) fail(now, *transfer, "the sender gave it up: " + std::string(cancelled->text), false);
  } else if (const auto* start = std::get_if<PerfStart>(&message)) {
    static_cast<void>(send_control(now, endpoint_, peer.connection,
                                   PerfBusy{start->session, "this is `godwit listen`, not `godwit perf server`"}));
  }
}

// --- Offers ---

std::optional<std::pair<RefuseCode, std::string>> FileReceiver::judge(const Peer& peer, const FileOffer& offer) const {
  using Refusal = std::pair<RefuseCode, std::string>;
  const FileReceiverLimits& limits = options_.limits;
  if (options_.may_send && !options_.may_send(peer.connection)) {
    return Refusal{RefuseCode::kNotAllowed, "this peer is not among those that may send"};
  }
  if (const auto why = refuse_file_name(offer.name)) return Refusal{RefuseCode::kName, std::string(*why)};
  if (offer.size > limits.largest_file)
    return Refusal{RefuseCode::kTooLarge, "the file is larger than this receiver takes"};
  if (limits.all_bytes && offer.size > *limits.all_bytes - std::min(accepted_bytes_, *limits.all_bytes)) {
    return Refusal{RefuseCode::kTooLarge, "this receiver takes no more bytes"};
  }
  if (peer.transfers >= limits.files_of_a_peer || transfers_.size() >= limits.files ||
      store_.pending() >= kMaxDiskBacklog) {
    return Refusal{RefuseCode::kTooMany, "too many files are under way"};
  }
  if (const auto free = store_.free_bytes(); free && offer.size > *free) {
    return Refusal{RefuseCode::kNoSpace, "no space left on the device"};
  }
  return std::nullopt;
}

// Windows shrink before the memory behind them runs out.
std::uint64_t FileReceiver::choose_window() const {
  const std::uint64_t left = options_.limits.block_memory - std::min(reserved_, options_.limits.block_memory);
  return std::clamp(left / (2 * kMaxPieces), kSmallestWindow, std::max(options_.limits.window, kSmallestWindow));
}

void FileReceiver::on_offer(Instant now, Peer& peer, const FileOffer& offer) {
  for (const auto& [file, transfer] : transfers_) {
    if (transfer->id != offer.transfer) continue;
    // The sender has renewed its connection: the transfer goes on where it was.
    if (transfer->connection == 0 && transfer->size == offer.size) {
      transfer->connection = peer.connection;
      transfer->deadline = now + kIdleLimit;
      ++peer.transfers;
      static_cast<void>(send_control(now, endpoint_, peer.connection, FileAccept{transfer->id, transfer->window}));
    }
    return;
  }
  if (const auto refusal = judge(peer, offer)) {
    const FileRefuse message{.transfer = offer.transfer, .code = refusal->first, .text = refusal->second};
    static_cast<void>(send_control(now, endpoint_, peer.connection, message));
    observer_.on_file_refused(peer.connection, offer.name, refusal->second);
    return;
  }
  auto transfer = std::make_unique<Transfer>();
  transfer->file = next_file_++;
  transfer->id = offer.transfer;
  transfer->connection = peer.connection;
  transfer->name = std::string(offer.name);
  transfer->size = offer.size;
  transfer->window = choose_window();
  transfer->reserved = transfer->window * kMaxPieces;
  transfer->began_at = now;
  transfer->deadline = now + kIdleLimit;
  reserved_ += transfer->reserved;
  accepted_bytes_ += offer.size;
  ++peer.transfers;
  store_.create(transfer->file, transfer->name, transfer->size);
  transfers_.emplace(transfer->file, std::move(transfer));
}

FileReceiver::Transfer* FileReceiver::find(ConnectionId connection, std::uint64_t id) {
  for (const auto& [file, transfer] : transfers_) {
    if (transfer->id == id && transfer->connection == connection) return transfer.get();
  }
  return nullptr;
}

// --- Streams ---

bool FileReceiver::begin_piece(Instant now, Peer& peer, InboundStream& stream) {
  const StreamHeader& header = stream.header;
  Transfer* const transfer = find(peer.connection, header.transfer);
  if (transfer == nullptr || !transfer->created) return false;
  transfer->deadline = now + kIdleLimit;
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
  piece->flush_at = static_cast<std::size_t>(std::min<std::uint64_t>(FileBlock::kBytes, transfer->window / 8));
  stream.tag = piece.get();
  transfer->pieces.push_back(std::move(piece));
  return true;
}

bool FileReceiver::add_bytes(InboundStream& stream, ByteView bytes) {
  Piece& piece = *static_cast<Piece*>(stream.tag);
  while (!bytes.empty()) {
    if (!piece.block.bytes) piece.block = store_.new_block();
    const std::size_t taken = std::min(bytes.size(), piece.flush_at - piece.block.used);
    std::memcpy(piece.block.bytes.get() + piece.block.used, bytes.data(), taken);
    piece.block.used += taken;
    bytes = bytes.subspan(taken);
    if (piece.block.used == piece.flush_at) flush(piece);
  }
  return true;
}

void FileReceiver::flush(Piece& piece) {
  if (piece.block.used == 0) return;
  const std::uint64_t offset = piece.offset;
  piece.offset += piece.block.used;
  piece.transfer->received += piece.block.used;
  store_.write(piece.transfer->file, offset, std::exchange(piece.block, {}), piece.stream);
}

void FileReceiver::end_piece(Instant now, Piece& piece) {
  flush(piece);
  Transfer& transfer = *piece.transfer;
  transfer.deadline = now + kIdleLimit;
  std::erase_if(transfer.pieces, [&piece](const auto& each) { return each.get() == &piece; });
  check_complete(transfer);
}

void FileReceiver::on_finish(Instant now, Peer& peer, const FileFinish& finish) {
  Transfer* const transfer = find(peer.connection, finish.transfer);
  if (transfer == nullptr || transfer->expected) return;
  transfer->expected = finish.hash;
  transfer->deadline = now + kIdleLimit;
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
  if (std::exchange(any_broken_, false)) fail_broken(now);
  if (transfers_.empty() || now < next_scan_) return;
  next_scan_ = now + kScanInterval;
  for (const auto& [connection, peer] : peers_) peer->inbox.handle_timeout(now);
  for (auto next = transfers_.begin(); next != transfers_.end();) {
    Transfer& transfer = *(next++)->second;
    if (transfer.deadline <= now && !transfer.finishing) fail(now, transfer, "its sender has fallen silent", true);
  }
}

void FileReceiver::fail_broken(Instant now) {
  for (auto next = transfers_.begin(); next != transfers_.end();) {
    Transfer& transfer = *(next++)->second;
    if (transfer.broken) fail(now, transfer, "a stream of it broke off", true);
  }
}

void FileReceiver::on_completion(Instant now, const FileStore::Completion& completion) {
  const auto found = transfers_.find(completion.file);
  if (found == transfers_.end()) return;
  Transfer& transfer = *found->second;
  switch (completion.kind) {
    case FileStore::Completion::Kind::kCreated:
      transfer.created = true;
      static_cast<void>(send_control(now, endpoint_, transfer.connection, FileAccept{transfer.id, transfer.window}));
      return;
    case FileStore::Completion::Kind::kWritten:
      transfer.deadline = now + kIdleLimit;
      if (const auto peer = peers_.find(transfer.connection); peer != peers_.end()) {
        peer->second->inbox.consume(now, completion.tag, completion.bytes);
      }
      return;
    case FileStore::Completion::Kind::kFailed: return fail(now, transfer, completion.text, true);
    case FileStore::Completion::Kind::kFinished: {
      const ReceivedFile file{.name = completion.text,
                              .offered = transfer.name,
                              .size = transfer.size,
                              .hash = completion.hash,
                              .elapsed = now - transfer.began_at};
      const ConnectionId connection = transfer.connection;
      static_cast<void>(send_control(now, endpoint_, connection, FileConfirm{transfer.id, completion.hash}));
      erase(transfer);
      observer_.on_file_received(connection, file);
      return;
    }
  }
}

// --- Ends ---

void FileReceiver::fail(Instant now, Transfer& transfer, std::string why, bool tell_peer) {
  const ConnectionId connection = transfer.connection;
  const std::string name = transfer.name;
  if (tell_peer && connection != 0) {
    static_cast<void>(send_control(now, endpoint_, connection, FileCancel{.transfer = transfer.id, .text = why}));
  }
  store_.discard(transfer.file);
  accepted_bytes_ -= transfer.size;
  erase(transfer);
  observer_.on_file_failed(connection, name, why);
}

void FileReceiver::erase(Transfer& transfer) {
  if (const auto peer = peers_.find(transfer.connection); peer != peers_.end()) {
    --peer->second->transfers;
    for (const auto& piece : transfer.pieces) peer->second->inbox.forget(piece.get());
  }
  reserved_ -= transfer.reserved;
  transfers_.erase(transfer.file);
}

void FileReceiver::on_closed(Instant now, ConnectionId connection, const Closed& closed) {
  for (auto next = transfers_.begin(); next != transfers_.end();) {
    Transfer& transfer = *(next++)->second;
    if (transfer.connection != connection) continue;
    // A sender renews its connection between two streams.
    if (closed.reason == CloseReason::kReplaced && transfer.created && transfer.pieces.empty()) {
      --peer_of(connection).transfers;
      transfer.connection = 0;
      transfer.deadline = now + kRenewalLimit;
    } else {
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
