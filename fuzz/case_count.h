// For targets whose executions each compare many cases: their sum, printed when the process ends, which
// tools/fuzz_campaign.py adds to the record.
#pragma once

#include <cstdint>
#include <cstdio>

namespace godwit::fuzz {

class CaseCount {
 public:
  CaseCount() = default;
  CaseCount(const CaseCount&) = delete;
  CaseCount& operator=(const CaseCount&) = delete;
  // libFuzzer ends its process through exit(), so that objects of static lifetime are destroyed.
  ~CaseCount() { std::fprintf(stderr, "stat::number_of_cases: %llu\n", static_cast<unsigned long long>(cases_)); }

  void add(std::uint64_t cases) { cases_ += cases; }

 private:
  std::uint64_t cases_ = 0;
};

}  // namespace godwit::fuzz
