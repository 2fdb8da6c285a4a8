// The batch cipher against OpenSSL and IPsec-MB: a batch of packets whose sizes, pieces, alignments and forgeries the
// input chooses. Every kernel that this processor can execute must seal what the libraries seal, byte for byte, open
// it, refuse what they refuse, and write nowhere else. Key and contents follow from a seed in the input: what can go
// wrong depends on shapes, and a fuzzer has nothing to learn from the bytes of ciphertexts.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "crypto/gcm_batch.h"
#include "fuzz/case_count.h"
#include "fuzz/input.h"

namespace {

using namespace godwit;
using fuzz::Bytes;

constexpr std::size_t kMargin = 64;
constexpr std::uint8_t kUntouched = 0xcc;

struct Packet {
  Nonce nonce;
  Bytes plaintext;
  Bytes sealed;
  std::size_t head = 0;
  std::size_t body = 0;
  std::size_t alignment = 0;
  std::size_t forged_bit = SIZE_MAX;  // none

  [[nodiscard]] std::size_t at() const { return kMargin + alignment; }
  [[nodiscard]] Bytes room() const { return Bytes(at() + sealed.size() + kMargin, kUntouched); }
  void check_margins(const Bytes& room, std::size_t used) const {
    for (std::size_t i = 0; i < at(); ++i) GODWIT_ASSERT(room[i] == kUntouched);
    for (std::size_t i = at() + used; i < room.size(); ++i) GODWIT_ASSERT(room[i] == kUntouched);
  }
};

// Packets that a kernel has sealed, or opened, as the libraries do.
fuzz::CaseCount g_cases;

std::size_t read_size(fuzz::Input& input) {
  switch (input.below(4)) {
    case 0: return 1171;
    case 1: return input.byte();
    default: return input.u16() % (GcmTables::kMaxText + 1);
  }
}

std::vector<Packet> read_packets(fuzz::Input& input, RandomSource& random, PacketCipher& openssl, PacketCipher* ipsec) {
  const std::size_t usual = read_size(input);
  std::vector<Packet> packets(1 + input.below(GcmKernel::kMaxPackets));
  for (Packet& packet : packets) {
    const std::size_t choices = input.byte();
    const std::size_t size = (choices & 7) == 7 ? read_size(input) : usual;
    random.fill(packet.nonce.bytes);
    packet.plaintext.resize(size);
    random.fill(packet.plaintext);
    packet.head = std::min<std::size_t>(size, (choices & 8) != 0 ? input.byte() : 40);
    packet.body = size - packet.head;
    if ((choices & 16) != 0) packet.body -= std::min<std::size_t>(packet.body, input.byte());
    if ((choices & 32) != 0) packet.alignment = input.below(64);
    packet.sealed.resize(size + kTagSize);
    openssl.seal(packet.nonce, packet.plaintext, packet.sealed.data());
    if (ipsec != nullptr) {
      Bytes second(packet.sealed.size());
      ipsec->seal(packet.nonce, packet.plaintext, second.data());
      GODWIT_ASSERT(second == packet.sealed);
    }
    if ((choices & 64) != 0) packet.forged_bit = input.u16() % (packet.sealed.size() * 8);
  }
  return packets;
}

void check_seal(const GcmKernel& kernel, const GcmTables& tables, const std::vector<Packet>& packets) {
  std::vector<Bytes> rooms;
  std::vector<PacketToSeal> batch;
  for (const Packet& packet : packets) {
    Bytes& room = rooms.emplace_back(packet.room());
    std::uint8_t* const text = room.data() + packet.at();
    const std::size_t end = packet.head + packet.body;
    std::copy_n(packet.plaintext.begin(), packet.head, text);
    std::copy(packet.plaintext.begin() + static_cast<std::ptrdiff_t>(end), packet.plaintext.end(), text + end);
    batch.push_back({packet.nonce.bytes.data(), text, packet.plaintext.data() + packet.head, packet.plaintext.size(),
                     packet.head, packet.body});
  }
  kernel.seal(tables, batch);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    GODWIT_ASSERT(std::equal(packets[i].sealed.begin(), packets[i].sealed.end(), batch[i].text));
    packets[i].check_margins(rooms[i], packets[i].sealed.size());
  }
}

void check_open(const GcmKernel& kernel, const GcmTables& tables, const std::vector<Packet>& packets, bool in_place,
                PacketCipher& openssl) {
  std::vector<Bytes> sources;
  std::vector<Bytes> rooms;
  std::vector<PacketToOpen> batch;
  for (const Packet& packet : packets) {
    Bytes& source = sources.emplace_back(packet.sealed);
    if (packet.forged_bit != SIZE_MAX) {
      std::uint8_t& byte = source[packet.forged_bit / 8];
      byte = static_cast<std::uint8_t>(byte ^ 1U << packet.forged_bit % 8);
    }
    Bytes& room = rooms.emplace_back(packet.room());
    std::uint8_t* const text = room.data() + packet.at();
    if (in_place) std::ranges::copy(source, text);
    batch.push_back({packet.nonce.bytes.data(), in_place ? text : source.data(), text, packet.plaintext.size(), false});
  }
  kernel.open(tables, batch);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    Bytes opened(packets[i].plaintext.size());
    GODWIT_ASSERT(batch[i].authentic == (packets[i].forged_bit == SIZE_MAX));
    GODWIT_ASSERT(batch[i].authentic == openssl.open(packets[i].nonce, sources[i], opened.data()));
    if (batch[i].authentic) GODWIT_ASSERT(std::equal(opened.begin(), opened.end(), batch[i].out));
    if (!in_place) packets[i].check_margins(rooms[i], packets[i].plaintext.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  DeterministicRandom random(input.u16());
  const bool in_place = input.coin();
  const SymmetricKey key = SymmetricKey::generate(random);
  const auto openssl = make_packet_cipher(CipherKind::kOpenssl, key);
  const auto ipsec = cipher_available(CipherKind::kIpsecMb) ? make_packet_cipher(CipherKind::kIpsecMb, key) : nullptr;
  const std::vector<Packet> packets = read_packets(input, random, *openssl, ipsec.get());
  for (const CipherKind kind : kAllCipherKinds) {
    const GcmKernel* const kernel = gcm_kernel(kind);
    if (kernel == nullptr) continue;
    GcmTables tables;
    kernel->expand(key, tables);
    check_seal(*kernel, tables, packets);
    check_open(*kernel, tables, packets, in_place, *openssl);
    g_cases.add(2 * packets.size());
  }
  return 0;
}
