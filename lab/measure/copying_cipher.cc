#include "measure/copying_cipher.h"

#include <algorithm>
#include <array>
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
    const bool authentic = inner_->open(nonce, ciphertext_and_tag, opened);
    std::copy_n(opened, ciphertext_and_tag.size() - kTagSize, out);
    return authentic;
  }

  void seal_batch(std::span<const PacketToSeal> packets) override {
    for (; !packets.empty(); packets = packets.subspan(std::min(packets.size(), kAtOnce))) {
      std::array<PacketToSeal, kAtOnce> gathered;
      const auto some = packets.first(std::min(packets.size(), kAtOnce));
      for (std::size_t i = 0; i < some.size(); ++i) gathered[i] = copied(some[i]);
      inner_->seal_batch(std::span(gathered).first(some.size()));
    }
  }

  void open_batch(std::span<PacketToOpen> packets) override {
    for (; !packets.empty(); packets = packets.subspan(std::min(packets.size(), kAtOnce))) {
      const auto some = packets.first(std::min(packets.size(), kAtOnce));
      std::array<std::uint8_t*, kAtOnce> places;
      std::size_t bytes = 0;
      for (const PacketToOpen& packet : some) bytes += packet.size;
      std::uint8_t* at = buffer_of(bytes);
      for (std::size_t i = 0; i < some.size(); ++i) {
        places[i] = std::exchange(some[i].out, at);
        at += some[i].size;
      }
      inner_->open_batch(some);
      for (std::size_t i = 0; i < some.size(); ++i) {
        const std::uint8_t* const opened = std::exchange(some[i].out, places[i]);
        std::copy_n(opened, some[i].size, some[i].out);
      }
    }
  }

  void release_key_schedule() override {
    inner_->release_key_schedule();
    buffer_ = {};
  }
  CipherKind kind() const override { return inner_->kind(); }

 private:
  static constexpr std::size_t kAtOnce = 64;

  // With its body gathered and then copied to its place.
  PacketToSeal copied(const PacketToSeal& packet) {
    PacketToSeal gathered = packet;
    gathered.body = nullptr;
    gathered.body_size = 0;
    if (packet.body_size == 0) return gathered;
    const MutableBytes body = gather_pieces({}, {packet.body, packet.body_size}, {}, buffer_of(packet.body_size));
    std::ranges::copy(body, packet.text + packet.head_size);
    return gathered;
  }

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
