#include "udp/port_steering.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/assert.h"
#include "base/keyed_hash.h"

namespace godwit {
namespace {

constexpr std::uint32_t kNetworkHeader = static_cast<std::uint32_t>(SKF_NET_OFF);
// Beyond every group: the kernel then chooses by its own hash.
constexpr std::uint32_t kNoSelection = 0xffffffff;

constexpr std::uint32_t kIpv4Source = 12;
constexpr std::uint32_t kIpv6NextHeader = 6;
constexpr std::uint32_t kIpv6Source = 8;
constexpr std::uint32_t kIpv6Payload = 40;
constexpr std::uint32_t kProtocolUdp = 17;
constexpr std::uint32_t kFirstSum = 0;  // word of the program's memory

// Half-word `index` of the source as it stands in the network header.
std::uint32_t half_word(const SocketAddress& address, std::size_t index) {
  const auto& octets = address.octets();
  return std::uint32_t{octets[2 * index]} << 8 | std::uint32_t{octets[2 * index + 1]};
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
  // X = X + A * factor, where A is a half-word that has just been loaded.
  void accumulate(std::uint32_t factor) {
    add(BPF_ALU | BPF_MUL | BPF_K, factor);
    add(BPF_ALU | BPF_ADD | BPF_X);
    add(BPF_MISC | BPF_TAX);
  }
  // The program's tail: X is the second sum, the upper half of the first is in memory.
  void finish(std::uint32_t multiplier, std::uint32_t slots, std::span<const std::size_t> position_of_slot) {
    add(BPF_MISC | BPF_TXA);
    add(BPF_ALU | BPF_RSH | BPF_K, 15);
    add(BPF_ALU | BPF_XOR | BPF_X);
    add(BPF_ALU | BPF_MUL | BPF_K, multiplier);
    add(BPF_ALU | BPF_RSH | BPF_K, 16);
    add(BPF_LDX | BPF_MEM, kFirstSum);
    add(BPF_ALU | BPF_XOR | BPF_X);
    add(BPF_ALU | BPF_MOD | BPF_K, slots);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
      unless_equal(slot, 1);
      add(BPF_RET | BPF_K, static_cast<std::uint32_t>(position_of_slot[slot]));
    }
    add(BPF_RET | BPF_K, kNoSelection);
  }
  // X is the first sum.
  void keep_first_sum() {
    add(BPF_MISC | BPF_TXA);
    add(BPF_ALU | BPF_RSH | BPF_K, 16);
    add(BPF_ST, kFirstSum);
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

PortSteering::PortSteering(std::uint64_t seed, std::size_t slots) : slots_(slots) {
  GODWIT_ASSERT(slots >= 1 && slots <= kMaxSlots);
  // The theorem asks for independent keys: those of a pseudo-random function.
  const HashKey expand(seed, ~seed);
  std::uint8_t counter = 0;
  const auto next = [&] { return static_cast<std::uint32_t>(expand.hash(std::array{counter++})); };
  const auto fill = [&](auto& keys) {
    for (auto& sum : keys) {
      sum.offset = next();
      for (std::uint32_t& factor : sum.factors) factor = next();
    }
  };
  fill(ipv4_);
  fill(ipv6_);
  multiplier_ = next() | 1U;
}

std::size_t PortSteering::slot_of(const SocketAddress& remote) const {
  const auto sum = [&](const auto& key) {
    const std::size_t address_words = key.factors.size() - 1;
    std::uint32_t result = key.offset + key.factors[address_words] * remote.port();
    for (std::size_t i = 0; i < address_words; ++i) result += key.factors[i] * half_word(remote, i);
    return result;
  };
  const auto choose = [&](const auto& keys) {
    const std::uint32_t first = sum(keys[0]);
    const std::uint32_t second = sum(keys[1]);
    return ((first >> 16) ^ ((second ^ second >> 15) * multiplier_ >> 16)) % slots_;
  };
  return remote.is_ipv6() ? choose(ipv6_) : choose(ipv4_);
}

std::vector<sock_filter> PortSteering::program(std::span<const std::size_t> position_of_slot) const {
  GODWIT_ASSERT(position_of_slot.size() == slots_);
  const auto slots = static_cast<std::uint32_t>(slots_);
  Program program;
  program.add(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader);
  program.add(BPF_ALU | BPF_RSH | BPF_K, 4);
  const std::size_t to_ipv6 = program.size();
  program.unless_equal(4, 0);

  for (std::size_t i = 0; i < 2; ++i) {
    const SumKey<kIpv4HalfWords>& key = ipv4_[i];
    // The port stands behind a header of varying length, which X holds first.
    program.add(BPF_LDX | BPF_B | BPF_MSH, kNetworkHeader);
    program.add(BPF_LD | BPF_H | BPF_IND, kNetworkHeader);
    program.add(BPF_LDX | BPF_IMM, key.offset);
    program.accumulate(key.factors.back());
    for (std::uint32_t word = 0; word + 1 < kIpv4HalfWords; ++word) {
      program.add(BPF_LD | BPF_H | BPF_ABS, kNetworkHeader + kIpv4Source + 2 * word);
      program.accumulate(key.factors[word]);
    }
    if (i == 0) program.keep_first_sum();
  }
  program.finish(multiplier_, slots, position_of_slot);
  program.set_jump(to_ipv6, program.size() - to_ipv6 - 1);

  program.unless_equal(6, 2);
  program.add(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader + kIpv6NextHeader);
  program.when_equal(kProtocolUdp, 1);
  program.add(BPF_RET | BPF_K, kNoSelection);
  for (std::size_t i = 0; i < 2; ++i) {
    const SumKey<kIpv6HalfWords>& key = ipv6_[i];
    program.add(BPF_LDX | BPF_IMM, key.offset);
    program.add(BPF_LD | BPF_H | BPF_ABS, kNetworkHeader + kIpv6Payload);
    program.accumulate(key.factors.back());
    for (std::uint32_t word = 0; word + 1 < kIpv6HalfWords; ++word) {
      program.add(BPF_LD | BPF_H | BPF_ABS, kNetworkHeader + kIpv6Source + 2 * word);
      program.accumulate(key.factors[word]);
    }
    if (i == 0) program.keep_first_sum();
  }
  program.finish(multiplier_, slots, position_of_slot);
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
