#include "measure/netlink.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>

#include "base/bytes.h"

namespace godwit::measure {

namespace {

// Attributes of a netlink message: length, type, payload, padded to four bytes.
class Attributes {
 public:
  explicit Attributes(ByteView bytes) : rest_(bytes) {}
  bool next() {
    if (rest_.size() < sizeof(nlattr)) return false;
    nlattr head{};
    std::memcpy(&head, rest_.data(), sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > rest_.size()) return false;
    type_ = head.nla_type & NLA_TYPE_MASK;
    payload_ = rest_.subspan(sizeof head, head.nla_len - sizeof head);
    rest_ = rest_.subspan(std::min<std::size_t>(rest_.size(), NLA_ALIGN(head.nla_len)));
    return true;
  }
  [[nodiscard]] int type() const { return type_; }
  [[nodiscard]] ByteView payload() const { return payload_; }
  [[nodiscard]] std::string text() const {
    const std::string_view all(reinterpret_cast<const char*>(payload_.data()), payload_.size());
    return std::string(all.substr(0, all.find('\0')));
  }

 private:
  ByteView rest_;
  int type_ = 0;
  ByteView payload_;
};

class NetlinkSocket {
 public:
  explicit NetlinkSocket(int protocol) : descriptor_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)) {
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    if (descriptor_ >= 0) ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~NetlinkSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  NetlinkSocket(const NetlinkSocket&) = delete;
  NetlinkSocket& operator=(const NetlinkSocket&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Status failed(const char* what, int error) {
  const ErrorCode code = error == EPERM || error == EACCES                                    ? ErrorCode::kPermission
                         : error == EPROTONOSUPPORT || error == EINVAL || error == EOPNOTSUPP ? ErrorCode::kUnsupported
                                                                                              : ErrorCode::kSystem;
  return failure(code, std::string(what) + ": " + std::strerror(error));
}

// Asks for everything of one kind; `on_message` gets the payload of each answer.
template <typename Header>
Status dump(int protocol, std::uint16_t type, const Header& header, const std::function<void(ByteView)>& on_message) {
  const NetlinkSocket socket(protocol);
  if (socket.descriptor() < 0) return failed("netlink socket", errno);
  struct {
    nlmsghdr head;
    Header body;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = type;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.head.nlmsg_seq = 1;
  request.body = header;
  if (::send(socket.descriptor(), &request, sizeof request, 0) < 0) return failed("netlink request", errno);
  std::vector<std::uint8_t> buffer(64 * 1024);
  for (;;) {
    const ssize_t got = ::recv(socket.descriptor(), buffer.data(), buffer.size(), 0);
    if (got < 0) return failed("netlink answer", errno);
    ByteView rest(buffer.data(), static_cast<std::size_t>(got));
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr head{};
      std::memcpy(&head, rest.data(), sizeof head);
      if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size()) return failed("netlink answer", EPROTO);
      const ByteView payload = rest.subspan(sizeof head, head.nlmsg_len - sizeof head);
      if (head.nlmsg_type == NLMSG_DONE) return {};
      if (head.nlmsg_type == NLMSG_ERROR) {
        nlmsgerr error{};
        if (payload.size() < sizeof error) return failed("netlink answer", EPROTO);
        std::memcpy(&error, payload.data(), sizeof error);
        return error.error == 0 ? Status{} : failed("netlink", -error.error);
      }
      on_message(payload);
      rest = rest.subspan(std::min<std::size_t>(rest.size(), NLMSG_ALIGN(head.nlmsg_len)));
    }
    if (got == 0) return failed("netlink answer", EPROTO);
  }
}

bool has_attached_xdp(ByteView nested) {
  Attributes attributes(nested);
  while (attributes.next()) {
    if (attributes.type() == IFLA_XDP_ATTACHED && !attributes.payload().empty())
      return attributes.payload()[0] != XDP_ATTACHED_NONE;
  }
  return false;
}

LinkFacts read_link(ByteView payload) {
  LinkFacts link;
  ifinfomsg info{};
  if (payload.size() < sizeof info) return link;
  std::memcpy(&info, payload.data(), sizeof info);
  link.up = (info.ifi_flags & IFF_UP) != 0;
  link.loopback = (info.ifi_flags & IFF_LOOPBACK) != 0;
  Attributes attributes(payload.subspan(NLMSG_ALIGN(sizeof info)));
  while (attributes.next()) {
    switch (attributes.type()) {
      case IFLA_IFNAME: link.name = attributes.text(); break;
      case IFLA_QDISC: link.queue_discipline = attributes.text(); break;
      case IFLA_MTU:
        if (attributes.payload().size() == sizeof link.mtu)
          std::memcpy(&link.mtu, attributes.payload().data(), sizeof link.mtu);
        break;
      case IFLA_XDP: link.has_xdp = has_attached_xdp(attributes.payload()); break;
      default: break;
    }
  }
  return link;
}

}  // namespace

Result<std::vector<LinkFacts>> list_links() {
  std::vector<LinkFacts> links;
  ifinfomsg everything{};
  everything.ifi_family = AF_UNSPEC;
  const Status status =
      dump(NETLINK_ROUTE, RTM_GETLINK, everything, [&links](ByteView payload) { links.push_back(read_link(payload)); });
  if (!status) return std::unexpected(status.error());
  return links;
}

Result<std::size_t> count_filter_tables() {
  std::size_t tables = 0;
  nfgenmsg everything{};
  everything.nfgen_family = AF_UNSPEC;
  everything.version = NFNETLINK_V0;
  constexpr auto kGetTable = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE);
  const Status status = dump(NETLINK_NETFILTER, kGetTable, everything, [&tables](ByteView) { ++tables; });
  if (!status) return std::unexpected(status.error());
  return tables;
}

}  // namespace godwit::measure
