// What the implementations of PacketCipher share: the key, and batches. A batch goes to the kernel of the kind that was
// asked for, where there is one and it is worth it, and otherwise packet by packet through the implementation for
// single packets. Base class of these implementations; used by nothing else.
#pragma once

#include <memory>
#include <span>

#include "crypto/batch_key.h"
#include "crypto/gcm_batch.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"

namespace godwit {

class KeyedCipher : public PacketCipher {
 public:
  void seal_pieces(const Nonce& nonce, ByteView head, ByteView body, ByteView tail, std::uint8_t* out) final;
  [[nodiscard]] bool open(const Nonce& nonce, ByteView ciphertext_and_tag, std::uint8_t* out) final;
  void seal_batch(std::span<const PacketToSeal> packets) final;
  void open_batch(std::span<PacketToOpen> packets) final;
  [[nodiscard]] BatchKey share_batch_key(std::size_t packets, std::size_t longest_text) final;
  void release_key_schedule() final;
  [[nodiscard]] CipherKind kind() const final { return kind_; }

 protected:
  KeyedCipher(CipherKind kind, const SymmetricKey& key) : key_(key), kind_(kind) {}
  [[nodiscard]] const SymmetricKey& key() const { return key_; }

  // PacketCipher::open() without wiping `out` when the tag is wrong.
  [[nodiscard]] virtual bool decrypt(const Nonce& nonce, ByteView ciphertext_and_tag, std::uint8_t* out) = 0;
  // PacketCipher::release_key_schedule() of what single packets need.
  virtual void rest_single() = 0;

 private:
  // The kernel for a batch of that many packets; null where it is not worth it.
  [[nodiscard]] const GcmKernel* kernel_for(std::size_t packets) const;
  const std::shared_ptr<const GcmTables>& tables(const GcmKernel& kernel);

  // Every idle connection has two of these objects: what can be looked up is not kept.
  SymmetricKey key_;
  std::shared_ptr<const GcmTables> tables_;  // from the first batch on, until release_key_schedule()
  CipherKind kind_;
};

}  // namespace godwit
