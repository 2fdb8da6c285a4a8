// The digest that both ends of a measured transfer keep of its payload (decisions 15): XXH3, 64 bits, streaming.
#pragma once

#include <xxhash.h>

#include <memory>

#include "base/bytes.h"

namespace godwit::bench {

class PayloadDigest {
 public:
  PayloadDigest() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }
  void update(ByteView bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
  [[nodiscard]] std::uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace godwit::bench
