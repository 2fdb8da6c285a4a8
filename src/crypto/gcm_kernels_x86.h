// The kernels of gcm_batch.h, one for each width of vectors, and what they share. Used by gcm_batch_x86.cc, which knows
// what the processor can execute, and by the kernels.
#pragma once

#include "crypto/gcm_batch.h"

namespace godwit::gcm {

extern const GcmKernel kAvx512Kernel;
extern const GcmKernel kAvx2Kernel;
extern const GcmKernel kAesniKernel;

// Fills the tables from a key, in less time than a packet takes. Needs AES-NI and PCLMULQDQ.
void expand_gcm_key(const SymmetricKey& key, GcmTables& tables);

}  // namespace godwit::gcm
