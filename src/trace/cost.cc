#include "trace/cost.h"

#include <array>

namespace godwit::trace {

std::string_view cost_step_name(CostStep step) {
  constexpr std::array<std::string_view, kCostSteps> kNames = {
      "other", "idle", "encode", "seal",       "bookkeeping", "send_call", "receive_call",
      "route", "open", "decode", "reassemble", "acknowledge", "digest",    "application"};
  const auto index = static_cast<std::size_t>(step);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace godwit::trace
