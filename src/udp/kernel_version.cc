#include "udp/kernel_version.h"

#include <sys/utsname.h>

#include <charconv>

namespace godwit {

std::optional<KernelVersion> KernelVersion::parse(std::string_view release) {
  KernelVersion version;
  const char* at = release.data();
  const char* const end = at + release.size();
  const auto number = [&at, end](unsigned& out) {
    const auto [next, error] = std::from_chars(at, end, out);
    if (error != std::errc{}) return false;
    at = next;
    return true;
  };
  const auto dot = [&at, end] { return at != end && *at == '.' && ++at != end; };
  if (!number(version.major) || !dot() || !number(version.minor)) return std::nullopt;
  if (dot() && !number(version.patch)) version.patch = 0;
  return version;
}

KernelVersion KernelVersion::running() {
  utsname name{};
  if (::uname(&name) != 0) return {};
  return parse(name.release).value_or(KernelVersion{});
}

std::string KernelVersion::to_string() const {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

bool has_segmentation_defect(const KernelVersion& version) {
  return version >= KernelVersion{7, 0, 0} && version <= KernelVersion{7, 1, 4};
}

}  // namespace godwit
