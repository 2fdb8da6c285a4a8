#include "benches/raw_path.h"

#include <fcntl.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "base/random.h"
#include "benches/tls_pair.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "crypto/piece_gathering.h"
#include "transfer/digest.h"
#include "udp/sockaddr.h"
#include "udp/socket.h"
#include "wire/fragment.h"
#include "wire/limits.h"

namespace godwit::bench {
namespace {

constexpr std::size_t kPayload = wire::kFragmentPayload;
constexpr std::size_t kDatagram = wire::kMaxDatagram;
constexpr std::size_t kBatch = 54;
constexpr int kUdpLevel = IPPROTO_UDP;

// What both processes see: counters of the receiver, and the sender's word that it has ended.
struct Shared {
  std::atomic<std::uint16_t> port;
  std::atomic<bool> ready;
  std::atomic<bool> failed;
  std::atomic<bool> stop;
  std::atomic<std::uint64_t> delivered;
  std::atomic<std::uint64_t> datagrams;
  std::atomic<std::uint64_t> failures;
  std::atomic<std::uint64_t> drops;
  std::atomic<double> cpu_seconds;
};

double seconds_now(clockid_t clock) {
  timespec reading{};
  clock_gettime(clock, &reading);
  return static_cast<double>(reading.tv_sec) + static_cast<double>(reading.tv_nsec) * 1e-9;
}

void pin(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  sched_setaffinity(0, sizeof cores, &cores);  // a machine with one core is measured on one core
}

bool is_stream(RawPath path) {
  return path == RawPath::kTcp || path == RawPath::kTls;
}
bool uses_offload(RawPath path) {
  return path == RawPath::kCeiling || path == RawPath::kUdpGso;
}

SymmetricKey shared_key() {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 17);
  return SymmetricKey(std::span<const std::uint8_t, 16>(bytes));
}

std::vector<std::uint8_t> random_bytes(std::size_t size, std::uint64_t seed) {
  std::vector<std::uint8_t> bytes(size);
  DeterministicRandom(seed).fill(bytes);
  return bytes;
}

std::unique_ptr<PacketCipher> cipher_of(const RawConfig& config) {
  return make_packet_cipher(config.cipher.value_or(preferred_cipher()), shared_key());
}

// --- Receivers ---

// What happens to the datagrams of one receive call: opened together into the working set, where the bytes have a place
// to stay, then digested.
class DatagramIntake {
 public:
  explicit DatagramIntake(const RawConfig& config)
      : config_(config), working_set_(config.working_set_bytes), opener_(cipher_of(config)) {}

  void take(MutableBytes datagrams, std::size_t segment) {
    if (!is_sealed(config_.path)) {
      for (std::size_t at = 0; at < datagrams.size(); at += segment) {
        deliver(ByteView(datagrams).subspan(at, std::min(kPayload, datagrams.size() - at)));
      }
      return;
    }
    for (std::size_t at = 0; at < datagrams.size();) {
      std::size_t count = 0;
      for (; at < datagrams.size() && count < packets_.size(); at += segment) {
        const MutableBytes datagram = datagrams.subspan(at, std::min(segment, datagrams.size() - at));
        if (datagram.size() != kDatagram) {
          ++failures_;
          continue;
        }
        if (position_ + wire::kMaxPlaintext > working_set_.size()) position_ = 0;
        packets_[count++] = PacketOpener::to_open(datagram, &working_set_[position_]);
        position_ += wire::kMaxPlaintext;
      }
      const std::span<PacketToOpen> batch = std::span(packets_).first(count);
      opener_.open_batch(batch);
      for (const PacketToOpen& packet : batch) {
        if (packet.authentic) {
          deliver(ByteView(packet.out, packet.size).subspan(wire::kFragmentHeader, kPayload));
        } else {
          ++failures_;
        }
      }
    }
  }

  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }
  [[nodiscard]] std::uint64_t failures() const {
    return failures_ + (config_.digest && datagrams_ > 0 && digest_.value() == 0 ? 1 : 0);
  }

 private:
  void deliver(ByteView payload) {
    if (config_.digest) digest_.update(payload);
    delivered_ += payload.size();
    ++datagrams_;
  }

  const RawConfig& config_;
  std::vector<std::uint8_t> working_set_;
  PacketOpener opener_;
  std::array<PacketToOpen, kBatch> packets_;
  StreamDigest digest_;
  std::size_t position_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t datagrams_ = 0;
  std::uint64_t failures_ = 0;
};

void receive_datagrams(const RawConfig& config, Shared& shared, const Socket& socket) {
  constexpr unsigned kBuffers = 16;
  constexpr std::size_t kBuffer = 65536;
  std::vector<std::uint8_t> memory(kBuffers * kBuffer);
  DatagramIntake intake(config);
  std::array<mmsghdr, kBuffers> messages{};
  std::array<iovec, kBuffers> vectors{};
  std::array<std::array<char, 128>, kBuffers> control{};
  while (!shared.stop.load(std::memory_order_relaxed)) {
    for (unsigned i = 0; i < kBuffers; ++i) {
      vectors[i] = {&memory[i * kBuffer], kBuffer};
      messages[i].msg_hdr = {};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_control = control[i].data();
      messages[i].msg_hdr.msg_controllen = control[i].size();
    }
    const int count = recvmmsg(socket.descriptor(), messages.data(), kBuffers, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; ++i) {
      const auto index = static_cast<std::size_t>(i);
      std::size_t segment = messages[index].msg_len;
      for (cmsghdr* item = CMSG_FIRSTHDR(&messages[index].msg_hdr); item != nullptr;
           item = CMSG_NXTHDR(&messages[index].msg_hdr, item)) {
        if (item->cmsg_level == kUdpLevel && item->cmsg_type == UDP_GRO) {
          int size = 0;
          std::memcpy(&size, CMSG_DATA(item), sizeof size);
          segment = static_cast<std::size_t>(size);
        } else if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SO_RXQ_OVFL) {
          std::uint32_t overflow = 0;
          std::memcpy(&overflow, CMSG_DATA(item), sizeof overflow);
          shared.drops.store(overflow, std::memory_order_relaxed);
        }
      }
      intake.take(MutableBytes(&memory[index * kBuffer], messages[index].msg_len), segment);
    }
    shared.delivered.store(intake.delivered(), std::memory_order_relaxed);
    shared.datagrams.store(intake.datagrams(), std::memory_order_relaxed);
  }
  shared.failures.store(intake.failures());
}

void receive_stream(const RawConfig& config, Shared& shared, int listener) {
  const int connection = accept(listener, nullptr, nullptr);
  if (connection < 0) return;
  std::vector<std::uint8_t> working_set(config.working_set_bytes);
  constexpr std::size_t kChunk = 256 * 1024;
  TlsPair tls;
  if (config.path == RawPath::kTls && !tls.accept(connection)) {
    shared.failed.store(true);
    return;
  }
  StreamDigest digest;
  std::size_t position = 0;
  std::uint64_t delivered = 0;
  while (true) {
    if (position + kChunk > working_set.size()) position = 0;
    const MutableBytes space = MutableBytes(working_set).subspan(position, kChunk);
    const ssize_t count =
        config.path == RawPath::kTls ? tls.read(space) : recv(connection, space.data(), space.size(), 0);
    if (count <= 0) break;
    const auto size = static_cast<std::size_t>(count);
    if (config.digest) digest.update(space.first(size));
    position += size;
    delivered += size;
    shared.delivered.store(delivered, std::memory_order_relaxed);
  }
  close(connection);
}

// --- Senders ---

// The plaintext of datagrams as the transport makes it (header, payload from the working set, the option byte), sealed
// together.
class DatagramSource {
 public:
  explicit DatagramSource(const RawConfig& config)
      : config_(config),
        working_set_(random_bytes(config.working_set_bytes, 1)),
        random_(2),
        sealer_(cipher_of(config), random_, SealerLimits{.soft = ~0ULL, .hard = ~0ULL}) {}

  // At most kBatch datagrams.
  void write(MutableBytes datagrams) {
    const std::size_t count = datagrams.size() / kDatagram;
    for (std::size_t i = 0; i < count; ++i) {
      const ByteView payload = next_payload();
      const MutableBytes datagram = datagrams.subspan(i * kDatagram, kDatagram);
      if (!is_sealed(config_.path)) {
        std::copy(payload.begin(), payload.end(), datagram.begin());
        continue;
      }
      std::uint8_t* const text = datagram.data() + kEnvelopePrefix;
      ++packet_id_;
      header_.write(text, packet_id_, packet_id_, kPayload);
      std::ranges::copy(wire::kFragmentTail, text + wire::kFragmentHeader + kPayload);
      request_later_body(payload);
      packets_[i] = {nullptr, text, payload.data(), wire::kMaxPlaintext, wire::kFragmentHeader, kPayload};
    }
    if (is_sealed(config_.path)) static_cast<void>(sealer_.seal_batch(std::span(packets_).first(count)));
  }

 private:
  ByteView next_payload() {
    if (position_ + kPayload > working_set_.size()) position_ = 0;
    const ByteView payload = ByteView(working_set_).subspan(position_, kPayload);
    position_ += kPayload;
    if (config_.digest) digest_.update(payload);
    return payload;
  }

  const RawConfig& config_;
  std::vector<std::uint8_t> working_set_;
  DeterministicRandom random_;
  PacketSealer sealer_;
  std::array<PacketToSeal, kBatch> packets_;
  wire::FragmentTemplate header_{1, wire::kMaxStreamBytes};
  StreamDigest digest_;
  std::size_t position_ = 0;
  std::uint32_t packet_id_ = 0;
};

void send_datagrams(const RawConfig& config, Shared& shared, const SocketAddress& receiver) {
  auto socket =
      Socket::open({.bind = receiver.is_ipv4() ? SocketAddress::ipv4({0, 0, 0, 0}, 0) : SocketAddress::ipv6({}, 0)});
  if (!socket || !socket->connect(receiver)) {
    shared.failed.store(true);
    return;
  }
  DatagramSource source(config);
  std::vector<std::uint8_t> batch(kBatch * kDatagram);
  // Never further ahead of the receiver than its buffer holds: a ceiling that drops is none.
  constexpr std::uint64_t kWindow = 2048;
  std::uint64_t sent = 0;
  const double end = seconds_now(CLOCK_MONOTONIC) + config.seconds;
  const std::size_t datagrams = uses_offload(config.path) ? kBatch : 1;
  while (seconds_now(CLOCK_MONOTONIC) < end) {
    const std::uint64_t received =
        shared.datagrams.load(std::memory_order_relaxed) + shared.drops.load(std::memory_order_relaxed);
    if (sent - std::min(sent, received) > kWindow) continue;
    const std::size_t bytes = datagrams * kDatagram;
    source.write(MutableBytes(batch).first(bytes));
    if (datagrams == 1) {
      if (send(socket->descriptor(), batch.data(), bytes, 0) > 0) ++sent;
      continue;
    }
    iovec vector{batch.data(), bytes};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = kUdpLevel;
    item->cmsg_type = UDP_SEGMENT;
    item->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const std::uint16_t segment = kDatagram;
    std::memcpy(CMSG_DATA(item), &segment, sizeof segment);
    if (sendmsg(socket->descriptor(), &message, 0) > 0) sent += datagrams;
  }
}

void send_stream(const RawConfig& config, Shared& shared, int connection) {
  TlsPair tls;
  if (config.path == RawPath::kTls && !tls.connect(connection)) {
    shared.failed.store(true);
    return;
  }
  const std::vector<std::uint8_t> working_set = random_bytes(config.working_set_bytes, 1);
  StreamDigest digest;
  constexpr std::size_t kChunk = 256 * 1024;
  std::size_t position = 0;
  const double end = seconds_now(CLOCK_MONOTONIC) + config.seconds;
  while (seconds_now(CLOCK_MONOTONIC) < end) {
    if (position + kChunk > working_set.size()) position = 0;
    ByteView chunk = ByteView(working_set).subspan(position, kChunk);
    position += kChunk;
    if (config.digest) digest.update(chunk);
    while (!chunk.empty()) {
      const ssize_t count =
          config.path == RawPath::kTls ? tls.write(chunk) : send(connection, chunk.data(), chunk.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      chunk = chunk.subspan(static_cast<std::size_t>(count));
    }
  }
}

// --- Both ---

void enter_namespace(const std::string& name) {
  if (name.empty()) return;
  const int descriptor = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || setns(descriptor, CLONE_NEWNET) != 0) _exit(1);
  close(descriptor);
}

int open_stream_socket(const SocketAddress& address) {
  const int descriptor = socket(address.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int segment = 1200;
  setsockopt(descriptor, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
  setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  return descriptor;
}

[[noreturn]] void run_receiver(const RawConfig& config, Shared& shared) {
  enter_namespace(config.receiver_namespace);
  pin(config.receiver_core);
  const double cpu_before = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
  const SocketAddress bind_to =
      config.receiver.is_specified() ? config.receiver : SocketAddress::ipv4({127, 0, 0, 1}, 0);
  if (is_stream(config.path)) {
    const int listener = open_stream_socket(bind_to);
    const KernelAddress address = to_kernel(bind_to, bind_to.is_ipv4() ? SocketFamily::kIpv4 : SocketFamily::kIpv6);
    if (bind(listener, &address.generic, address.size) != 0 || listen(listener, 1) != 0) {
      shared.failed.store(true);
      _exit(1);
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size);
    const auto local = from_kernel(reinterpret_cast<sockaddr*>(&bound), size);
    shared.port.store(local ? local->port() : 0);
    shared.ready.store(true);
    receive_stream(config, shared, listener);
  } else {
    auto socket = Socket::open({.bind = bind_to});
    if (!socket || (uses_offload(config.path) && !socket->enable_receive_offload())) {
      shared.failed.store(true);
      _exit(1);
    }
    shared.port.store(socket->local_address().port());
    shared.ready.store(true);
    receive_datagrams(config, shared, *socket);
  }
  shared.cpu_seconds.store(seconds_now(CLOCK_PROCESS_CPUTIME_ID) - cpu_before);
  _exit(0);
}

}  // namespace

std::string_view to_string(RawPath path) {
  switch (path) {
    case RawPath::kCeiling: return "ceiling";
    case RawPath::kSealSendto: return "seal-sendto";
    case RawPath::kUdpGso: return "udp-gso";
    case RawPath::kUdpSendto: return "udp-sendto";
    case RawPath::kTcp: return "tcp";
    case RawPath::kTls: return "tls";
  }
  return "unknown";
}

bool is_sealed(RawPath path) {
  return path == RawPath::kCeiling || path == RawPath::kSealSendto;
}

std::vector<RawPath> all_raw_paths() {
  return {RawPath::kCeiling, RawPath::kSealSendto, RawPath::kUdpGso, RawPath::kUdpSendto, RawPath::kTcp, RawPath::kTls};
}

Result<RawResult> run_raw_path(const RawConfig& config) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return failure(ErrorCode::kSystem, "no shared memory");
  Shared& shared = *new (memory) Shared{};
  const pid_t receiver = fork();
  if (receiver < 0) return failure(ErrorCode::kSystem, std::string("fork: ") + std::strerror(errno));
  if (receiver == 0) run_receiver(config, shared);
  while (!shared.ready.load() && !shared.failed.load()) usleep(1000);

  RawResult result;
  const double cpu_before = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
  cpu_set_t cores_before;
  sched_getaffinity(0, sizeof cores_before, &cores_before);
  pin(config.sender_core);
  const SocketAddress base = config.receiver.is_specified() ? config.receiver : SocketAddress::ipv4({127, 0, 0, 1}, 0);
  const SocketAddress target = base.with_port(shared.port.load());
  const double begin = seconds_now(CLOCK_MONOTONIC);
  if (!shared.failed.load()) {
    if (is_stream(config.path)) {
      const int connection = open_stream_socket(target);
      const KernelAddress address = to_kernel(target, target.is_ipv4() ? SocketFamily::kIpv4 : SocketFamily::kIpv6);
      if (connect(connection, &address.generic, address.size) == 0) {
        send_stream(config, shared, connection);
      } else {
        shared.failed.store(true);
      }
      close(connection);
    } else {
      send_datagrams(config, shared, target);
    }
  }
  const double end = seconds_now(CLOCK_MONOTONIC);
  result.delivered_bytes = shared.delivered.load();
  result.datagrams = shared.datagrams.load();
  result.sender_cpu_seconds = seconds_now(CLOCK_PROCESS_CPUTIME_ID) - cpu_before;
  shared.stop.store(true);
  waitpid(receiver, nullptr, 0);
  sched_setaffinity(0, sizeof cores_before, &cores_before);
  result.seconds = end - begin;
  result.goodput_bits_per_second = static_cast<double>(result.delivered_bytes) * 8 / result.seconds;
  result.nanoseconds_per_packet =
      result.delivered_bytes == 0 ? 0 : result.seconds * 1e9 / (static_cast<double>(result.delivered_bytes) / kPayload);
  result.failures = shared.failures.load();
  result.kernel_drops = shared.drops.load();
  result.receiver_cpu_seconds = shared.cpu_seconds.load();
  const bool failed = shared.failed.load();
  munmap(memory, sizeof(Shared));
  if (failed)
    return failure(ErrorCode::kSystem, std::string(to_string(config.path)) + ": the sockets could not be set up");
  if (result.delivered_bytes == 0)
    return failure(ErrorCode::kSystem, std::string(to_string(config.path)) + ": nothing arrived");
  return result;
}

}  // namespace godwit::bench
