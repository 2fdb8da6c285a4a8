#include "congestion/controller.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "congestion/bbr.h"
#include "congestion/cubic.h"
#include "congestion/fixed_rate.h"
#include "congestion/ledbat.h"
#include "congestion/newreno.h"

namespace godwit {
namespace {

template <typename Controller>
std::unique_ptr<CongestionController> make(const ControllerConfig& config) {
  return std::make_unique<Controller>(config);
}

struct Entry {
  CongestionKind kind;
  std::string_view name;
  std::unique_ptr<CongestionController> (*factory)(const ControllerConfig& config);
  bool adaptive;  // finds the rate of a path by itself
};
// Every list of controllers follows from this one. New entries go to the end: random scenarios draw by position.
constexpr std::array kTable = {
    Entry{CongestionKind::kCubic, "cubic", make<CubicController>, true},
    Entry{CongestionKind::kNewReno, "newreno", make<NewRenoController>, true},
    Entry{CongestionKind::kBbr, "bbr", make<BbrController>, true},
    Entry{CongestionKind::kLedbat, "ledbat", make<LedbatController>, true},
    Entry{CongestionKind::kFixedRate, "fixed", make<FixedRateController>, false},
};

constexpr auto kKinds = [] {
  std::array<CongestionKind, kTable.size()> kinds{};
  std::ranges::transform(kTable, kinds.begin(), &Entry::kind);
  return kinds;
}();
constexpr auto kNames = [] {
  std::array<std::string_view, kTable.size()> names{};
  std::ranges::transform(kTable, names.begin(), &Entry::name);
  return names;
}();
constexpr auto kAdaptiveKinds = [] {
  std::array<CongestionKind, std::ranges::count_if(kTable, &Entry::adaptive)> kinds{};
  std::size_t count = 0;
  for (const Entry& entry : kTable) {
    if (entry.adaptive) kinds[count++] = entry.kind;
  }
  return kinds;
}();

const Entry* find(CongestionKind kind) {
  const auto* const entry = std::ranges::find(kTable, kind, &Entry::kind);
  return entry == kTable.end() ? nullptr : entry;
}

}  // namespace

std::span<const CongestionKind> congestion_kinds() {
  return kKinds;
}

std::span<const CongestionKind> adaptive_congestion_kinds() {
  return kAdaptiveKinds;
}

std::span<const std::string_view> congestion_names() {
  return kNames;
}

std::string_view to_string(CongestionKind kind) {
  const Entry* const entry = find(kind);
  return entry == nullptr ? "unknown" : entry->name;
}

std::optional<CongestionKind> parse_congestion_kind(std::string_view text) {
  for (const Entry& entry : kTable) {
    if (entry.name == text) return entry.kind;
  }
  return std::nullopt;
}

std::optional<CongestionKind> congestion_kind_of(std::uint8_t value) {
  const Entry* const entry = find(static_cast<CongestionKind>(value));
  return entry == nullptr ? std::nullopt : std::optional(entry->kind);
}

std::unique_ptr<CongestionController> make_controller(CongestionKind kind, const ControllerConfig& config) {
  GODWIT_ASSERT(config.datagram_bytes > 0);
  // The least window of any kind.
  GODWIT_ASSERT(config.maximum_window_bytes >= 4 * std::uint64_t{config.datagram_bytes} &&
                config.maximum_window_bytes >= config.minimum_window());
  const Entry* const entry = find(kind);
  GODWIT_ASSERT(entry != nullptr);
  return entry->factory(config);
}

}  // namespace godwit
