// The version of these headers, for the preprocessor of C and C++. version() and godwit_version() name that of the
// library that is linked.
#pragma once

// Grows when programs have to change.
#define GODWIT_VERSION_MAJOR 0
// Grows when something is added; before 1.0 also when something changes.
#define GODWIT_VERSION_MINOR 1
// Grows with corrections alone.
#define GODWIT_VERSION_PATCH 0
// 10,000 × major + 100 × minor + patch.
#define GODWIT_VERSION_NUMBER (GODWIT_VERSION_MAJOR * 10000 + GODWIT_VERSION_MINOR * 100 + GODWIT_VERSION_PATCH)
