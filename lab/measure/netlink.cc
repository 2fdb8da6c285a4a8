#include "measure/netlink.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>

namespace godwit::measure {

namespace {

struct CloseSocket {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};

std::unexpected<Error> failed(const char* what, int error) {
  const ErrorCode code = error == EPERM || error == EACCES                                    ? ErrorCode::kPermission
                         : error == EPROTONOSUPPORT || error == EINVAL || error == EOPNOTSUPP ? ErrorCode::kUnsupported
                                                                                              : ErrorCode::kSystem;
  return failure(code, std::string(what) + ": " + std::strerror(error));
}

// Asks for everything of one kind, with a request whose body is `header`; `on_message` gets each answer.
template <typename Header>
Status dump(int protocol, std::uint16_t type, const Header& header, std::function<void(const nlmsghdr*)> on_message) {
  const std::unique_ptr<mnl_socket, CloseSocket> socket(mnl_socket_open2(protocol, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) return failed("netlink socket", errno);
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  std::vector<char> buffer(64 * 1024);
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = 1;
  std::memcpy(mnl_nlmsg_put_extra_header(request, sizeof header), &header, sizeof header);
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) return failed("netlink request", errno);

  const auto hand_over = [](const nlmsghdr* message, void* to) {
    (*static_cast<std::function<void(const nlmsghdr*)>*>(to))(message);
    return MNL_CB_OK;
  };
  int more = MNL_CB_OK;
  while (more > MNL_CB_STOP) {
    const ssize_t got = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (got < 0) return failed("netlink answer", errno);
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), 1, mnl_socket_get_portid(socket.get()), hand_over,
                      &on_message);
    if (more < 0) return failed("netlink answer", errno);
  }
  return {};
}

int read_attribute(const nlattr* attribute, void* to) {
  LinkFacts& link = *static_cast<LinkFacts*>(to);
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
      if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) link.name = mnl_attr_get_str(attribute);
      break;
    case IFLA_QDISC:
      if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) link.queue_discipline = mnl_attr_get_str(attribute);
      break;
    case IFLA_MTU:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) link.mtu = mnl_attr_get_u32(attribute);
      break;
    case IFLA_XDP: {
      const auto read_mode = [](const nlattr* nested, void* has_program) {
        if (mnl_attr_get_type(nested) == IFLA_XDP_ATTACHED && mnl_attr_validate(nested, MNL_TYPE_U8) >= 0)
          *static_cast<bool*>(has_program) = mnl_attr_get_u8(nested) != XDP_ATTACHED_NONE;
        return MNL_CB_OK;
      };
      static_cast<void>(mnl_attr_parse_nested(attribute, read_mode, &link.has_xdp));
      break;
    }
    default: break;
  }
  return MNL_CB_OK;
}

LinkFacts read_link(const nlmsghdr* message) {
  LinkFacts link;
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
  static_cast<void>(mnl_attr_parse(message, sizeof *info, read_attribute, &link));
  return link;
}

}  // namespace

Result<std::vector<LinkFacts>> list_links() {
  std::vector<LinkFacts> links;
  ifinfomsg everything{};
  everything.ifi_family = AF_UNSPEC;
  const Status status = dump(NETLINK_ROUTE, RTM_GETLINK, everything, [&links](const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) >= sizeof(ifinfomsg)) links.push_back(read_link(message));
  });
  if (!status) return std::unexpected(status.error());
  return links;
}

Result<std::size_t> count_filter_tables() {
  std::size_t tables = 0;
  nfgenmsg everything{};
  everything.nfgen_family = AF_UNSPEC;
  everything.version = NFNETLINK_V0;
  constexpr auto kGetTable = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE);
  const Status status = dump(NETLINK_NETFILTER, kGetTable, everything, [&tables](const nlmsghdr*) { ++tables; });
  if (!status) return std::unexpected(status.error());
  return tables;
}

}  // namespace godwit::measure
