#include "base/bytes.h"
#include "crypto/gcm_batch.h"

namespace godwit {

const GcmKernel* gcm_kernel(CipherKind) {
  return nullptr;
}

GcmTables::~GcmTables() {
  wipe({reinterpret_cast<std::uint8_t*>(this), sizeof *this});
}

}  // namespace godwit
