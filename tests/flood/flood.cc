// A hostile program against a listening godwit: forged and valid intros from thousands of addresses, half-open and full
// connections, hostile fragments, offers without files, streams without end, readers that never read. What it sends is
// bounded by its arguments. For tests/cli/flood_test.py; it shares crypto/ and wire/ with Godwit, and nothing of the
// transport (sim/hostile_peer.h).
//
//   flood MODE ADDRESS KEY SECONDS COUNT
//
// Sends at most COUNT datagrams of the mode (connections: COUNT connections) in SECONDS, evenly, keeps what it has
// opened alive until then, and prints one line: datagrams and bytes sent, connections established.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "crypto/intro_box.h"
#include "sim/hostile_peer.h"
#include "wire/intro.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

// A socket bound to one address of 127.0.0.0/8.
class Source {
 public:
  Source(std::uint32_t address, const sockaddr_in& target) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(address);
    socklen_t size = sizeof own;
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        connect(fd_, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
      std::perror("flood: a socket");
      std::exit(2);
    }
    address_ = SocketAddress::ipv4({static_cast<std::uint8_t>(address >> 24), static_cast<std::uint8_t>(address >> 16),
                                    static_cast<std::uint8_t>(address >> 8), static_cast<std::uint8_t>(address)},
                                   ntohs(own.sin_port));
  }
  ~Source() {
    if (fd_ >= 0) close(fd_);
  }
  Source(Source&& other) noexcept : fd_(std::exchange(other.fd_, -1)), address_(other.address_) {}
  Source& operator=(Source&&) = delete;

  [[nodiscard]] const SocketAddress& address() const { return address_; }
  void send(ByteView bytes) const { static_cast<void>(::send(fd_, bytes.data(), bytes.size(), 0)); }
  [[nodiscard]] std::optional<Bytes> receive() const {
    Bytes bytes(2048);
    const ssize_t size = recv(fd_, bytes.data(), bytes.size(), 0);
    if (size < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(size));
    return bytes;
  }

 private:
  int fd_;
  SocketAddress address_;
};

class Flood {
 public:
  Flood(const SocketAddress& target, const PublicKey& key, double seconds, std::size_t count)
      : target_(target), key_(key), count_(count), end_(Clock::now() + to_clock(seconds)), length_(to_clock(seconds)) {
    target_sockaddr_.sin_family = AF_INET;
    target_sockaddr_.sin_port = htons(target.port());
    std::memcpy(&target_sockaddr_.sin_addr, target.octets().data(), 4);
    random_ = std::make_unique<DeterministicRandom>(static_cast<std::uint64_t>(getpid()));
  }

  // False for a mode that nobody knows.
  [[nodiscard]] bool run(const std::string& mode) {
    if (mode == "junk-intros") return spoofed([&] { return junk(0x01, 73); });
    if (mode == "junk-packets") return spoofed([&] { return junk(0x02, 60); });
    if (mode == "intros") return spoofed([&] { return new_intro().datagram; });
    if (mode == "half-open") return from_one_address([&] { return new_intro().datagram; });
    if (mode == "connections") return connections();
    if (mode == "fragments") return stranger([&](sim::HostilePeer& peer) { return fragment(peer); });
    if (mode == "streams") return stranger([&](sim::HostilePeer& peer) { return stream(peer); });
    if (mode == "offers") return stranger([&](sim::HostilePeer& peer) { return offer(peer); });
    if (mode == "slow-reader") return stranger([&](sim::HostilePeer& peer) { return perf_start(peer); });
    return false;
  }
  void report() const {
    std::printf("{\"datagrams\": %zu, \"bytes\": %zu, \"connections\": %zu}\n", datagrams_, bytes_, established_);
  }

 private:
  struct Connection {
    Source source;
    std::unique_ptr<sim::HostilePeer> peer;
    bool counted = false;
  };

  static Clock::duration to_clock(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  void send(const Source& source, ByteView bytes) {
    ++datagrams_;
    bytes_ += bytes.size();
    source.send(bytes);
  }
  // Waits until number `index` of `count_` is due.
  void pace(std::size_t index) {
    const auto due = end_ - length_ + length_ * static_cast<std::int64_t>(index) / static_cast<std::int64_t>(count_);
    if (Clock::now() < due) std::this_thread::sleep_until(due);
  }

  [[nodiscard]] Bytes junk(std::uint8_t type, std::size_t size) {
    Bytes bytes(size);
    random_->fill(bytes);
    bytes[0] = type;
    return bytes;
  }
  [[nodiscard]] sim::SealedIntro new_intro() {
    sim::SealedIntro intro;
    intro.key = SymmetricKey::generate(*random_);
    std::array<std::uint8_t, wire::kIntroPlaintext> plaintext;
    wire::encode_intro_plaintext({.version = wire::kAnnouncedVersion, .key = intro.key}, plaintext);
    intro.datagram.resize(wire::kIntroDatagram);
    if (!seal_intro(key_, SecretKey::generate(*random_), plaintext, intro.datagram)) std::exit(2);
    return intro;
  }

  // Each datagram from another address.
  template <typename Make>
  bool spoofed(Make make) {
    for (std::size_t i = 0; i < count_ && Clock::now() < end_; ++i) {
      pace(i);
      const auto address = static_cast<std::uint32_t>(0x7f010000 + random_->below(0x00fd0000));
      send(Source(address, target_sockaddr_), make());
    }
    return true;
  }
  // Each datagram from another port of one address.
  template <typename Make>
  bool from_one_address(Make make) {
    for (std::size_t i = 0; i < count_ && Clock::now() < end_; ++i) {
      pace(i);
      send(Source(0x7f070707, target_sockaddr_), make());
    }
    return true;
  }

  Connection& open() {
    Source source(0x7f090909, target_sockaddr_);
    auto peer = std::make_unique<sim::HostilePeer>(source.address(), target_, new_intro());
    connections_.push_back({std::move(source), std::move(peer)});
    send(connections_.back().source, connections_.back().peer->intro());
    return connections_.back();
  }
  void serve() {
    for (Connection& connection : connections_) {
      while (const auto datagram = connection.source.receive()) {
        const Instant now{Clock::now().time_since_epoch()};
        if (const auto answer = connection.peer->receive(now, *datagram, *random_)) send(connection.source, *answer);
      }
      if (connection.peer->established() && !std::exchange(connection.counted, true)) ++established_;
    }
  }
  bool connections() {
    for (std::size_t i = 0; Clock::now() < end_; ++i) {
      if (i < count_) {
        pace(i);
        open();
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      if (i % 8 == 0 || i >= count_) serve();
    }
    return true;
  }
  // One connection, and what it says.
  template <typename Say>
  bool stranger(Say say) {
    Connection& connection = open();
    for (int tries = 0; tries < 200 && !connection.peer->established(); ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (tries % 10 == 9) send(connection.source, connection.peer->intro());
      serve();
    }
    if (!connection.peer->established()) return true;
    for (std::size_t i = 0; Clock::now() < end_; ++i) {
      if (i < count_) {
        pace(i);
        send(connection.source, say(*connection.peer));
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      if (i % 16 == 0 || i >= count_) serve();
    }
    return true;
  }

  // The highest legal fragment of the longest legal stream: one byte, far from the first one.
  [[nodiscard]] Bytes fragment(sim::HostilePeer& peer) {
    const std::array<std::uint8_t, 1> byte{7};
    return peer.seal(
        wire::StreamFragment{.stream_id = next_stream_++,
                             .total_length = wire::kMaxStreamBytes,
                             .number = static_cast<std::uint32_t>(wire::fragment_count(wire::kMaxStreamBytes)),
                             .payload = byte});
  }
  // The first fragment of a stream that never goes on.
  [[nodiscard]] Bytes stream(sim::HostilePeer& peer) {
    const Bytes payload(wire::kFragmentPayload, 7);
    return peer.seal(wire::StreamFragment{
        .stream_id = next_stream_++, .total_length = wire::kMaxStreamBytes, .number = 1, .payload = payload});
  }
  // docs/file_transfer.md, section 1.
  [[nodiscard]] Bytes offer(sim::HostilePeer& peer) {
    Bytes message = {0x47, 0x57, 0x54, 0x01, 1};
    const std::string name = "flood-" + std::to_string(next_stream_);
    put(message, next_stream_++, 8);
    put(message, 1'000'000, 8);
    put(message, name.size(), 2);
    message.insert(message.end(), name.begin(), name.end());
    return peer.seal(wire::ShortMessage{message});
  }
  // Asks for data and acknowledges none of it.
  [[nodiscard]] Bytes perf_start(sim::HostilePeer& peer) {
    Bytes message = {0x47, 0x57, 0x54, 0x01, 16};
    put(message, next_stream_++, 8);
    message.push_back(2);
    message.push_back(0);
    put(message, 16, 2);
    put(message, 16 << 20, 8);
    put(message, 0xffffffff, 4);
    put(message, 0, 8);
    put(message, 0, 8);
    put(message, ~0ULL, 8);
    return peer.seal(wire::ShortMessage{message});
  }
  static void put(Bytes& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }

  SocketAddress target_;
  sockaddr_in target_sockaddr_{};
  PublicKey key_;
  std::size_t count_;
  Clock::time_point end_;
  Clock::duration length_;
  std::unique_ptr<DeterministicRandom> random_;
  std::deque<Connection> connections_;
  std::uint32_t next_stream_ = 1;
  std::size_t datagrams_ = 0;
  std::size_t bytes_ = 0;
  std::size_t established_ = 0;
};

}  // namespace
}  // namespace godwit

int main(int argc, char** argv) {
  const auto target = argc == 6 ? godwit::SocketAddress::parse(argv[2]) : std::nullopt;
  const auto key = argc == 6 ? godwit::PublicKey::from_hex(argv[3]) : std::nullopt;
  if (!target || !target->is_ipv4() || !key) {
    std::fprintf(stderr, "usage: flood MODE ADDRESS KEY SECONDS COUNT\n");
    return 2;
  }
  godwit::Flood flood(*target, *key, std::atof(argv[4]), std::strtoull(argv[5], nullptr, 10));
  if (!flood.run(argv[1])) {
    std::fprintf(stderr, "flood: no mode '%s'\n", argv[1]);
    return 2;
  }
  flood.report();
  return 0;
}
