#include "crypto/packet_sealer.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/assert.h"

namespace godwit {

NonceCounter::NonceCounter(RandomSource& random) {
  std::array<std::uint8_t, 4> prefix;
  random.fill(prefix);
  prefix_ = load_le<std::uint32_t>(prefix.data());
  counter_ = random.next_u64();
}

PacketSealer::PacketSealer(std::unique_ptr<PacketCipher> cipher, RandomSource& random, const SealerLimits& limits)
    : PacketSealer(std::move(cipher), NonceCounter(random), limits) {}

PacketSealer::PacketSealer(std::unique_ptr<PacketCipher> cipher, const NonceCounter& nonces, const SealerLimits& limits)
    : cipher_(std::move(cipher)),
      nonces_(nonces),
      sealed_(limits.already_sealed),
      soft_limit_(limits.soft),
      hard_limit_(limits.hard) {
  GODWIT_ASSERT(cipher_ != nullptr);
}

bool PacketSealer::seal_in_place(MutableBytes datagram) {
  GODWIT_ASSERT(datagram.size() >= kEnvelopeOverhead);
  if (hard_limit_reached()) return false;
  sealed_ += weight(datagram.size());
  const Nonce nonce = write_prefix(datagram.data());
  std::uint8_t* text = datagram.data() + kEnvelopePrefix;
  cipher_->seal(nonce, ByteView(text, datagram.size() - kEnvelopeOverhead), text);
  return true;
}

std::size_t PacketSealer::seal_pieces(ByteView head, ByteView body, ByteView tail, MutableBytes out) {
  const std::size_t size = head.size() + body.size() + tail.size() + kEnvelopeOverhead;
  GODWIT_ASSERT(out.size() >= size);
  if (hard_limit_reached()) return 0;
  sealed_ += weight(size);
  const Nonce nonce = write_prefix(out.data());
  cipher_->seal_pieces(nonce, head, body, tail, out.data() + kEnvelopePrefix);
  return size;
}

bool PacketSealer::seal_batch(std::span<PacketToSeal> packets) {
  if (packets.empty()) return true;
  // No later one is larger than the first.
  const std::uint64_t counted = packets.size() * weight(packets.front().size);
  if (counted > packets_left()) return false;
  sealed_ += counted;
  if (nonces_.salt().is_zero()) [[likely]] {
    for (PacketToSeal& packet : packets) {
      std::uint8_t* const datagram = packet.text - kEnvelopePrefix;
      static_cast<void>(write_prefix(datagram));
      packet.nonce = datagram + 1;
    }
    cipher_->seal_batch(packets);
    return true;
  }
  // The cipher's nonces are not what stands in the datagrams: they live here meanwhile.
  std::array<Nonce, 64> nonces;
  while (!packets.empty()) {
    const std::span<PacketToSeal> some = packets.first(std::min(packets.size(), nonces.size()));
    for (std::size_t i = 0; i < some.size(); ++i) {
      nonces[i] = write_prefix(some[i].text - kEnvelopePrefix);
      some[i].nonce = nonces[i].bytes.data();
    }
    cipher_->seal_batch(some);
    packets = packets.subspan(some.size());
  }
  return true;
}

bool PacketSealer::put_off(std::span<const PacketToSeal> packets, SealJob& job) {
  GODWIT_ASSERT(!job.pending());
  if (packets.size() < SealJob::kLeastPackets || packets.size() > SealJob::kMostPackets) return false;
  const std::uint64_t counted = packets.size() * weight(packets.front().size);
  if (counted > packets_left()) return false;
  job.key_ = cipher_->share_batch_key(packets.size(), packets.front().size);
  if (!job.key_) return false;
  sealed_ += counted;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    job.nonces_[i] = write_prefix(packets[i].text - kEnvelopePrefix);
    job.packets_[i] = packets[i];
    job.packets_[i].nonce = job.nonces_[i].bytes.data();
  }
  job.count_ = packets.size();
  return true;
}

Nonce PacketSealer::write_prefix(std::uint8_t* out) noexcept {
  const Nonce nonce = nonces_.next();
  out[0] = kSymmetricType;
  std::copy(nonce.bytes.begin(), nonce.bytes.end(), out + 1);
  return nonces_.salt().applied_to(nonce.bytes.data());
}

}  // namespace godwit
