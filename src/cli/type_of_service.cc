#include "cli/type_of_service.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace godwit::cli {

void add_type_of_service_option(CLI::App& app, std::optional<int>& type_of_service) {
  app.add_option("-S,--tos", type_of_service, "type of service of what is sent, 0 to 255 or 0x00 to 0xff")
      ->check(CLI::Range(0, 255))
      ->type_name("N");
}

Status set_type_of_service(const Node& node, std::optional<int> type_of_service) {
  if (!type_of_service) return {};
  const Socket& socket = node.backend().socket();
  const auto set = [&](int level, int name) {
    return ::setsockopt(socket.descriptor(), level, name, &*type_of_service, sizeof *type_of_service) == 0;
  };
  const bool ipv6 = socket.family() == SocketFamily::kIpv6;
  if (!(ipv6 ? set(IPPROTO_IPV6, IPV6_TCLASS) : set(IPPROTO_IP, IP_TOS))) {
    return failure(ErrorCode::kSystem, std::string("cannot set the type of service: ") + std::strerror(errno));
  }
  // A socket of both families sends to IPv4 addresses with the option of IPv4; one of IPv6 alone has no use for it.
  if (ipv6) static_cast<void>(set(IPPROTO_IP, IP_TOS));
  return {};
}

}  // namespace godwit::cli
