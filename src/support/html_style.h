// The style sheet of every page with charts: the classes that support/svg.h and the report's tables name.
#pragma once

#include <string_view>

namespace godwit::report {

// CSS for light and dark, wide and narrow; static storage.
[[nodiscard]] std::string_view html_style();

}  // namespace godwit::report
