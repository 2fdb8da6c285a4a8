// The public interface (include/godwit) with any options, strings and times at all: what is refused says why, what is
// accepted can be used, and no value of an option overflows, aborts or keeps a call from returning. No datagram leaves
// the process.
#include <memory>
#include <string>

#include "congestion/controller.h"
#include "fuzz/input.h"
#include "godwit/endpoint.h"
#include "godwit/node.h"
#include "udp/backend.h"

namespace godwit::fuzz {
namespace {

const v1::SecretKey& secret_key() {
  static const v1::SecretKey key = [] {
    const Bytes secret(32, 0x33);
    return std::move(*v1::SecretKey::from_bytes(secret));
  }();
  return key;
}

std::string text(Input& input, std::size_t most) {
  const ByteView raw = input.take(input.below(most + 1));
  return {raw.begin(), raw.end()};
}

std::string word(Input& input, std::span<const std::string_view> known) {
  const std::uint8_t kind = input.byte();
  if (kind < 224) return std::string(known[kind % known.size()]);
  return text(input, 20);
}

v1::Duration duration(Input& input) {
  return v1::Duration{static_cast<std::int64_t>(input.number())};
}

v1::Options options(Input& input) {
  static constexpr std::array<std::string_view, 3> kCiphers{"auto", "ipsec-mb", "openssl"};
  v1::Options options;
  options.congestion = word(input, congestion_names());
  options.cipher = word(input, kCiphers);
  const std::uint8_t set = input.byte();
  options.accept_incoming = (set & 1) != 0;
  options.stream_in_chunks = (set & 2) != 0;
  options.require_authenticated_peer = (set & 4) != 0;
  if ((set & 8) != 0) options.max_connections = static_cast<std::size_t>(input.number());
  if ((set & 16) != 0) options.connection_bits_per_second = input.number();
  if ((set & 32) != 0) options.endpoint_bits_per_second = input.number();
  if ((set & 64) != 0) options.connect_timeout = duration(input);
  if ((set & 128) != 0) options.idle_timeout = duration(input);
  return options;
}

void use(v1::Endpoint& endpoint, Input& input) {
  v1::Duration now = std::chrono::hours{1};
  v1::ConnectionId connection = 0;
  const auto drain = [&] {
    while (endpoint.poll_event() != nullptr) {
    }
    for (int i = 0; i < 100; ++i) {
      const v1::Transmit* const transmit = endpoint.poll_transmit(now);
      if (transmit == nullptr) break;
      GODWIT_ASSERT(transmit->segment_size > 0 && !transmit->bytes.empty());
    }
  };
  for (int step = 0; step < 24 && !input.empty(); ++step) {
    switch (input.below(8)) {
      case 0:
      case 1: {
        const auto address = v1::Address::parse(input.coin() ? "192.0.2.7:31337" : text(input, 30));
        const std::string key = input.one_in(8) ? text(input, 70) : secret_key().public_key();
        if (!address) break;
        if (const auto made = endpoint.connect(now, *address, key)) connection = *made;
        break;
      }
      case 2: {
        v1::Address from{.octets = {192, 0, 2, 7}, .port = 31337};
        const ByteView raw = input.take(input.byte());
        Bytes bytes(raw.begin(), raw.end());
        endpoint.receive(now, from, bytes, 1 + input.below(128));
        break;
      }
      case 3:
        now += std::chrono::milliseconds{input.u16()};
        endpoint.handle_timeout(now);
        break;
      case 4: static_cast<void>(endpoint.send(now, connection, Bytes(std::size_t{input.byte()} * 16))); break;
      case 5: endpoint.close(now, connection, text(input, 40)); break;
      case 6: static_cast<void>(endpoint.statistics(input.coin() ? connection : input.number())); break;
      default:
        // As a driver does: at most so many time-outs that are due at once, or the endpoint keeps it busy for ever.
        for (int due = 0; endpoint.next_timeout() && *endpoint.next_timeout() <= now; ++due) {
          GODWIT_ASSERT(due < 64);
          endpoint.handle_timeout(now);
          drain();
        }
        break;
    }
    drain();
  }
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  using namespace godwit::fuzz;
  if (size < 4 || size > 512) return 0;
  Input input(data, size);
  // A socket costs a hundred times what an endpoint does.
  if (input.byte() >= 250) {
    v1::NodeOptions node_options{.transport = options(input)};
    node_options.backend = word(input, backend_names());
    // Ports of others are left alone: an address with a port of its own becomes one that the system chooses.
    node_options.bind = text(input, 30);
    if (v1::Address::parse(node_options.bind)) node_options.bind = "127.0.0.1:0";
    node_options.receive_buffer_bytes = static_cast<std::size_t>(input.number());
    const auto node = v1::Node::open(node_options, secret_key());
    if (!node) GODWIT_ASSERT(!node.error().message.empty());
    return 0;
  }
  const auto endpoint = v1::Endpoint::make(options(input), secret_key());
  if (!endpoint) {
    GODWIT_ASSERT(!endpoint.error().message.empty());
    return 0;
  }
  use(**endpoint, input);
  return 0;
}
