// PCP (RFC 6887) over a socket that is connected to the router, so that the system drops what others send.

#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>

#include "port_mapping/pcp_codec.h"
#include "port_mapping/protocols.h"
#include "udp/sockaddr.h"

namespace godwit {
namespace {

using std::chrono::milliseconds;

// RFC 6887 section 8.1.1 waits three seconds before it repeats a request; a router on the first link that is there
// answers within milliseconds, and one that is not there must not be waited for.
constexpr std::array<milliseconds, 3> kWaits = {milliseconds(200), milliseconds(300), milliseconds(500)};

// The gateway of the default route, from the table that the kernel shows; nothing where there is none.
std::optional<SocketAddress> default_gateway() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> table(std::fopen("/proc/net/route", "re"), &std::fclose);
  if (table == nullptr) return std::nullopt;
  std::array<char, 512> line;
  while (std::fgets(line.data(), static_cast<int>(line.size()), table.get()) != nullptr) {
    unsigned destination = 0;
    unsigned gateway = 0;
    unsigned flags = 0;
    constexpr unsigned kUsesGateway = 2;  // RTF_GATEWAY
    if (std::sscanf(line.data(), "%*s %x %x %x", &destination, &gateway, &flags) != 3) continue;
    if (destination != 0 || gateway == 0 || (flags & kUsesGateway) == 0) continue;
    return from_kernel(in_addr{.s_addr = gateway}, pcp::kPort);
  }
  return std::nullopt;
}

class Router {
 public:
  Router() {
    const auto gateway = default_gateway();
    if (!gateway) return;
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const KernelAddress to = to_kernel(*gateway, SocketFamily::kIpv4);
    KernelAddress own;
    own.size = sizeof own.ipv4;
    if (::connect(socket_, &to.generic, to.size) != 0 || ::getsockname(socket_, &own.generic, &own.size) != 0) return;
    own_ = from_kernel(&own.generic, own.size);
  }
  ~Router() {
    if (socket_ >= 0) ::close(socket_);
  }
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Of this machine, as the router sees it; nothing without a router.
  [[nodiscard]] const std::optional<SocketAddress>& own() const { return own_; }

  // The answer to a request, which is repeated; nothing when there is none.
  [[nodiscard]] std::optional<pcp::MapAnswer> ask(ByteView request, const pcp::Nonce& nonce, std::uint16_t port) const {
    for (const milliseconds wait : kWaits) {
      // What ICMP said of an earlier one shows here: nobody listens there.
      if (::send(socket_, request.data(), request.size(), 0) < 0) return std::nullopt;
      const auto end = std::chrono::steady_clock::now() + wait;
      for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
        pollfd entry{.fd = socket_, .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0) break;
        std::array<std::uint8_t, pcp::kMostBytes + 1> bytes;
        const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (size < 0) return std::nullopt;
        const auto answer = pcp::decode_map(ByteView(bytes).first(static_cast<std::size_t>(size)), nonce, port);
        if (answer) return answer;
      }
    }
    return std::nullopt;
  }

 private:
  int socket_ = -1;
  std::optional<SocketAddress> own_;
};

}  // namespace

Result<PortMapping> map_by_pcp(const PortRequest& request) {
  const Router router;
  if (!router.own()) return failure(ErrorCode::kNotFound, "no router for PCP");
  const auto bytes = pcp::encode_map(*router.own(), request.nonce, request.port, request.wanted, kMappingSeconds);
  const auto answer = router.ask(bytes, request.nonce, request.port);
  if (!answer || answer->code == pcp::ResultCode::kUnsupportedVersion) {
    return failure(ErrorCode::kNotFound, "no router answers PCP");
  }
  if (answer->code != pcp::ResultCode::kSuccess) {
    return failure(ErrorCode::kPermission, "the router refuses to map a port by PCP (result " +
                                               std::to_string(static_cast<unsigned>(answer->code)) + ")");
  }
  if (answer->mapped.is_wildcard() || answer->mapped.port() == 0) {
    return failure(ErrorCode::kNotFound, "the router has no public address, by PCP");
  }
  return PortMapping{.address = answer->mapped,
                     .protocol = "PCP",
                     .lifetime = std::chrono::seconds(std::min(answer->lifetime_seconds, kMappingSeconds))};
}

void unmap_by_pcp(const PortRequest& request) {
  const Router router;
  if (!router.own()) return;
  // Section 15.1: the same nonce, and a lifetime of zero.
  static_cast<void>(
      router.ask(pcp::encode_map(*router.own(), request.nonce, request.port, 0, 0), request.nonce, request.port));
}

}  // namespace godwit
