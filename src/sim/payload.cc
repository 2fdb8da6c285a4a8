#include "sim/payload.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "wire/limits.h"

namespace godwit::sim {
namespace {

constexpr std::uint64_t kPattern = 1 << 16;
// Beyond the pattern it repeats for as long as one read may be.
constexpr std::uint64_t kLongestRead = wire::kMaxLargeDatagram;

const std::vector<std::uint8_t>& pattern() {
  static const std::vector<std::uint8_t> bytes = [] {
    std::vector<std::uint8_t> made(kPattern + kLongestRead);
    DeterministicRandom random(0x60d417);
    random.fill(MutableBytes(made).first(kPattern));
    std::copy_n(made.begin(), kLongestRead, made.begin() + static_cast<std::ptrdiff_t>(kPattern));
    return made;
  }();
  return bytes;
}

class PatternSource final : public BodySource {
 public:
  PatternSource(std::uint64_t message, std::uint64_t size, std::uint64_t begin) : begin_(begin) {
    store_le(header_.data(), message);
    store_le(header_.data() + 8, size);
  }

  std::optional<ByteView> read(std::uint64_t offset, std::size_t length) override {
    if (length > kLongestRead) return std::nullopt;
    const std::uint8_t* from = pattern().data() + (begin_ + offset) % kPattern;
    if (offset >= PayloadHeader::kSize) return ByteView(from, length);
    std::memcpy(scratch_.data(), from, length);
    const std::size_t head = std::min<std::size_t>(length, PayloadHeader::kSize - offset);
    std::memcpy(scratch_.data(), header_.data() + offset, head);
    return ByteView(scratch_).first(length);
  }

 private:
  std::uint64_t begin_;
  std::array<std::uint8_t, PayloadHeader::kSize> header_{};
  std::array<std::uint8_t, kLongestRead> scratch_{};
};

}  // namespace

std::uint64_t PayloadRule::begin_of(std::uint64_t message) const {
  return splitmix64(seed_ ^ splitmix64(message)) % kPattern;
}

Body PayloadRule::body(std::uint64_t message, std::uint64_t size) const {
  return Body::from_source(std::make_unique<PatternSource>(message, size, begin_of(message)), size);
}

std::optional<PayloadHeader> PayloadRule::header(ByteView start) {
  if (start.size() < PayloadHeader::kSize) return std::nullopt;
  return PayloadHeader{load_le<std::uint64_t>(start.data()), load_le<std::uint64_t>(start.data() + 8)};
}

bool PayloadRule::matches(std::uint64_t message, std::uint64_t size, std::uint64_t offset, ByteView bytes) const {
  if (offset > size || bytes.size() > size - offset) return false;
  if (offset < PayloadHeader::kSize) {
    std::array<std::uint8_t, PayloadHeader::kSize> header{};
    store_le(header.data(), message);
    store_le(header.data() + 8, size);
    const std::size_t head = std::min<std::size_t>(bytes.size(), PayloadHeader::kSize - offset);
    if (std::memcmp(bytes.data(), header.data() + offset, head) != 0) return false;
    offset += head;
    bytes = bytes.subspan(head);
  }
  std::uint64_t at = (begin_of(message) + offset) % kPattern;
  while (!bytes.empty()) {
    const std::size_t piece = std::min<std::size_t>(bytes.size(), kPattern - at);
    if (std::memcmp(bytes.data(), pattern().data() + at, piece) != 0) return false;
    bytes = bytes.subspan(piece);
    at = 0;
  }
  return true;
}

}  // namespace godwit::sim
