// The running kernel's version, for the one feature that no probe can judge: segmentation offload on kernels whose
// defect shows only behind real network drivers.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace godwit {

struct KernelVersion {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;

  // Reads the beginning of a release such as "6.18.44-generic"; a missing patch is 0. Nothing without "major.minor".
  static std::optional<KernelVersion> parse(std::string_view release);
  // 0.0.0 where uname fails or says something else.
  static KernelVersion running();

  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};

// Linux 7.0 to 7.1.4 damages batches whose segments are all of one size behind some drivers (tailscale pull request
// 19918): headers and checksums arrive mangled, which no local call reports.
[[nodiscard]] bool has_segmentation_defect(const KernelVersion& version);

}  // namespace godwit
