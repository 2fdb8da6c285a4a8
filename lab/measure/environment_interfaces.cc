#include <fmt/format.h>

#include "measure/environment_checks.h"
#include "measure/interface_features.h"
#include "measure/netlink.h"

namespace godwit::measure {

namespace {

// 1200 bytes of datagram, 8 of UDP, 40 of IPv6.
constexpr std::uint32_t kLeastMtu = 1248;

void check_interface(const LinkFacts& link, Findings& findings) {
  const std::string name = "interface." + link.name;
  std::string value = fmt::format("mtu {}", link.mtu);
  if (!link.queue_discipline.empty()) value += ", " + link.queue_discipline;
  const Result<InterfaceFeatures> features = read_interface_features(link.name);
  if (!features) {
    findings.unknown(name, value + "; offloads: " + features.error().message);
    return;
  }
  const auto state = [&features](const char* feature) { return features->has(feature) ? "on" : "off"; };
  const bool checksum = features->has("tx-checksum-ip-generic") || features->has("tx-checksum-ipv4");
  value += fmt::format(", gso {}, udp segmentation {}, gro {}, checksums {}", state("tx-generic-segmentation"),
                       state("tx-udp-segmentation"), state("rx-gro"), checksum ? "on" : "off");
  if (link.has_xdp) value += ", xdp program";
  if (link.mtu < kLeastMtu) {
    findings.invalid(name, value, {2, 3}, "datagrams of 1200 bytes are cut in pieces or refused",
                     fmt::format("ip link set {} mtu 1500", link.name));
  } else if (link.has_xdp) {
    findings.costs(name, value, "a program looks at every packet, and generic receive offload may be off",
                   fmt::format("ip link set {} xdp off", link.name));
  } else if (!checksum) {
    findings.costs(name, value, "segmentation offload fails without checksum offload (EIO): one call a datagram",
                   fmt::format("ethtool -K {} tx on", link.name));
  } else if (!features->has("rx-gro")) {
    findings.costs(name, value, "1.2 to 2.2 times the receiver's cost", fmt::format("ethtool -K {} gro on", link.name));
  } else if (!features->has("tx-generic-segmentation")) {
    findings.costs(name, value, "runs are cut before they reach the driver",
                   fmt::format("ethtool -K {} gso on", link.name));
  } else {
    findings.ok(name, value);
  }
}

}  // namespace

void check_interfaces(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    findings.unknown("interface.all", kNotProbed);
    return;
  }
  const Result<std::vector<LinkFacts>> links = list_links();
  if (!links) {
    findings.unknown("interface.all", links.error().message);
    return;
  }
  for (const LinkFacts& link : *links) {
    if (link.up) check_interface(link, findings);
  }
}

}  // namespace godwit::measure
