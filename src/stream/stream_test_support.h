// Shared by the tests of this folder: a sink that records what streams deliver, and bytes that tell where they belong.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "stream/stream_sink.h"
#include "wire/message.h"

namespace godwit {

using Bytes = std::vector<std::uint8_t>;

inline Bytes random_bytes(RandomSource& random, std::size_t size) {
  Bytes bytes(size);
  random.fill(bytes);
  return bytes;
}

inline Bytes slice(const Bytes& bytes, std::uint64_t offset, std::size_t size) {
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
  return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}

// Fisher and Yates.
template <typename T>
void shuffle(std::vector<T>& items, RandomSource& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

inline constexpr Instant kStart{1000s};

// Copies everything, and notes whether chunks came in order.
class RecordingSink final : public StreamSink {
 public:
  void on_chunk(const InboundChunk& chunk) override {
    Bytes& bytes = streams[chunk.stream_id];
    in_order = in_order && chunk.offset == bytes.size() && !chunk.bytes.empty();
    bytes.insert(bytes.end(), chunk.bytes.begin(), chunk.bytes.end());
    last_view = chunk.bytes;
    ++chunks;
    if (chunk.finished()) finished.push_back(chunk.stream_id);
  }
  void on_message(InboundMessage&& message) override {
    finished.push_back(message.stream_id);
    streams[message.stream_id] = std::move(message.payload);
    ++messages;
  }
  void on_metadata(std::uint32_t stream_id, ByteView bytes) override {
    metadata.emplace_back(stream_id, Bytes(bytes.begin(), bytes.end()));
  }
  void on_failure(const InboundFailure& failure) override { failures.push_back(failure); }

  std::map<std::uint32_t, Bytes> streams;
  std::vector<std::uint32_t> finished;
  std::vector<std::pair<std::uint32_t, Bytes>> metadata;
  std::vector<InboundFailure> failures;
  ByteView last_view;
  std::size_t chunks = 0;
  std::size_t messages = 0;
  bool in_order = true;
};

}  // namespace godwit
