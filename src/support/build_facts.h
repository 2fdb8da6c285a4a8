// What this program was built from: commit, compiler, flags, libraries. The generated part is written by
// build_facts.cmake at build time; the rest are facts only the compiler knows. No path of the build machine is kept.
#pragma once

#include <map>
#include <string>

namespace godwit::measure {

// The generated source defines this; string literals only.
struct GeneratedBuildFacts {
  const char* commit;
  bool commit_known;
  bool dirty;
  const char* compiler;
  const char* flags;
  const char* build_type;
  const char* version;
  const char* libraries;  // "name=version,name=version"
};
[[nodiscard]] GeneratedBuildFacts generated_build_facts();

struct BuildFacts {
  std::string commit;  // 12 hexadecimal digits, "unknown" outside a repository
  bool commit_known = false;
  bool dirty = false;  // sources differ from the commit
  std::string compiler;
  std::string flags;
  std::string build_type;
  std::string version;
  std::map<std::string, std::string> libraries;
  bool optimised = false;       // the compiler was asked to optimise
  bool assertions_off = false;  // NDEBUG; Godwit's own assertions stay on either way
  std::string sanitizers;       // "address", "thread", … or empty
  std::string instruction_set;  // what the code may use without asking the CPU: "x86-64", "x86-64 +avx2", …
};
[[nodiscard]] BuildFacts build_facts();

}  // namespace godwit::measure
