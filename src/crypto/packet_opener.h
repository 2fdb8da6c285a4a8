// The receiving half of the symmetric envelope (wire spec 1.3): checks the tag and yields the plaintext. The first step
// of a packet inside a connection. One PacketOpener belongs to one inbound key; a session that has two live keys asks
// one after the other with open_copy(), because a wrong key opening in place destroys what the right one needs.
// Any nonce in any order is accepted: replay is the acknowledgement tracker's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/packet_cipher.h"
#include "crypto/packet_sealer.h"

namespace godwit {

class PacketOpener {
 public:
  explicit PacketOpener(std::unique_ptr<PacketCipher> cipher, const NonceSalt& salt = {});

  // The caller has checked type byte and length (kSymmetricType, at least kEnvelopeOverhead bytes). The plaintext is a
  // view inside `datagram`. Nothing when the tag is wrong; the datagram's bytes are then destroyed.
  [[nodiscard]] std::optional<MutableBytes> open_in_place(MutableBytes datagram);

  // The same into the front of `scratch` (at least datagram.size() - kEnvelopeOverhead bytes, no overlap), leaving the
  // datagram intact for the next key. Nothing when the tag is wrong; `scratch` then holds zeros.
  [[nodiscard]] std::optional<MutableBytes> open_copy(ByteView datagram, MutableBytes scratch);

  // What open_batch() takes for one datagram: `out` (of the size of the plaintext, no overlap) receives the plaintext;
  // without it the datagram is opened in place.
  [[nodiscard]] static PacketToOpen to_open(MutableBytes datagram, std::uint8_t* out = nullptr) {
    GODWIT_ASSERT(datagram.size() >= kEnvelopeOverhead);
    std::uint8_t* const text = datagram.data() + kEnvelopePrefix;
    return {.nonce = datagram.data() + 1,
            .sealed = text,
            .out = out != nullptr ? out : text,
            .size = datagram.size() - kEnvelopeOverhead};
  }

  // Opens a batch (PacketCipher::open_batch); of a packet that is not authentic nothing is left but zeros.
  void open_batch(std::span<PacketToOpen> packets);

  // Gives the expanded key's memory back until the next packet (PacketCipher::release_key_schedule).
  void release_key_schedule() { cipher_->release_key_schedule(); }

  // Datagrams whose tag was right.
  [[nodiscard]] std::uint64_t packets_opened() const { return opened_; }
  [[nodiscard]] CipherKind cipher_kind() const { return cipher_->kind(); }

 private:
  std::unique_ptr<PacketCipher> cipher_;
  NonceSalt salt_;
  std::uint64_t opened_ = 0;
};

}  // namespace godwit
