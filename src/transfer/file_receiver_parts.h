// What a FileReceiver keeps of its transfers and connections. Included by its two .cc files alone.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transfer/digest.h"
#include "transfer/file_receiver.h"
#include "transfer/file_sender.h"
#include "transfer/least_rate.h"

namespace godwit {

// Streams of a transfer: what a sender may have unconfirmed, and as many that are confirmed there but not read here.
inline constexpr std::size_t kMaxPieces = 2 * FileSender::kMaxStreams;
inline constexpr std::size_t kMaxForeignStreams = 64;
inline constexpr std::uint64_t kSmallestWindow = std::uint64_t{64} << 10;
// A block takes at most such a part of what is left for the blocks of its connection, and at least so many bytes.
inline constexpr std::uint64_t kBlockShare = 8;
inline constexpr std::uint64_t kLeastBlock = 1024;
// A transfer without any progress, one whose sender has sent nothing since it was accepted, and one whose connection is
// being renewed.
inline constexpr Duration kIdleLimit = 600s;
inline constexpr Duration kFirstByteLimit = 60s;
inline constexpr Duration kRenewalLimit = 30s;

// One file that is being received.
struct FileReceiver::Transfer {
  FileStore::FileId file = 0;
  std::uint64_t id = 0;         // the sender's
  ConnectionId connection = 0;  // 0 while its connection is being renewed
  // Who its place is counted for: its connection, or the one that is being renewed, and its sender's address.
  ConnectionId holder = 0;
  SocketAddress address;
  std::string name;     // acceptable
  std::string offered;  // as the sender calls it
  std::uint64_t size = 0;
  std::string kept_as;     // by which what has come of it is found again (PartialFile); empty: it is not kept
  std::uint64_t held = 0;  // of it, from an earlier time
  std::array<std::uint8_t, kSha256Size> held_hash{};
  std::uint64_t window = 0;        // of each of its streams
  bool held_by_transport = false;  // the transport's flow control keeps the window: its sender gets no credit
  std::uint64_t reserved = 0;
  bool created = false;
  bool begun = false;  // a byte of it has come, or the hash of an empty file
  bool finishing = false;
  bool broken = false;         // a stream of it broke off
  bool words_awaited = false;  // for one scan since then
  std::uint64_t received = 0;
  std::uint64_t written = 0;
  std::uint64_t set_aside = 0;                    // of the disk
  std::uint64_t promised = 0;                     // of the disk, to its source, besides what is set aside
  std::map<std::uint64_t, std::uint64_t> ranges;  // claimed by streams: begin to end, neighbours joined
  std::vector<std::unique_ptr<Piece>> pieces;
  std::optional<std::array<std::uint8_t, kSha256Size>> expected;
  Instant began_at{};
  Instant heard_at{};  // its last byte from the network, or to the disk
  std::optional<Instant> renewed_until;
  LeastRate rate;
  std::optional<Instant> disk_busy_since;  // the disk has not taken all that has come

  // When it is given up, unless something comes. A renewed connection alone puts nothing off.
  [[nodiscard]] Instant deadline() const {
    const Instant silent = begun ? heard_at + kIdleLimit : began_at + kFirstByteLimit;
    return renewed_until ? std::min(silent, *renewed_until) : silent;
  }
  // Its sender does not use what it holds, and may lose it to others.
  [[nodiscard]] bool idle(Instant now) const { return !finishing && !disk_busy_since && !rate.kept(now); }
  [[nodiscard]] std::uint64_t told_window() const { return held_by_transport ? kNoWindow : window; }
  [[nodiscard]] std::uint64_t missing() const { return size - std::min(size, set_aside); }
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
  Peer(FileReceiver& owner, ConnectionId id)
      : inbox(owner.endpoint_, id, *this),
        connection(id),
        address(owner.endpoint_.remote_address(id).value_or(SocketAddress())),
        owner_(owner) {}

  [[nodiscard]] std::optional<std::uint64_t> on_stream_begin(Instant now, InboundStream& stream) override {
    if (!owner_.begin_piece(now, *this, stream)) return std::nullopt;
    return static_cast<Piece*>(stream.tag)->transfer->told_window();
  }
  [[nodiscard]] bool on_stream_bytes(Instant now, InboundStream& stream, ByteView bytes) override {
    return stream.tag != nullptr && owner_.add_bytes(now, stream, bytes);
  }
  void on_stream_end(Instant now, InboundStream& stream) override {
    if (stream.tag != nullptr) owner_.end_piece(now, *static_cast<Piece*>(stream.tag));
  }
  void on_stream_aborted(Instant now, InboundStream& stream) override {
    static_cast<void>(now);
    if (stream.tag == nullptr) return;
    // A connection that ends aborts all its streams before it says so: judged in the turn, when that is known.
    static_cast<Piece*>(stream.tag)->transfer->broken = true;
  }
  void on_foreign_bytes(Instant now, std::uint32_t stream_id, ByteView bytes, bool finished) override {
    static_cast<void>(now);
    if (!foreign_.contains(stream_id) && foreign_.size() >= kMaxForeignStreams) return;
    Foreign& foreign = foreign_[stream_id];
    const bool may_send = owner_.may_send(connection);
    if (may_send) foreign.hash.update(bytes);
    foreign.bytes += bytes.size();
    if (!finished) return;
    if (may_send) {
      owner_.observer_.on_message(connection, foreign.bytes, foreign.hash.finish(), true, {});
    } else {
      owner_.observer_.on_message_dropped(connection, foreign.bytes);
    }
    foreign_.erase(stream_id);
  }
  void on_foreign_aborted(Instant now, std::uint32_t stream_id) override {
    static_cast<void>(now);
    foreign_.erase(stream_id);
  }
  void on_control_stream(Instant now, ByteView message) override {
    if (const auto control = decode_control(message)) owner_.on_control(now, *this, *control);
  }

  // The block of its next piece, at most: those that are not full hold credit of the transport that their senders may
  // need to fill them, so all blocks of the connection keep within half of it.
  [[nodiscard]] std::uint64_t block_limit() const {
    if (!inbox.by_hand()) return FileBlock::kBytes;
    const std::uint64_t half = inbox.flow()->connection / 2;
    return std::max((half - std::min(blocks, half)) / kBlockShare, kLeastBlock);
  }

  StreamInbox inbox;
  std::uint64_t blocks = 0;  // bytes of the blocks of all its pieces
  const ConnectionId connection;
  const SocketAddress address;

 private:
  struct Foreign {
    FileHash hash;
    std::uint64_t bytes = 0;
  };
  FileReceiver& owner_;
  std::map<std::uint32_t, Foreign> foreign_;
};

}  // namespace godwit
