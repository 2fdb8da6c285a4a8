// One outgoing stream: its body, how it is cut, what has been sent and what has been acknowledged. Owned by SendQueue,
// which decides when it sends; recovery names its fragments by number when they are acknowledged or must be sent again.
// Invariants: acknowledged fragments <= sent fragments <= count; fragments are sent in order, each once here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "stream/body.h"
#include "stream/fragment_layout.h"
#include "stream/open_pieces.h"
#include "wire/fragment.h"

namespace godwit {

// A send limit that does not limit.
inline constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

class SendStream {
 public:
  // An empty slot: id 0, nothing to send.
  SendStream() : SendStream(0, Body{}, std::nullopt, 0) {}
  // `body` holds 1 … wire::kMaxStreamBytes bytes. `metadata` (at most wire::kMaxMetadata bytes) is embedded in fragment
  // 1; operations streams only. `send_limit`: see raise_send_limit.
  SendStream(std::uint32_t id, Body body, std::optional<std::vector<std::uint8_t>> metadata, std::uint64_t send_limit);

  // Of unknown length: open(). `credit`: see limit_credit.
  SendStream(std::uint32_t id, std::unique_ptr<OpenPieces> pieces) : SendStream(id, Body{}, std::nullopt, kUnlimited) {
    open_ = std::move(pieces);
  }

  [[nodiscard]] std::uint32_t id() const { return id_; }
  // 0 when it is not known.
  [[nodiscard]] std::uint64_t total() const { return layout_.total(); }
  // Null unless the stream has an unknown length.
  [[nodiscard]] const OpenPieces* open() const { return open_.get(); }
  // Of a stream of unknown length.
  void append(ByteView bytes) {
    open_->append(bytes);
    find_sendable();
  }
  void finish() { open_->finish(); }
  void on_end_acknowledged() { open_->on_end_acknowledged(); }
  [[nodiscard]] std::uint32_t fragment_count() const { return layout_.count(); }
  // Writes the 40 bytes before the payload of any fragment.
  [[nodiscard]] const wire::FragmentTemplate& header() const { return header_; }
  // What goes into `metadata` of the fragment; nothing but for fragment 1.
  [[nodiscard]] std::optional<ByteView> metadata(std::uint32_t number) const {
    if (number != wire::kFirstFragment || !metadata_) return std::nullopt;
    return ByteView{*metadata_};
  }

  // The payload of consecutive fragments of one group, also sent before. Nothing when the body's source fails. Requires
  // 1 <= number <= count.
  [[nodiscard]] std::optional<ByteView> payload(std::uint32_t number, std::uint32_t count = 1) {
    if (open_) [[unlikely]]
      return open_->payload(number, count);
    return body_.read(layout_.offset(number), bytes_of(number, count));
  }

  // --- Larger packets (docs/extended_sessions.md, section 10) ---
  // What is cut from now on fills packets with so many bytes of payload, at least wire::kFragmentPayload.
  void set_group(std::uint32_t bytes);
  [[nodiscard]] std::uint32_t group_bytes() const { return open_ ? open_->group_bytes() : layout_.group_bytes(); }
  // How many fragments from `number` to `last` share a packet that has room for `most_bytes`, at least
  // wire::kFragmentPayload. At least 1.
  [[nodiscard]] std::uint32_t run(std::uint32_t number, std::uint32_t last, std::size_t most_bytes) const;
  // The same of those that are next to be sent for the first time. Requires sendable().
  [[nodiscard]] std::uint32_t next_run(std::size_t most_bytes) const;

  // Whether the views of payload() live as long as the stream, and not until the next read alone.
  [[nodiscard]] bool payload_stays() const { return body_.views_stay(); }

  // --- Sending ---
  [[nodiscard]] std::uint32_t next_fragment() const { return next_; }
  [[nodiscard]] bool started() const { return next_ > 1; }
  [[nodiscard]] bool all_sent() const { return !open_ && next_ > layout_.count(); }
  // The next fragment exists and lies wholly below the send limit.
  [[nodiscard]] bool sendable() const { return next_ <= sendable_end_; }
  // Fragments of full size that do so, of a stream that has neither groups nor an unknown length. Requires sendable().
  [[nodiscard]] std::uint32_t full_fragments() const {
    const bool last_is_short = layout_.size(sendable_end_) != wire::kFragmentPayload;
    return sendable_end_ - next_ + (last_is_short ? 0 : 1);
  }
  // The next fragments have been handed out for sending. Requires sendable().
  void on_sent(std::uint32_t count = 1) {
    next_ += count;
    if (open_) [[unlikely]] {
      open_->on_sent(count);
      find_sendable();
    }
  }
  // Bytes from the start of the stream that may be sent: by the application's leave, and by the receiver's credit. Each
  // only rises; a lower value changes nothing.
  void raise_send_limit(std::uint64_t bytes);
  void raise_credit(std::uint64_t bytes);
  // The receiver gives credit from now on. Before anything has been sent.
  void limit_credit(std::uint64_t bytes);
  // What has been sent, each byte once.
  [[nodiscard]] std::uint64_t sent_bytes() const {
    if (open_) return open_->sent_bytes();
    return all_sent() ? total() : layout_.offset(next_);
  }
  [[nodiscard]] std::uint64_t unsent_bytes() const { return all_sent() ? 0 : total() - layout_.offset(next_); }

  // --- Acknowledgement ---
  // Fragments first … first + count - 1 are acknowledged, each reported once by recovery. O(1).
  void on_acknowledged(std::uint32_t first, std::uint32_t count);
  [[nodiscard]] bool finished() const { return open_ ? open_->finished() : acknowledged_ == layout_.count(); }

 private:
  [[nodiscard]] std::size_t bytes_of(std::uint32_t number, std::uint32_t count) const {
    if (count == 1) [[likely]]
      return layout_.size(number);
    const std::uint32_t last = number + count - 1;
    return static_cast<std::size_t>(layout_.offset(last) + layout_.size(last) - layout_.offset(number));
  }
  [[nodiscard]] std::uint32_t last_below(std::uint64_t limit) const;
  void find_sendable();

  std::uint32_t id_;
  std::uint32_t next_ = 1;          // number of the next fragment to be sent for the first time
  std::uint32_t sendable_end_ = 0;  // the last fragment that ends within the send limit
  std::uint32_t acknowledged_ = 0;
  FragmentLayout layout_;
  wire::FragmentTemplate header_;
  Body body_;
  std::optional<std::vector<std::uint8_t>> metadata_;
  std::uint64_t send_limit_;
  std::uint64_t credit_ = kUnlimited;
  std::unique_ptr<OpenPieces> open_;
};

}  // namespace godwit
