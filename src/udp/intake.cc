#include "udp/intake.h"

#include <cstring>

#include "udp/platform.h"

namespace godwit {
namespace {

template <typename T>
bool read_control(const cmsghdr& control, T& value) {
  if (control.cmsg_len < CMSG_LEN(sizeof value)) return false;
  std::memcpy(&value, CMSG_DATA(&control), sizeof value);
  return true;
}

}  // namespace

Intake::Intake(const Socket& socket, std::size_t largest_datagram_bytes, BackendStatistics& statistics)
    : local_address_(socket.local_address()),
      largest_datagram_bytes_(largest_datagram_bytes),
      statistics_(statistics) {}

void Intake::take(msghdr& header, MutableBytes payload, ReceivedBatches& inbox) {
  DatagramBatch batch{.local = local_address_, .remote = {}, .bytes = payload, .segment_size = payload.size()};
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == platform::kReceiveOffloadOption) {
      int segment_size = 0;
      if (read_control(*control, segment_size) && segment_size > 0) {
        batch.segment_size = std::min(static_cast<std::size_t>(segment_size), payload.size());
      }
    } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == platform::kOverflowOption) {
      std::uint32_t overflow = 0;  // since the socket was made, modulo 2^32
      if (read_control(*control, overflow)) {
        statistics_.kernel_drops += overflow - overflow_seen_;
        overflow_seen_ = overflow;
      }
    } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      if (read_control(*control, info)) batch.local = from_kernel(info.ipi_addr, local_address_.port());
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      if (read_control(*control, info)) {
        batch.local = from_kernel(info.ipi6_addr, local_address_.port(), info.ipi6_ifindex);
      }
    } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == platform::kReceivedServiceType) {
      std::uint8_t field = 0;
      if (read_control(*control, field)) batch.ecn = static_cast<Ecn>(field & 3);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
      int field = 0;
      if (read_control(*control, field)) batch.ecn = static_cast<Ecn>(field & 3);
    }
  }

  if (payload.empty()) {
    ++statistics_.empty_datagrams;
    return;
  }
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    statistics_.truncated_datagrams += batch.segment_count();
    return;
  }
  const auto remote = peer_ ? peer_ : from_kernel(static_cast<const sockaddr*>(header.msg_name), header.msg_namelen);
  if (!remote) {
    statistics_.foreign_datagrams += batch.segment_count();
    return;
  }
  batch.remote = *remote;
  if (batch.segment_size > largest_datagram_bytes_) {
    // Too long to be Godwit's, though the 64 KiB buffer held them. A shorter last one is judged by its own length.
    statistics_.truncated_datagrams += payload.size() / batch.segment_size;
    const std::size_t rest = payload.size() % batch.segment_size;
    if (rest > largest_datagram_bytes_) ++statistics_.truncated_datagrams;
    if (rest == 0 || rest > largest_datagram_bytes_) return;
    batch.bytes = payload.last(rest);
    batch.segment_size = rest;
  }
  ++statistics_.batches_received;
  statistics_.datagrams_received += batch.segment_count();
  statistics_.bytes_received += batch.bytes.size();
  inbox.add(batch);
}

}  // namespace godwit
