#include "measure/copying_cipher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "crypto/piece_gathering.h"

namespace godwit {
namespace {

class CopyingCipher final : public PacketCipher {
 public:
  explicit CopyingCipher(std::unique_ptr<PacketCipher> inner) : inner_(std::move(inner)) {}

  void seal(const Nonce& nonce, ByteView plaintext, std::uint8_t* out) override { inner_->seal(nonce, plaintext, out); }

  void seal_pieces(const Nonce& nonce, ByteView head, ByteView body, ByteView tail, std::uint8_t* out) override {
    // As every cipher gathers them, but for the copy that follows.
    const MutableBytes plaintext = gather_pieces(head, body, tail, buffer_of(head.size() + body.size() + tail.size()));
    std::ranges::copy(plaintext, out);
    inner_->seal(nonce, {out, plaintext.size()}, out);
  }

  bool open(const Nonce& nonce, ByteView ciphertext_and_tag, std::uint8_t* out) override {
    std::uint8_t* const opened = buffer_of(ciphertext_and_tag.size() - kTagSize);
    if (!inner_->open(nonce, ciphertext_and_tag, opened)) return false;
    std::copy_n(opened, ciphertext_and_tag.size() - kTagSize, out);
    return true;
  }

  void rest() override {
    inner_->rest();
    buffer_ = {};
  }
  CipherKind kind() const override { return inner_->kind(); }

 private:
  std::uint8_t* buffer_of(std::size_t size) {
    if (buffer_.size() < size) buffer_.resize(size);
    return buffer_.data();
  }

  std::unique_ptr<PacketCipher> inner_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace

std::unique_ptr<PacketCipher> make_copying_cipher(std::unique_ptr<PacketCipher> inner) {
  return std::make_unique<CopyingCipher>(std::move(inner));
}

}  // namespace godwit
