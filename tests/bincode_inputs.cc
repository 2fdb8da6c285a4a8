// One half of the comparison of the wire decoder with bincode 1 itself (scripts/run_bincode_diff.sh); the other half is
// tools/bincode_diff.
//
//   godwit_bincode_inputs generate COUNT SEED   writes inputs to standard output, each behind a u32 length
//   godwit_bincode_inputs decode                reads such inputs and writes one line per input: what was decoded
//
// Inputs are valid packets of every kind, and what comes of them when bytes are changed, cut off, added, or replaced by
// the numbers at which lengths and indices tend to go wrong.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

// --- Generating ---

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : packets_(seed) {}

  Bytes next() {
    Bytes input = valid();
    // A quarter stays as it is.
    for (std::uint64_t changes = below(4); changes > 0; --changes) change(input);
    return input;
  }

 private:
  Bytes valid() {
    const auto acks = packets_.acks();
    return wire::test::encoded(packets_.u32(), acks, packets_.message());
  }
  std::uint64_t below(std::uint64_t bound) { return packets_.random().below(bound); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(packets_.u32()); }
  std::size_t place(const Bytes& input) { return static_cast<std::size_t>(below(input.size() + 1)); }

  std::uint64_t interesting() {
    switch (below(6)) {
      case 0: return below(10);
      case 1: return std::uint64_t{1} << below(64);
      case 2: return (std::uint64_t{1} << below(64)) - 1;
      case 3: return UINT64_MAX - below(40);
      case 4: return below(1500);
      default: return packets_.random().next_u64();
    }
  }

  void change(Bytes& input) {
    if (input.empty()) return;
    const auto at = static_cast<std::size_t>(below(input.size()));
    switch (below(8)) {
      case 0: input[at] ^= static_cast<std::uint8_t>(1U << below(8)); break;
      case 1: input[at] = byte(); break;
      case 2: input.resize(at); break;
      case 3: {  // added at the end
        for (std::uint64_t added = below(40); added > 0; --added) input.push_back(byte());
        break;
      }
      case 4: {  // a number of a width that the encoding knows
        const std::size_t width = std::size_t{1} << below(4);
        std::uint64_t number = interesting();
        for (std::size_t i = at; i < std::min(at + width, input.size()); ++i, number >>= 8)
          input[i] = static_cast<std::uint8_t>(number);
        break;
      }
      case 5: {  // the fields with the most consequences: count of acknowledgements, variant, and what follows it
        static constexpr std::array<std::size_t, 6> kPlaces{4, 8, 12, 16, 20, 32};
        const std::size_t place = kPlaces[below(kPlaces.size())];
        std::uint64_t number = interesting();
        for (std::size_t i = place; i < std::min(place + 4, input.size()); ++i, number >>= 8)
          input[i] = static_cast<std::uint8_t>(number);
        break;
      }
      case 6: {  // bytes taken out
        const auto end = std::min(input.size(), at + 1 + static_cast<std::size_t>(below(12)));
        input.erase(input.begin() + static_cast<std::ptrdiff_t>(at), input.begin() + static_cast<std::ptrdiff_t>(end));
        break;
      }
      default: {  // the end of another packet
        const Bytes other = valid();
        const std::size_t cut = place(other);
        input.resize(at);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(cut), other.end());
        break;
      }
    }
  }

  wire::test::PacketGenerator packets_;
};

void generate(std::uint64_t count, std::uint64_t seed) {
  Generator generator(seed);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Bytes input = generator.next();
    std::array<std::uint8_t, 4> length{};
    store_le(length.data(), static_cast<std::uint32_t>(input.size()));
    std::fwrite(length.data(), 1, length.size(), stdout);
    std::fwrite(input.data(), 1, input.size(), stdout);
  }
}

// --- Decoding ---

// Length and FNV-1a hash: the lines stay short, and a difference in any byte shows.
std::string digest(ByteView bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x00000100000001b3;
  return fmt::format("{}:{:016x}", bytes.size(), hash);
}

std::string describe(const wire::NoOp&) {
  return "noop";
}
std::string describe(const wire::AckOk& ack) {
  const SocketAddress& address = ack.remote_address;
  const ByteView octets = ByteView(address.octets()).first(address.is_ipv4() ? 4 : 16);
  std::string text = fmt::format("ack {} {}/{}", to_hex(ack.key.bytes()), to_hex(octets), address.port());
  if (ack.version) text += " " + to_hex(*ack.version);
  return text;
}
std::string describe(const wire::AckError& error) {
  return "error " + digest(as_bytes(error.text));
}
std::string describe(const wire::ShortMessage& message) {
  return "short " + digest(message.payload);
}
std::string describe(const wire::StreamFragment& fragment) {
  return fmt::format("fragment {} {} {} {} {}", fragment.stream_id, fragment.total_length, fragment.number,
                     digest(fragment.payload), fragment.metadata ? digest(*fragment.metadata) : "none");
}
std::string describe(const wire::Ping& ping) {
  return fmt::format("ping {}", ping.sequence);
}
std::string describe(const wire::Pong& pong) {
  return fmt::format("pong {}", pong.sequence);
}
std::string describe(const wire::UpgradeOffer& offer) {
  return fmt::format("offer {} {}", offer.attempt, offer.capabilities);
}
std::string describe(const wire::UpgradeAccept& accept) {
  return fmt::format("accept {}", accept.attempt);
}
std::string describe(const wire::UpgradeDecline& decline) {
  return fmt::format("decline {} {}", decline.attempt, decline.reason);
}

std::string line_for(ByteView input) {
  const auto packet = wire::decode(input);
  if (!packet) return "refused";
  const std::string message = std::visit([](const auto& kind) { return describe(kind); }, packet->message);
  return fmt::format("{} {} {} rest {}", packet->packet_id, digest(packet->acks.raw), message, packet->trailing.size());
}

bool decode_all() {
  const Bytes all{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  ByteView rest(all);
  while (!rest.empty()) {
    if (rest.size() < 4) return false;
    const auto length = load_le<std::uint32_t>(rest.data());
    rest = rest.subspan(4);
    if (length > rest.size()) return false;
    // A copy of its own, so that a sanitizer sees any access beyond it.
    const Bytes input(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(length));
    rest = rest.subspan(length);
    fmt::print("{}\n", line_for(input));
  }
  return true;
}

}  // namespace
}  // namespace godwit

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "generate") {
    godwit::generate(std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
    return 0;
  }
  if (argc == 2 && std::string_view(argv[1]) == "decode") return godwit::decode_all() ? 0 : 1;
  std::fputs("usage: godwit_bincode_inputs generate COUNT SEED | decode\n", stderr);
  return 2;
}
