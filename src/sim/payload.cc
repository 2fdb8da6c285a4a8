#include "sim/payload.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
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

class WatchedSource final : public BodySource {
 public:
  WatchedSource(Body body, std::function<void(ByteView)> released)
      : size_(static_cast<std::size_t>(body.size())),
        bytes_(static_cast<std::uint8_t*>(std::malloc(std::max<std::size_t>(size_, 1)))),
        released_(std::move(released)) {
    GODWIT_ASSERT(bytes_ != nullptr);
    for (std::size_t at = 0; at < size_; at += kLongestRead) {
      const auto piece = body.read(at, std::min<std::size_t>(kLongestRead, size_ - at));
      GODWIT_ASSERT(piece);
      std::memcpy(bytes_.get() + at, piece->data(), piece->size());
    }
  }
  ~WatchedSource() override {
    released_(all());
    std::memset(bytes_.get(), 0xdd, size_);
  }
  WatchedSource(const WatchedSource&) = delete;
  WatchedSource& operator=(const WatchedSource&) = delete;

  std::optional<ByteView> read(std::uint64_t offset, std::size_t length) override {
    return all().subspan(static_cast<std::size_t>(offset), length);
  }
  [[nodiscard]] bool views_stay() const override { return true; }

 private:
  struct Free {
    void operator()(std::uint8_t* bytes) const noexcept { std::free(bytes); }
  };
  [[nodiscard]] ByteView all() const { return {bytes_.get(), size_}; }

  std::size_t size_;
  std::unique_ptr<std::uint8_t, Free> bytes_;
  std::function<void(ByteView)> released_;
};

}  // namespace

Body watched(Body body, std::function<void(ByteView)> released) {
  const std::uint64_t size = body.size();
  return Body::from_source(std::make_unique<WatchedSource>(std::move(body), std::move(released)), size);
}

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
