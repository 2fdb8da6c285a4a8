#include "measure/fingerprint.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "support/json.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace godwit::measure {

namespace {

// Flags that decide which code runs or which clock is read. The whole list changes with every kernel.
constexpr std::string_view kFeatures[] = {"adx",         "aes",       "asimd",  "avx",          "avx2", "avx512bw",
                                          "avx512f",     "avx512vl",  "bmi2",   "constant_tsc", "gfni", "hypervisor",
                                          "nonstop_tsc", "pclmulqdq", "pmull",  "rdtscp",       "sha1", "sha2",
                                          "sha_ni",      "sse2",      "sse4_2", "ssse3",        "vaes", "vpclmulqdq"};

std::string known(std::optional<std::string> value) {
  return value && !value->empty() ? *value : "unknown";
}

std::vector<std::string> features_of(const std::string& cpuinfo) {
  std::optional<std::string> flags = value_of(cpuinfo, "flags");
  if (!flags) flags = value_of(cpuinfo, "Features");  // AArch64 says it so
  std::vector<std::string> found;
  if (!flags) return found;
  const std::vector<std::string_view> words = split_words(*flags);
  for (const std::string_view feature : kFeatures) {
    if (std::find(words.begin(), words.end(), feature) != words.end()) found.emplace_back(feature);
  }
  return found;
}

std::uint64_t count_processors(const SystemFiles& files, const std::string& cpuinfo) {
  std::uint64_t count = 0;
  // "0-3,8,10-11"
  const std::string online = files.read_line("/sys/devices/system/cpu/online").value_or("");
  std::string_view rest = online;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::size_t dash = item.find('-');
    const auto first = parse_integer(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_integer(item.substr(dash + 1));
    if (first && last && *last >= *first) count += static_cast<std::uint64_t>(*last - *first + 1);
  }
  if (count > 0) return count;
  for (const std::string_view line : split_lines(cpuinfo)) count += line.starts_with("processor") ? 1U : 0U;
  return count;
}

std::string governors(const SystemFiles& files) {
  std::set<std::string> names;
  for (const std::string& policy : files.list("/sys/devices/system/cpu/cpufreq")) {
    if (!policy.starts_with("policy")) continue;
    if (const auto name = files.read_line("/sys/devices/system/cpu/cpufreq/" + policy + "/scaling_governor"))
      names.insert(*name);
  }
  if (names.empty()) return "unknown";
  return fmt::format("{}", fmt::join(names, "+"));
}

std::string turbo(const SystemFiles& files) {
  if (const auto boost = files.read_number("/sys/devices/system/cpu/cpufreq/boost")) return *boost != 0 ? "on" : "off";
  if (const auto no_turbo = files.read_number("/sys/devices/system/cpu/intel_pstate/no_turbo"))
    return *no_turbo == 0 ? "on" : "off";
  return "unknown";
}

std::string smt(const SystemFiles& files) {
  if (const auto active = files.read_number("/sys/devices/system/cpu/smt/active")) return *active != 0 ? "on" : "off";
  return "unknown";
}

std::string container(const SystemFiles& files) {
  if (files.exists("/.dockerenv")) return "docker";
  if (files.exists("/run/.containerenv")) return "podman";
  if (const auto name = files.read_line("/run/systemd/container")) return name->empty() ? "container" : *name;
  return "";
}

// The hypervisor's twelve letters, where the processor offers them (leaf 0x40000000).
std::string hypervisor_name() {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  __cpuid(1, a, b, c, d);
  if ((c & (1U << 31U)) == 0) return "";
  __cpuid(0x40000000, a, b, c, d);
  std::array<char, 12> letters{};
  const std::array<unsigned, 3> registers = {b, c, d};
  std::copy_n(reinterpret_cast<const char*>(registers.data()), 12, letters.begin());
  const std::string_view name =
      trim(std::string_view(letters.data(), letters.size()).substr(0, std::string_view(letters.data(), 12).find('\0')));
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"KVMKVMKVM", "kvm"},    {"Linux KVM Hv", "kvm"},  {"Microsoft Hv", "hyper-v"}, {"VMwareVMware", "vmware"},
      {"XenVMMXenVMM", "xen"}, {"TCGTCGTCGTCG", "qemu"}, {"bhyve bhyve", "bhyve"},    {"VBoxVBoxVBox", "virtualbox"}};
  for (const auto& [letters_of, plain] : kNames) {
    if (name == letters_of) return std::string(plain);
  }
  return "hypervisor";
#else
  return "";
#endif
}

std::string distribution(const SystemFiles& files) {
  const std::string table = files.read("/etc/os-release").value_or("");
  for (const std::string_view line : split_lines(table)) {
    if (!line.starts_with("PRETTY_NAME=")) continue;
    std::string_view name = line.substr(12);
    if (name.size() >= 2 && name.front() == '"') name = name.substr(1, name.size() - 2);
    return std::string(name);
  }
  return "unknown";
}

std::string joined_libraries(const std::map<std::string, std::string>& libraries) {
  std::vector<std::string> items;
  for (const auto& [name, version] : libraries) items.push_back(name + " " + version);
  return fmt::format("{}", fmt::join(items, ", "));
}

// The members that forbid a comparison when they differ, as text.
std::vector<std::pair<std::string, std::string>> decisive_members(const Fingerprint& f) {
  return {{"architecture", f.architecture},
          {"processor", f.processor},
          {"processor_id", f.processor_id},
          {"microcode", f.microcode},
          {"features", fmt::format("{}", fmt::join(f.features, " "))},
          {"processors", std::to_string(f.processors)},
          {"smt", f.smt},
          {"governor", f.governor},
          {"turbo", f.turbo},
          {"virtualization", f.virtualization},
          {"kernel", f.kernel},
          {"compiler", f.compiler},
          {"flags", f.flags},
          {"build_type", f.build_type},
          {"instruction_set", f.instruction_set},
          {"sanitizers", f.sanitizers},
          {"libraries", joined_libraries(f.libraries)},
          {"cipher", f.cipher}};
}

}  // namespace

std::string detect_virtualization(const SystemFiles& files) {
  const std::string boxed = container(files);
  const std::optional<std::string> cpuinfo = files.read("/proc/cpuinfo");
  if (!cpuinfo) return boxed.empty() ? "unknown" : boxed;
  const std::vector<std::string> features = features_of(*cpuinfo);
  std::string machine;
  if (std::find(features.begin(), features.end(), "hypervisor") != features.end()) {
    machine = files.is_real() ? hypervisor_name() : "";
    if (machine.empty()) machine = "hypervisor";
  } else if (files.exists("/sys/hypervisor/type")) {
    machine = known(files.read_line("/sys/hypervisor/type"));
  }
  if (machine.empty()) return boxed.empty() ? "none" : boxed;
  return boxed.empty() ? machine : machine + "+" + boxed;
}

Fingerprint take_fingerprint(const std::string& cipher, const std::map<std::string, std::string>& more_libraries,
                             const SystemFiles& files, const BuildFacts& build) {
  const std::string cpuinfo = files.read("/proc/cpuinfo").value_or("");
  Fingerprint f;
  utsname system{};
  if (::uname(&system) == 0) f.architecture = system.machine;
  f.processor = known(value_of(cpuinfo, "model name"));
  f.processor_id =
      fmt::format("{} {}.{}.{}", known(value_of(cpuinfo, "vendor_id")), known(value_of(cpuinfo, "cpu family")),
                  known(value_of(cpuinfo, "model")), known(value_of(cpuinfo, "stepping")));
  f.microcode = known(value_of(cpuinfo, "microcode"));
  f.features = features_of(cpuinfo);
  f.processors = count_processors(files, cpuinfo);
  f.smt = smt(files);
  f.governor = governors(files);
  f.turbo = turbo(files);
  f.virtualization = detect_virtualization(files);
  if (const auto memory = value_of(files.read("/proc/meminfo").value_or(""), "MemTotal")) {
    const std::vector<std::string_view> words = split_words(*memory);
    if (!words.empty())
      f.memory_bytes =
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, parse_integer(words[0]).value_or(0))) * 1024;
  }
  f.kernel = known(files.read_line("/proc/sys/kernel/osrelease"));
  f.distribution = distribution(files);
  f.compiler = build.compiler;
  f.flags = build.flags;
  f.build_type = build.build_type;
  f.instruction_set = build.instruction_set;
  f.sanitizers = build.sanitizers;
  f.commit = build.commit;
  f.dirty = build.dirty;
  f.libraries = build.libraries;
  for (const auto& [name, version] : more_libraries) f.libraries[name] = version;
  f.cipher = cipher;
  return f;
}

std::vector<std::string> fingerprint_differences(const Fingerprint& baseline, const Fingerprint& candidate) {
  std::vector<std::string> differences;
  const auto before = decisive_members(baseline);
  const auto after = decisive_members(candidate);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].second == after[i].second) continue;
    differences.push_back(fmt::format("{}: {}, was {}", before[i].first,
                                      after[i].second.empty() ? "none" : after[i].second,
                                      before[i].second.empty() ? "none" : before[i].second));
  }
  // The kernel keeps a varying little of the memory for itself.
  const auto larger = static_cast<double>(std::max(baseline.memory_bytes, candidate.memory_bytes));
  const auto smaller = static_cast<double>(std::min(baseline.memory_bytes, candidate.memory_bytes));
  if (smaller < 0.95 * larger) {
    differences.push_back(
        fmt::format("memory: {} MiB, was {} MiB", candidate.memory_bytes >> 20U, baseline.memory_bytes >> 20U));
  }
  return differences;
}

std::string describe_machine(const Fingerprint& fingerprint) {
  std::string text = fmt::format("{}, {} processor{}", fingerprint.processor, fingerprint.processors,
                                 fingerprint.processors == 1 ? "" : "s");
  if (fingerprint.virtualization != "none") text += ", " + fingerprint.virtualization;
  return text + ", Linux " + fingerprint.kernel;
}

std::string describe_build(const Fingerprint& fingerprint) {
  return fmt::format("commit {}{}, {}, {}", fingerprint.commit, fingerprint.dirty ? " (dirty)" : "",
                     fingerprint.compiler, fingerprint.build_type);
}

Json to_json(const Fingerprint& f) {
  Json libraries = Json::object();
  for (const auto& [name, version] : f.libraries) libraries[name] = version;
  return {{"machine",
           {{"architecture", f.architecture},
            {"processor", f.processor},
            {"processor_id", f.processor_id},
            {"microcode", f.microcode},
            {"features", f.features},
            {"processors", f.processors},
            {"smt", f.smt},
            {"governor", f.governor},
            {"turbo", f.turbo},
            {"virtualization", f.virtualization},
            {"memory_bytes", f.memory_bytes}}},
          {"system", {{"kernel", f.kernel}, {"distribution", f.distribution}}},
          {"build",
           {{"compiler", f.compiler},
            {"flags", f.flags},
            {"build_type", f.build_type},
            {"instruction_set", f.instruction_set},
            {"sanitizers", f.sanitizers},
            {"commit", f.commit},
            {"dirty", f.dirty},
            {"libraries", libraries},
            {"cipher", f.cipher}}}};
}

Fingerprint fingerprint_from_json(JsonReader reader) {
  Fingerprint f;
  JsonReader machine = reader.object("machine");
  f.architecture = machine.text("architecture");
  f.processor = machine.text("processor");
  f.processor_id = machine.text("processor_id");
  f.microcode = machine.text("microcode");
  f.features = machine.texts("features");
  f.processors = machine.count("processors");
  f.smt = machine.text("smt");
  f.governor = machine.text("governor");
  f.turbo = machine.text("turbo");
  f.virtualization = machine.text("virtualization");
  f.memory_bytes = machine.count("memory_bytes");
  JsonReader system = reader.object("system");
  f.kernel = system.text("kernel");
  f.distribution = system.text("distribution");
  JsonReader build = reader.object("build");
  f.compiler = build.text("compiler");
  f.flags = build.text("flags");
  f.build_type = build.text("build_type");
  f.instruction_set = build.text("instruction_set");
  f.sanitizers = build.text("sanitizers");
  f.commit = build.text("commit");
  f.dirty = build.flag("dirty");
  for (auto& [name, version] : build.text_map("libraries")) f.libraries[name] = version;
  f.cipher = build.text("cipher");
  return f;
}

}  // namespace godwit::measure
