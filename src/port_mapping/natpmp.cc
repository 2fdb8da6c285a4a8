#include "port_mapping/protocols.h"

#if GODWIT_WITH_NATPMP
#include <natpmp.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "udp/sockaddr.h"
#endif

namespace godwit {

#if GODWIT_WITH_NATPMP
namespace {

// RFC 6886 section 3.1 doubles the time between requests from 250 ms on, for a minute in all; a router that is there
// answers the first ones.
constexpr std::chrono::milliseconds kPatience{1200};

class Client {
 public:
  Client() : error_(::initnatpmp(&natpmp_, 0, 0)) {}
  ~Client() {
    if (error_ == 0) ::closenatpmp(&natpmp_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool opened() const { return error_ == 0; }
  // The answer to `sent`, a request; its error is one of libnatpmp's.
  [[nodiscard]] int answer(int sent, natpmpresp_t& response) {
    if (sent < 0) return sent;
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      if (left.count() <= 0) return NATPMP_ERR_NOGATEWAYSUPPORT;
      timeval wait{};
      if (::getnatpmprequesttimeout(&natpmp_, &wait) != 0) return NATPMP_ERR_NOGATEWAYSUPPORT;
      const auto retry = std::max<std::int64_t>(0, wait.tv_sec * 1000 + wait.tv_usec / 1000);
      pollfd descriptor{.fd = natpmp_.s, .events = POLLIN, .revents = 0};
      static_cast<void>(::poll(&descriptor, 1, static_cast<int>(std::min<std::int64_t>(retry, left.count()))));
      const int result = ::readnatpmpresponseorretry(&natpmp_, &response);
      if (result != NATPMP_TRYAGAIN) return result;
    }
  }
  [[nodiscard]] natpmp_t* get() { return &natpmp_; }

 private:
  natpmp_t natpmp_{};
  int error_;
};

std::unexpected<Error> failed(int error) {
  if (error == NATPMP_ERR_NOTAUTHORIZED || error == NATPMP_ERR_OUTOFRESOURCES) {
    return failure(ErrorCode::kPermission, "the router refuses to map a port by NAT-PMP");
  }
  return failure(ErrorCode::kNotFound, "no router answers NAT-PMP");
}

}  // namespace

bool has_natpmp() {
  return true;
}

Result<PortMapping> map_by_natpmp(const PortRequest& request) {
  Client client;
  if (!client.opened()) return failure(ErrorCode::kNotFound, "no router for NAT-PMP");
  natpmpresp_t response{};
  int error = client.answer(::sendpublicaddressrequest(client.get()), response);
  if (error != 0) return failed(error);
  const in_addr address = response.pnu.publicaddress.addr;
  error = client.answer(
      ::sendnewportmappingrequest(client.get(), NATPMP_PROTOCOL_UDP, request.port, request.wanted, kMappingSeconds),
      response);
  if (error != 0) return failed(error);
  const SocketAddress mapped = from_kernel(address, response.pnu.newportmapping.mappedpublicport);
  if (mapped.is_wildcard() || mapped.port() == 0) return failed(NATPMP_ERR_NETWORKFAILURE);
  return PortMapping{
      .address = mapped, .protocol = "NAT-PMP", .lifetime = std::chrono::seconds(response.pnu.newportmapping.lifetime)};
}

void unmap_by_natpmp(const PortRequest& request) {
  Client client;
  natpmpresp_t response{};
  // RFC 6886 section 3.4: public port and lifetime are zero.
  if (client.opened()) {
    static_cast<void>(
        client.answer(::sendnewportmappingrequest(client.get(), NATPMP_PROTOCOL_UDP, request.port, 0, 0), response));
  }
}

#else

bool has_natpmp() {
  return false;
}
Result<PortMapping> map_by_natpmp(const PortRequest&) {
  return failure(ErrorCode::kUnsupported, "this program was built without libnatpmp");
}
void unmap_by_natpmp(const PortRequest&) {}

#endif

}  // namespace godwit
