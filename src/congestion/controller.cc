#include "congestion/controller.h"

#include <array>

#include "base/assert.h"
#include "congestion/bbr.h"
#include "congestion/cubic.h"
#include "congestion/fixed_rate.h"
#include "congestion/ledbat.h"
#include "congestion/newreno.h"

namespace godwit {
namespace {

struct NamedKind {
  CongestionKind kind;
  std::string_view name;
};
constexpr std::array<NamedKind, 5> kNames{{{CongestionKind::kCubic, "cubic"},
                                           {CongestionKind::kNewReno, "newreno"},
                                           {CongestionKind::kBbr, "bbr"},
                                           {CongestionKind::kLedbat, "ledbat"},
                                           {CongestionKind::kFixedRate, "fixed"}}};

}  // namespace

std::string_view to_string(CongestionKind kind) {
  for (const NamedKind& entry : kNames) {
    if (entry.kind == kind) return entry.name;
  }
  return "unknown";
}

std::optional<CongestionKind> parse_congestion_kind(std::string_view text) {
  for (const NamedKind& entry : kNames) {
    if (entry.name == text) return entry.kind;
  }
  return std::nullopt;
}

std::unique_ptr<CongestionController> make_controller(CongestionKind kind, const ControllerConfig& config) {
  GODWIT_ASSERT(config.datagram_bytes > 0);
  // The least window of any kind.
  GODWIT_ASSERT(config.maximum_window_bytes >= 4 * std::uint64_t{config.datagram_bytes} &&
                config.maximum_window_bytes >= config.minimum_window());
  switch (kind) {
    case CongestionKind::kCubic: return std::make_unique<CubicController>(config);
    case CongestionKind::kNewReno: return std::make_unique<NewRenoController>(config);
    case CongestionKind::kBbr: return std::make_unique<BbrController>(config);
    case CongestionKind::kLedbat: return std::make_unique<LedbatController>(config);
    case CongestionKind::kFixedRate: return std::make_unique<FixedRateController>(config);
  }
  return std::make_unique<CubicController>(config);
}

}  // namespace godwit
