// A key as other threads may use it: tables that nobody changes (gcm_batch.h), and the kernel that reads them. Made by
// a PacketCipher whose kind has such tables; a PacketCipher itself serves one thread at a time. The tables live, and
// are wiped, with their last holder: a key that is replaced or a connection that ends takes nothing from under a job.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "base/assert.h"
#include "crypto/gcm_batch.h"
#include "crypto/packet_cipher.h"

namespace godwit {

class BatchKey {
 public:
  // Empty.
  BatchKey() = default;
  BatchKey(const GcmKernel& kernel, std::shared_ptr<const GcmTables> tables)
      : kernel_(&kernel), tables_(std::move(tables)) {}

  explicit operator bool() const { return tables_ != nullptr; }
  // PacketCipher::seal_batch(), of what share_batch_key() was asked for. Any thread; requires a key.
  void seal(std::span<const PacketToSeal> packets) const {
    GODWIT_ASSERT(tables_ != nullptr);
    kernel_->seal(*tables_, packets);
  }

 private:
  const GcmKernel* kernel_ = nullptr;
  std::shared_ptr<const GcmTables> tables_;
};

}  // namespace godwit
