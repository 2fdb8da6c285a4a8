// What the kernel hands over with a received message: control data of any form, any sender's address, any length and
// any segment size. Every batch that comes out lies within the payload, is cut as the control data said, and holds no
// datagram above the limit; the counters account for the rest.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "fuzz/input.h"
#include "udp/intake.h"
#include "udp/socket.h"

namespace godwit::fuzz {
namespace {

constexpr std::size_t kLargestDatagram = 1500;

const Socket& socket() {
  static const Socket instance = [] {
    auto opened = Socket::open({.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0)});
    GODWIT_ASSERT(opened.has_value());
    return std::move(*opened);
  }();
  return instance;
}

class Control {
 public:
  explicit Control(Input& input) {
    while (!input.empty() && used_ < bytes_.size() && input.coin()) add(input);
  }
  void attach(msghdr& header) {
    header.msg_control = bytes_.data();
    header.msg_controllen = used_;
  }

 private:
  void add(Input& input) {
    static constexpr std::array<std::pair<int, int>, 5> kKinds{{{IPPROTO_UDP, UDP_GRO},
                                                                {SOL_SOCKET, SO_RXQ_OVFL},
                                                                {IPPROTO_IP, IP_PKTINFO},
                                                                {IPPROTO_IPV6, IPV6_PKTINFO},
                                                                {SOL_SOCKET, SCM_RIGHTS}}};
    const auto [level, type] = kKinds[input.below(kKinds.size())];
    const std::uint8_t shape = input.byte();
    ByteView payload = input.take(shape % 24U);
    std::array<std::uint8_t, 4> number{};
    if (shape >= 128) {  // a number, as the first two kinds carry it
      store_le(number.data(), input.coin() ? std::uint32_t{input.u16()} : input.number32());
      payload = number;
    }
    cmsghdr header{};
    header.cmsg_len = CMSG_LEN(payload.size());
    header.cmsg_level = level;
    header.cmsg_type = type;
    const std::size_t space = CMSG_SPACE(payload.size());
    if (used_ + space > bytes_.size()) return;
    std::memcpy(bytes_.data() + used_, &header, sizeof header);
    if (!payload.empty()) std::memcpy(bytes_.data() + used_ + CMSG_LEN(0), payload.data(), payload.size());
    used_ += space;
  }

  alignas(cmsghdr) std::array<std::uint8_t, kReceiveControlBytes> bytes_{};
  std::size_t used_ = 0;
};

sockaddr_storage name(Input& input, socklen_t& length) {
  sockaddr_storage storage{};
  static constexpr std::array<sa_family_t, 4> kFamilies{AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC};
  const std::uint8_t kind = input.byte();
  const ByteView raw = input.take(kind >> 4);
  if (!raw.empty()) std::memcpy(&storage, raw.data(), raw.size());
  storage.ss_family = kFamilies[kind % kFamilies.size()];
  length = (kind & 4) != 0 ? input.byte() % (sizeof storage + 1) : sizeof(sockaddr_in6);
  if (storage.ss_family == AF_INET && (kind & 4) == 0) length = sizeof(sockaddr_in);
  return storage;
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  using namespace godwit::fuzz;
  Input input(data, size);
  static Bytes pool(65536, 0x11);
  BackendStatistics statistics;
  Intake intake(fuzz::socket(), kLargestDatagram, statistics);
  ReceivedBatches received;
  for (int message = 0; message < 4 && !input.empty(); ++message) {
    msghdr header{};
    socklen_t length = 0;
    sockaddr_storage from = name(input, length);
    header.msg_name = &from;
    header.msg_namelen = length;
    header.msg_flags = input.one_in(8) ? MSG_TRUNC : 0;
    const std::size_t bytes = input.coin() ? input.u16() : input.byte();
    Control control(input);
    control.attach(header);
    const MutableBytes payload = MutableBytes(pool).first(bytes);
    const std::size_t before = received.batches().size();
    intake.take(header, payload, received);
    GODWIT_ASSERT(received.batches().size() <= before + 1);
    if (received.batches().size() == before) continue;
    const DatagramBatch& batch = received.batches().back();
    GODWIT_ASSERT(batch.bytes.data() >= payload.data() &&
                  batch.bytes.data() + batch.bytes.size() <= payload.data() + payload.size());
    GODWIT_ASSERT(batch.segment_size > 0 && batch.segment_size <= kLargestDatagram && !batch.bytes.empty());
    GODWIT_ASSERT(batch.remote.is_specified());
    std::size_t sum = 0;
    for (std::size_t i = 0; i < batch.segment_count(); ++i) sum += batch.segment(i).size();
    GODWIT_ASSERT(sum == batch.bytes.size());
  }
  std::uint64_t datagrams = 0;
  for (const DatagramBatch& batch : received.batches()) datagrams += batch.segment_count();
  GODWIT_ASSERT(statistics.datagrams_received == datagrams && statistics.batches_received == received.batches().size());
  return 0;
}
