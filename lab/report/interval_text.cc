#include "report/interval_text.h"

#include <fmt/format.h>

#include "support/format.h"

namespace godwit::report {

std::string format_interval(const measure::Interval& interval, std::string_view unit) {
  const Scale scale = scale_for(interval.estimate, unit);
  return fmt::format("{} ({} – {}){}{}", format_number(interval.estimate * scale.factor),
                     format_number(interval.low * scale.factor), format_number(interval.high * scale.factor),
                     scale.unit.empty() ? "" : " ", scale.unit);
}

}  // namespace godwit::report
