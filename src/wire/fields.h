// Fields of messages one behind the other, little-endian, texts with a length of 16 bits in front: what the protocols
// above the transport are written in (docs/file_transfer.md, docs/channels.md, docs/rendezvous.md).
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "wire/utf8.h"

namespace godwit::wire {

// Takes fields from the front; once one is missing, everything after it is. Views live as long as the bytes.
class FieldReader {
 public:
  explicit FieldReader(ByteView bytes) : left_(bytes) {}

  template <std::unsigned_integral T>
  [[nodiscard]] T number() {
    const ByteView bytes = take(sizeof(T));
    return bytes.size() == sizeof(T) ? load_le<T>(bytes.data()) : T{0};
  }
  // Zero where the message ends before it.
  template <std::unsigned_integral T>
  [[nodiscard]] T optional_number() {
    return has(sizeof(T)) ? number<T>() : T{0};
  }
  template <std::size_t kSize>
  [[nodiscard]] std::array<std::uint8_t, kSize> array() {
    std::array<std::uint8_t, kSize> value{};
    std::ranges::copy(take(kSize), value.begin());
    return value;
  }
  [[nodiscard]] std::string_view text() {
    const ByteView bytes = take(number<std::uint16_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  [[nodiscard]] ByteView rest() { return take(left_.size()); }

  [[nodiscard]] std::size_t left() const { return left_.size(); }
  [[nodiscard]] bool has(std::size_t bytes) const { return complete_ && left_.size() >= bytes; }
  [[nodiscard]] bool complete() const { return complete_; }
  // A field makes no sense: nothing after it does.
  void fail() { complete_ = false; }

 private:
  ByteView take(std::size_t count) {
    if (count > left_.size()) {
      complete_ = false;
      left_ = {};
      return {};
    }
    const ByteView taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }

  ByteView left_;
  bool complete_ = true;
};

class FieldWriter {
 public:
  explicit FieldWriter(ByteView magic) {
    bytes_.reserve(64);
    bytes_.assign(magic.begin(), magic.end());
  }

  template <std::unsigned_integral T>
  FieldWriter& number(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    store_le(bytes_.data() + at, value);
    return *this;
  }
  // Cut to `most` bytes, at most 65,535, between two characters.
  FieldWriter& text(std::string_view value, std::size_t most) {
    value = cut_utf8(value, most);
    return number(static_cast<std::uint16_t>(value.size())).bytes(as_bytes(value));
  }
  FieldWriter& bytes(ByteView value) {
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace godwit::wire
