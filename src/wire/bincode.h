// Bounded cursors over bincode 1.3.3 with its default settings (wire spec 2.1): fixed widths, little endian, u64
// lengths. Both are sticky: the first access beyond the end makes the cursor failed, later accesses do nothing and read
// zeros, so a codec checks once at the end. Nothing is allocated, nothing beyond the span is touched, a length is
// compared with what is there before it is believed.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/bytes.h"

namespace godwit::wire {

// Reads fields from the front of a view.
class Reader {
 public:
  explicit Reader(ByteView bytes) : next_(bytes.data()), remaining_(bytes.size()) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t remaining() const { return remaining_; }
  // What has not been read yet; empty after a failure.
  [[nodiscard]] ByteView rest() const { return {next_, remaining_}; }

  // u8, u16, u32, u64; also enum indices (u32), option tags (u8) and lengths (u64). 0 after a failure.
  template <std::unsigned_integral T>
  [[nodiscard]] T read() {
    if (!has(sizeof(T))) return 0;
    const T value = load_le<T>(next_);
    skip(sizeof(T));
    return value;
  }

  // `count` raw bytes without a prefix: arrays and address octets. Empty after a failure.
  [[nodiscard]] ByteView read_bytes(std::uint64_t count) {
    if (!has(count)) return {};
    const ByteView bytes(next_, static_cast<std::size_t>(count));
    skip(bytes.size());
    return bytes;
  }

  // A byte buffer, `Vec<u8>` or string: u64 length, then the bytes.
  [[nodiscard]] ByteView read_buffer() { return read_bytes(read<std::uint64_t>()); }

 private:
  // Fails the cursor when `count` bytes are not there.
  [[nodiscard]] bool has(std::uint64_t count) {
    if (count <= remaining_) return true;
    failed_ = true;
    remaining_ = 0;
    return false;
  }
  void skip(std::size_t count) {
    next_ += count;
    remaining_ -= count;
  }

  const std::uint8_t* next_;
  std::size_t remaining_;
  bool failed_ = false;
};

// Writes fields to the front of a span.
class Writer {
 public:
  explicit Writer(MutableBytes out) : out_(out) {}

  [[nodiscard]] bool failed() const { return failed_; }
  // Bytes written; 0 after a failure.
  [[nodiscard]] std::size_t size() const { return failed_ ? 0 : written_; }

  template <std::unsigned_integral T>
  void write(T value) {
    if (std::uint8_t* const at = advance(sizeof(T))) store_le<T>(at, value);
  }

  // The elements of a sequence without its count. The room is looked at once: acknowledgements come by the hundred.
  void write_elements(std::span<const std::uint32_t> elements) {
    std::uint8_t* at = advance(elements.size_bytes());
    if (at == nullptr) return;
    for (const std::uint32_t element : elements) {
      store_le(at, element);
      at += sizeof element;
    }
  }

  // Raw bytes without a prefix. `bytes` may be the very place they are written to.
  void write_bytes(ByteView bytes) {
    if (bytes.empty()) return;
    if (std::uint8_t* const at = advance(bytes.size())) std::memmove(at, bytes.data(), bytes.size());
  }

  void write_buffer(ByteView bytes) {
    write<std::uint64_t>(bytes.size());
    write_bytes(bytes);
  }

 private:
  [[nodiscard]] std::uint8_t* advance(std::size_t count) {
    if (failed_ || count > out_.size() - written_) {
      failed_ = true;
      return nullptr;
    }
    std::uint8_t* const at = out_.data() + written_;
    written_ += count;
    return at;
  }

  MutableBytes out_;
  std::size_t written_ = 0;
  bool failed_ = false;
};

}  // namespace godwit::wire
