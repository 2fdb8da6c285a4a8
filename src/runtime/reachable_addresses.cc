#include "runtime/reachable_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>

#include "udp/sockaddr.h"

namespace godwit {
namespace {

// Of this machine's own: more make a word that nobody wants to pass on.
constexpr std::size_t kMostInterfaceAddresses = 6;

// Where others are most likely to reach it first: public, private, this machine alone.
constexpr int kThisMachine = 2;
int rank(const SocketAddress& address) {
  const bool link_local = address.is_ipv4() && address.octets()[0] == 169 && address.octets()[1] == 254;
  return address.is_loopback() ? kThisMachine : address.is_private() || link_local ? 1 : 0;
}

std::vector<SocketAddress> interface_addresses(std::uint16_t port, bool ipv4_alone) {
  std::vector<SocketAddress> addresses;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return addresses;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && (family != AF_INET6 || ipv4_alone)) continue;
    const auto size = static_cast<socklen_t>(family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto address = from_kernel(entry->ifa_addr, size);
    if (address && !address->is_link_local()) addresses.push_back(address->with_port(port));
  }
  // Within a rank in the kernel's order. (clang takes what std::stable_sort does for deprecated.)
  std::vector<SocketAddress> ordered;
  for (int wanted = 0; wanted <= kThisMachine; ++wanted) {
    std::ranges::copy_if(addresses, std::back_inserter(ordered),
                         [wanted](const SocketAddress& address) { return rank(address) == wanted; });
  }
  const bool any_other = !ordered.empty() && rank(ordered.front()) < kThisMachine;
  if (any_other) std::erase_if(ordered, std::mem_fn(&SocketAddress::is_loopback));
  if (ordered.size() > kMostInterfaceAddresses) ordered.resize(kMostInterfaceAddresses);
  return ordered;
}

}  // namespace

std::vector<SocketAddress> reachable_addresses(const SocketAddress& local) {
  return local.is_wildcard() ? interface_addresses(local.port(), local.is_ipv4()) : std::vector<SocketAddress>{local};
}

}  // namespace godwit
