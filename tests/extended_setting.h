// Whether the suites about deployed peers run with extended sessions on: GODWIT_TEST_EXTENDED=auto. A deployed peer
// must not notice.
#pragma once

#include <cstdlib>

#include "handshake/session_form.h"

namespace godwit::testing {

inline ExtendedPolicy extended_setting() {
  const char* policy = std::getenv("GODWIT_TEST_EXTENDED");
  return policy == nullptr ? ExtendedPolicy::kOff : parse_extended_policy(policy).value_or(ExtendedPolicy::kOff);
}

}  // namespace godwit::testing
