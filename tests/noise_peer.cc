// One side of a Noise IK handshake by NoiseIk, spoken in lines of hexadecimal digits, for noise_peers_test.py, which
// joins it with independent implementations. tools/noise_peers/src/main.rs describes the lines.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "crypto/chacha20_poly1305.h"
#include "crypto/noise_ik.h"

namespace {

using namespace godwit;
using Bytes = std::vector<std::uint8_t>;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "noise_peer: %s\n", what);
  std::exit(1);
}

void say(const std::string& line) {
  std::cout << line << std::endl;
}

Bytes hear() {
  std::string line;
  std::getline(std::cin, line);
  const auto bytes = from_hex(line);
  require(bytes.has_value(), "a line that is not hexadecimal");
  return *bytes;
}

Bytes seal(const Secret& key, std::string_view text) {
  const std::array<std::uint8_t, kChachaNonceSize> nonce{};
  Bytes out(text.size() + kChachaTagSize);
  const ByteView plaintext(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  require(chacha20_poly1305_seal(key.bytes, nonce, {}, plaintext, out.data()), "seal");
  return out;
}

Bytes open(const Secret& key, const Bytes& sealed) {
  const std::array<std::uint8_t, kChachaNonceSize> nonce{};
  require(sealed.size() >= kChachaTagSize, "a short message");
  Bytes out(sealed.size() - kChachaTagSize);
  require(chacha20_poly1305_open(key.bytes, nonce, {}, sealed, out.data()), "open");
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  require(argc == 6, "initiator|responder PROLOGUE STATIC_SECRET PEER_PUBLIC|- PAYLOAD");
  const bool initiates = std::string_view(argv[1]) == "initiator";
  const Bytes prologue = from_hex(argv[2]).value_or(Bytes{});
  const auto self = KeyPair::from_secret(from_hex(argv[3]).value_or(Bytes{}));
  const Bytes payload = from_hex(argv[5]).value_or(Bytes{});
  require(self.has_value(), "a secret of another length");
  DeterministicRandom random(std::random_device{}());
  auto ephemeral = KeyPair::generate(random);
  require(ephemeral.has_value(), "no key");
  Bytes theirs;
  std::optional<NoiseIk> noise;
  if (initiates) {
    const auto peer = PublicKey::from_hex(argv[4]);
    require(peer.has_value(), "a public key of another length");
    noise.emplace(NoiseIk::initiator(prologue, *self, *peer));
    Bytes message(payload.size() + NoiseIk::kFirstOverhead);
    require(noise->write_first(std::move(*ephemeral), payload, message), "message 1");
    say(to_hex(message));
    const Bytes second = hear();
    require(second.size() >= NoiseIk::kSecondOverhead, "a short message 2");
    theirs.resize(second.size() - NoiseIk::kSecondOverhead);
    require(noise->read_second(second, theirs), "message 2 does not authenticate");
  } else {
    noise.emplace(NoiseIk::responder(prologue, *self));
    const Bytes first = hear();
    require(first.size() >= NoiseIk::kFirstOverhead, "a short message 1");
    theirs.resize(first.size() - NoiseIk::kFirstOverhead);
    require(noise->read_first(first, theirs), "message 1 does not authenticate");
    Bytes message(payload.size() + NoiseIk::kSecondOverhead);
    require(noise->write_second(std::move(*ephemeral), payload, message), "message 2");
    say(to_hex(message));
  }
  say(to_hex(theirs) + " " + to_hex(noise->handshake_hash()) + " " + noise->remote_static().to_hex());
  const NoiseIk::Secrets secrets = noise->split();
  say(to_hex(seal(initiates ? secrets.from_initiator : secrets.from_responder, "transport message")));
  say(to_hex(open(initiates ? secrets.from_responder : secrets.from_initiator, hear())));
}
