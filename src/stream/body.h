// Bytes of an outgoing message: owned, borrowed from the application, or read on demand from a source such as a file.
// Any piece may be read again at any time until the message is released, because a retransmission is encoded anew.
// Invariant: size() never changes; a source that can no longer deliver fails the message, never the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace godwit {

// Bytes that are fetched when they are needed.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Exactly `length` bytes from `offset` on, as a view valid until the next read of this source. Nothing, or a view of
  // another length, means the bytes are gone: the message fails. Never asked beyond the size given to
  // Body::from_source.
  [[nodiscard]] virtual std::optional<ByteView> read(std::uint64_t offset, std::size_t length) = 0;
  // Whether a view stays valid and unchanged beyond the next read, until the message is released. Then the bytes are
  // sealed from where they are, perhaps by another thread (body_readers.h), so that not even the same bytes may be
  // written there again; otherwise they are copied first.
  [[nodiscard]] virtual bool views_stay() const { return false; }
};

// Movable only. Moving leaves views of owned and borrowed bytes valid.
class Body {
 public:
  Body() = default;  // no bytes
  [[nodiscard]] static Body owned(std::vector<std::uint8_t> bytes);
  // The application keeps `bytes` alive and unchanged until the message is confirmed or has failed.
  [[nodiscard]] static Body borrowed(ByteView bytes);
  // `source` must not be null.
  [[nodiscard]] static Body from_source(std::unique_ptr<BodySource> source, std::uint64_t size);

  Body(Body&& other) noexcept;
  Body& operator=(Body&& other) noexcept;
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  ~Body() = default;

  // Gives the bytes of an owned body back, and leaves no bytes; empty for any other body.
  [[nodiscard]] std::vector<std::uint8_t> take_owned();

  [[nodiscard]] std::uint64_t size() const { return size_; }

  // Requires offset + length <= size(). Nothing when the source fails. See BodySource::read for how long the view
  // lives; of owned and borrowed bytes it lives as long as the bytes.
  [[nodiscard]] std::optional<ByteView> read(std::uint64_t offset, std::size_t length) {
    // Pointers, so that the result of the common case is made in registers.
    const std::uint8_t* const bytes = source_ == nullptr ? data_ + offset : read_source(offset, length);
    if (bytes == nullptr) [[unlikely]]
      return std::nullopt;
    return ByteView{bytes, length};
  }
  // Whether the views of read() live as long as the body.
  [[nodiscard]] bool views_stay() const { return views_stay_; }

 private:
  static constexpr std::uint8_t kNothing = 0;  // stands for the bytes of an empty body

  // Null when the source fails.
  [[nodiscard]] const std::uint8_t* read_source(std::uint64_t offset, std::size_t length);

  const std::uint8_t* data_ = &kNothing;  // never null
  std::uint64_t size_ = 0;
  bool views_stay_ = true;
  std::vector<std::uint8_t> storage_;
  std::unique_ptr<BodySource> source_;
};

}  // namespace godwit
