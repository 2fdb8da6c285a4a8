#include "stream/body.h"

#include <utility>

#include "base/assert.h"

namespace godwit {

Body Body::owned(std::vector<std::uint8_t> bytes) {
  Body body;
  body.storage_ = std::move(bytes);
  if (!body.storage_.empty()) body.data_ = body.storage_.data();
  body.size_ = body.storage_.size();
  return body;
}

Body Body::borrowed(ByteView bytes) {
  Body body;
  if (!bytes.empty()) body.data_ = bytes.data();
  body.size_ = bytes.size();
  return body;
}

Body Body::from_source(std::unique_ptr<BodySource> source, std::uint64_t size) {
  GODWIT_ASSERT(source != nullptr);
  Body body;
  body.views_stay_ = source->views_stay();
  body.source_ = std::move(source);
  body.size_ = size;
  return body;
}

// A moved vector keeps its bytes where they are, so the pointer moves along.
Body::Body(Body&& other) noexcept
    : data_(std::exchange(other.data_, &kNothing)),
      size_(std::exchange(other.size_, 0)),
      views_stay_(std::exchange(other.views_stay_, true)),
      storage_(std::move(other.storage_)),
      source_(std::move(other.source_)) {}

Body& Body::operator=(Body&& other) noexcept {
  data_ = std::exchange(other.data_, &kNothing);
  size_ = std::exchange(other.size_, 0);
  views_stay_ = std::exchange(other.views_stay_, true);
  storage_ = std::exchange(other.storage_, {});
  source_ = std::move(other.source_);
  return *this;
}

std::vector<std::uint8_t> Body::take_owned() {
  if (!storage_.empty()) {
    data_ = &kNothing;
    size_ = 0;
  }
  return std::exchange(storage_, {});
}

const std::uint8_t* Body::read_source(std::uint64_t offset, std::size_t length) {
  const std::optional<ByteView> bytes = source_->read(offset, length);
  if (!bytes || bytes->size() != length) return nullptr;
  return length == 0 ? &kNothing : bytes->data();
}

}  // namespace godwit
