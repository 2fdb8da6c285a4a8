#include "runtime/reachable_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <memory>

#include "udp/sockaddr.h"

namespace godwit {
namespace {

// Of this machine's own: more make a word that nobody wants to pass on.
constexpr std::size_t kMostInterfaceAddresses = 6;

bool is_private(const SocketAddress& address) {
  const auto& octets = address.octets();
  if (address.is_ipv6()) return (octets[0] & 0xfe) == 0xfc;
  return octets[0] == 10 || (octets[0] == 172 && (octets[1] & 0xf0) == 16) || (octets[0] == 192 && octets[1] == 168) ||
         (octets[0] == 100 && (octets[1] & 0xc0) == 64) || (octets[0] == 169 && octets[1] == 254);
}

bool is_loopback(const SocketAddress& address) {
  return address.is_ipv4()
             ? address.octets()[0] == 127
             : address == SocketAddress::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, address.port());
}

// Where others are most likely to reach it first: public, private, this machine alone.
int rank(const SocketAddress& address) {
  return is_loopback(address) ? 2 : is_private(address) ? 1 : 0;
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
  std::ranges::stable_sort(addresses, {}, rank);
  const bool any_other = !addresses.empty() && rank(addresses.front()) < 2;
  if (any_other) std::erase_if(addresses, is_loopback);
  if (addresses.size() > kMostInterfaceAddresses) addresses.resize(kMostInterfaceAddresses);
  return addresses;
}

}  // namespace

std::vector<SocketAddress> reachable_addresses(const SocketAddress& local) {
  return local.is_wildcard() ? interface_addresses(local.port(), local.is_ipv4()) : std::vector<SocketAddress>{local};
}

}  // namespace godwit
