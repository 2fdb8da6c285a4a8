// What each implementation of the packet cipher costs on this machine, measured in a few milliseconds: for
// `godwit doctor`. The benchmark suite (level0/seal-batch, level0/open-batch) measures the same with repetitions and
// intervals.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/packet_cipher.h"
#include "report/table.h"
#include "support/json.h"

namespace godwit::cli {

struct CipherSpeed {
  CipherKind kind = CipherKind::kOpenssl;
  std::string description;
  bool available = false;
  bool chosen = false;  // it is what connections use unless told otherwise
  // Nanoseconds per packet of 1171 bytes in a batch of 54, and alone; the fastest of several rounds. 0 where the cipher
  // is not available.
  double seal_batch = 0;
  double open_batch = 0;
  double seal_single = 0;
  double open_single = 0;
};

// Of all implementations, or of `only` one.
[[nodiscard]] std::vector<CipherSpeed> measure_cipher_speeds(std::optional<CipherKind> only);
[[nodiscard]] report::Table cipher_table(const std::vector<CipherSpeed>& speeds);
[[nodiscard]] measure::Json to_json(const std::vector<CipherSpeed>& speeds);

}  // namespace godwit::cli
