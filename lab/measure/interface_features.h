// What an interface's driver is asked to do for the processor (ethtool): segmentation, coalescing, checksums. Features
// are named as the kernel names them ("tx-udp-segmentation", "rx-gro").
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace godwit::measure {

struct InterfaceFeatures {
  std::map<std::string, bool> active;  // every feature of the kernel, on or off

  [[nodiscard]] bool has(const std::string& feature) const {
    const auto found = active.find(feature);
    return found != active.end() && found->second;
  }
};

// Errors: kNotFound without such an interface, else kSystem.
[[nodiscard]] Result<InterfaceFeatures> read_interface_features(const std::string& interface);

}  // namespace godwit::measure
