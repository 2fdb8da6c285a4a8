#include "udp/port_steering.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::uint32_t kPortMultiplier = 0x9e3779b1;
constexpr std::uint32_t kLastMultiplier = 0x85ebca6b;
constexpr std::uint32_t kNetworkHeader = static_cast<std::uint32_t>(SKF_NET_OFF);
// Beyond every group: the kernel then chooses by its own hash.
constexpr std::uint32_t kNoSelection = 0xffffffff;

constexpr std::uint32_t kIpv4Source = 12;
constexpr std::uint32_t kIpv6NextHeader = 6;
constexpr std::uint32_t kIpv6Source = 8;
constexpr std::uint32_t kIpv6Payload = 40;
constexpr std::uint32_t kProtocolUdp = 17;

std::uint32_t word(const SocketAddress& address, std::size_t index) {
  const auto& octets = address.octets();
  return std::uint32_t{octets[4 * index]} << 24 | std::uint32_t{octets[4 * index + 1]} << 16 |
         std::uint32_t{octets[4 * index + 2]} << 8 | std::uint32_t{octets[4 * index + 3]};
}

// A classic BPF program under construction: an accumulator A, an index register X.
class Program {
 public:
  void add(unsigned code, std::uint32_t operand = 0) { instructions_.push_back(make(code, operand, 0, 0)); }
  // Skips `over` instructions unless A equals `value`.
  void unless_equal(std::uint32_t value, std::uint8_t over) {
    instructions_.push_back(make(BPF_JMP | BPF_JEQ | BPF_K, value, 0, over));
  }
  // Skips `over` instructions if A equals `value`.
  void when_equal(std::uint32_t value, std::uint8_t over) {
    instructions_.push_back(make(BPF_JMP | BPF_JEQ | BPF_K, value, over, 0));
  }
  // A = (A ^ X) * multiplier
  void mix(std::uint32_t multiplier) {
    add(BPF_ALU | BPF_XOR | BPF_X);
    add(BPF_ALU | BPF_MUL | BPF_K, multiplier);
  }
  // The program's tail: what ends the hash of both families.
  void finish(std::uint32_t slots, std::span<const std::size_t> position_of_slot) {
    add(BPF_MISC | BPF_TAX);
    add(BPF_ALU | BPF_RSH | BPF_K, 15);
    mix(kLastMultiplier);
    add(BPF_ALU | BPF_RSH | BPF_K, 16);
    add(BPF_ALU | BPF_MOD | BPF_K, slots);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
      unless_equal(slot, 1);
      add(BPF_RET | BPF_K, static_cast<std::uint32_t>(position_of_slot[slot]));
    }
    add(BPF_RET | BPF_K, kNoSelection);
  }
  [[nodiscard]] std::size_t size() const { return instructions_.size(); }
  [[nodiscard]] std::vector<sock_filter> take() { return std::move(instructions_); }
  void set_jump(std::size_t at, std::size_t over) { instructions_[at].jf = static_cast<std::uint8_t>(over); }

 private:
  static sock_filter make(unsigned code, std::uint32_t operand, std::uint8_t if_true, std::uint8_t if_false) {
    return {.code = static_cast<std::uint16_t>(code), .jt = if_true, .jf = if_false, .k = operand};
  }
  std::vector<sock_filter> instructions_;
};

}  // namespace

PortSteering::PortSteering(std::uint64_t seed, std::size_t slots)
    : seed_(static_cast<std::uint32_t>(seed)), multiplier_(static_cast<std::uint32_t>(seed >> 32) | 1U), slots_(slots) {
  GODWIT_ASSERT(slots >= 1 && slots <= kMaxSlots);
}

std::size_t PortSteering::slot_of(const SocketAddress& remote) const {
  std::uint32_t hash = (word(remote, 0) ^ remote.port() * kPortMultiplier ^ seed_) * multiplier_;
  if (remote.is_ipv6()) {
    for (std::size_t i = 1; i < 4; ++i) hash = (hash ^ word(remote, i)) * multiplier_;
  }
  hash = (hash ^ hash >> 15) * kLastMultiplier;
  return (hash >> 16) % slots_;
}

std::vector<sock_filter> PortSteering::program(std::span<const std::size_t> position_of_slot) const {
  GODWIT_ASSERT(position_of_slot.size() == slots_);
  const auto slots = static_cast<std::uint32_t>(slots_);
  Program program;
  program.add(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader);
  program.add(BPF_ALU | BPF_RSH | BPF_K, 4);
  const std::size_t to_ipv6 = program.size();
  program.unless_equal(4, 0);

  // IPv4: the port stands behind a header of varying length.
  program.add(BPF_LDX | BPF_B | BPF_MSH, kNetworkHeader);
  program.add(BPF_LD | BPF_H | BPF_IND, kNetworkHeader);
  program.add(BPF_ALU | BPF_MUL | BPF_K, kPortMultiplier);
  program.add(BPF_ALU | BPF_XOR | BPF_K, seed_);
  program.add(BPF_MISC | BPF_TAX);
  program.add(BPF_LD | BPF_W | BPF_ABS, kNetworkHeader + kIpv4Source);
  program.mix(multiplier_);
  program.finish(slots, position_of_slot);
  program.set_jump(to_ipv6, program.size() - to_ipv6 - 1);

  program.unless_equal(6, 2);
  program.add(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader + kIpv6NextHeader);
  program.when_equal(kProtocolUdp, 1);
  program.add(BPF_RET | BPF_K, kNoSelection);
  program.add(BPF_LD | BPF_H | BPF_ABS, kNetworkHeader + kIpv6Payload);
  program.add(BPF_ALU | BPF_MUL | BPF_K, kPortMultiplier);
  program.add(BPF_ALU | BPF_XOR | BPF_K, seed_);
  for (std::uint32_t i = 0; i < 4; ++i) {
    program.add(BPF_MISC | BPF_TAX);
    program.add(BPF_LD | BPF_W | BPF_ABS, kNetworkHeader + kIpv6Source + 4 * i);
    program.mix(multiplier_);
  }
  program.finish(slots, position_of_slot);
  return program.take();
}

Status PortSteering::attach(const Socket& socket, std::span<const std::size_t> position_of_slot) const {
  std::vector<sock_filter> instructions = program(position_of_slot);
  const sock_fprog filter{.len = static_cast<unsigned short>(instructions.size()), .filter = instructions.data()};
  if (::setsockopt(socket.descriptor(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof filter) == 0) return {};
  return failure(ErrorCode::kUnsupported,
                 std::string("cannot steer datagrams between sockets of one port: ") + std::strerror(errno));
}

}  // namespace godwit
