// Which machine, system and build a result comes from. A baseline is only compared with results of an equal machine
// and build environment; the commit may differ, since that is what a comparison is about. No path, host name, user or
// serial number is kept.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "support/build_facts.h"
#include "support/json_fwd.h"
#include "measure/system_files.h"

namespace godwit::measure {

struct Fingerprint {
  // Machine.
  std::string architecture;           // "x86_64"
  std::string processor;              // model name
  std::string processor_id;           // "AuthenticAMD 26.2.1": vendor, family, model, stepping
  std::string microcode;              // "unknown" where it is not shown
  std::vector<std::string> features;  // flags that change what is measured, sorted
  std::uint64_t processors = 0;       // online
  std::string smt;                    // "on", "off", "unknown"
  std::string governor;               // "performance", "unknown", … ; several, joined, where processors differ
  std::string turbo;                  // "on", "off", "unknown"
  std::string virtualization;         // "none", "kvm", "docker", …; "unknown"
  std::uint64_t memory_bytes = 0;
  // System.
  std::string kernel;  // release
  std::string distribution;
  // Build.
  std::string compiler;
  std::string flags;
  std::string build_type;
  std::string instruction_set;
  std::string sanitizers;
  std::string commit;
  bool dirty = false;
  std::map<std::string, std::string> libraries;
  std::string cipher;  // the packet cipher that was chosen
};

// `cipher` and `more_libraries` come from the caller: measure/ knows no cryptography.
[[nodiscard]] Fingerprint take_fingerprint(const std::string& cipher = "",
                                           const std::map<std::string, std::string>& more_libraries = {},
                                           const SystemFiles& files = {}, const BuildFacts& build = build_facts());

// What forbids to compare `candidate` with `baseline`: one line a difference, "kernel: 6.1.0, was 6.0.9". Empty when
// they may be compared. Commit and dirtiness never forbid.
[[nodiscard]] std::vector<std::string> fingerprint_differences(const Fingerprint& baseline,
                                                               const Fingerprint& candidate);

// "AMD EPYC, 2 processors, KVM, Linux 6.18.44": one line for the head of a report.
[[nodiscard]] std::string describe_machine(const Fingerprint& fingerprint);
// "commit 6daa88412345 (dirty), GNU 12.2.0, Release".
[[nodiscard]] std::string describe_build(const Fingerprint& fingerprint);

// The kernel's and the processor's word on virtual machines and containers: "none", "kvm", "vmware", "docker", …, or
// "hypervisor" for one without a name; "unknown" where /proc/cpuinfo cannot be read.
[[nodiscard]] std::string detect_virtualization(const SystemFiles& files);

[[nodiscard]] Json to_json(const Fingerprint& fingerprint);
[[nodiscard]] Fingerprint fingerprint_from_json(JsonReader reader);

}  // namespace godwit::measure
