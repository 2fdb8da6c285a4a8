// Level 0: the ciphers, nonces, key agreement and the intro.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>

#include "base/random.h"
#include "benches/suite.h"
#include "crypto/hkdf.h"
#include "crypto/intro_box.h"
#include "crypto/packet_cipher.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "runtime/system_random.h"
#include "transport/address_table.h"

namespace godwit::bench {
namespace {

constexpr std::size_t kSizes[] = {64, 256, 1024, 1171, 1364};
// Packets that take turns, so that no branch predictor learns one by heart.
constexpr std::size_t kPackets = 16;

std::vector<std::uint8_t> random_bytes(std::size_t size, std::uint64_t seed) {
  std::vector<std::uint8_t> bytes(size);
  DeterministicRandom(seed).fill(bytes);
  return bytes;
}

void cipher_case(Cases& cases, CipherKind kind, std::size_t size, bool seals) {
  Case bench_case{.name = fmt::format("level0/{}/{}/{}", seals ? "seal" : "open", cipher_name(kind), size),
                  .title = fmt::format("AES-128-GCM, {} {} bytes, key expanded once", seals ? "seal" : "open", size),
                  .parameters = {{"cipher", std::string(cipher_name(kind))}, {"bytes", std::to_string(size)}}};
  bench_case.body = [kind, size, seals](Bench& bench) {
    if (!cipher_available(kind)) {
      bench.outcome.skipped = fmt::format("{} is not available on this processor", cipher_name(kind));
      return;
    }
    DeterministicRandom random(7);
    const auto cipher = make_packet_cipher(kind, SymmetricKey::generate(random));
    NonceCounter nonces(random);
    std::vector<std::vector<std::uint8_t>> plain;
    std::vector<std::vector<std::uint8_t>> sealed;
    std::vector<Nonce> used;
    std::vector<std::uint8_t> out(size + kTagSize);
    bool right = true;
    for (std::size_t i = 0; i < kPackets; ++i) {
      plain.push_back(random_bytes(size, i + 1));
      used.push_back(nonces.next());
      cipher->seal(used[i], plain[i], out.data());
      sealed.push_back(out);
      right =
          cipher->open(used[i], sealed[i], out.data()) && std::memcmp(out.data(), plain[i].data(), size) == 0 && right;
      sealed[i][size / 2] ^= 1;
      right = !cipher->open(used[i], sealed[i], out.data()) && right;
      sealed[i][size / 2] ^= 1;
    }
    bench.outcome.verified = right;
    bench.outcome.proof = "opens to what was sealed, and not with a bit changed";
    bench.outcome.bytes = static_cast<double>(size);
    std::size_t turn = 0;
    if (seals) {
      bench.measure([&] {
        cipher->seal(nonces.next(), plain[turn++ % kPackets], out.data());
        benchmark::DoNotOptimize(out.data());
      });
    } else {
      bench.measure([&] {
        const std::size_t i = turn++ % kPackets;
        benchmark::DoNotOptimize(cipher->open(used[i], sealed[i], out.data()));
      });
    }
  };
  cases.push_back(std::move(bench_case));
}

// Full packets of one connection, some at a time. The tables of the batch kernels are there, as on a connection that
// carries batches; without them a batch of fewer than eight is left to the packaged library.
class BatchFixture {
 public:
  static constexpr std::size_t kHead = 40;
  static constexpr std::size_t kBody = 1130;
  static constexpr std::size_t kText = kHead + kBody + 1;
  static constexpr std::size_t kMost = 64;

  explicit BatchFixture(CipherKind kind) : sealer_(make(kind), random_), opener_(make(kind)) {
    for (std::size_t i = 0; i < kMost; ++i) {
      const MutableBytes datagram = MutableBytes(datagrams_).subspan(i * kDatagram, kDatagram);
      to_seal_[i] = {nullptr, datagram.data() + kEnvelopePrefix, &bodies_[i * kBody], kText, kHead, kBody};
      to_open_[i] = PacketOpener::to_open(datagram, &opened_[i * kText]);
    }
    seal(kMost);
    open(kMost);
  }

  // From now on the packets lie whole in their datagrams, as acknowledgements and copied messages do, and what a
  // sealing leaves is the text of the next one.
  void hold_whole() {
    for (PacketToSeal& packet : to_seal_) {
      packet.head_size = kText;
      packet.body = nullptr;
      packet.body_size = 0;
    }
  }
  bool seal_and_open_all() {
    const bool sealed = seal(kMost);
    open(kMost);
    return sealed && std::ranges::all_of(to_open_, &PacketToOpen::authentic);
  }

  bool seal(std::size_t count) { return sealer_.seal_batch(std::span(to_seal_).first(count)); }
  void open(std::size_t count) { opener_.open_batch(std::span(to_open_).first(count)); }

  // Whether all bodies come back, and a changed bit is noticed.
  bool verify() {
    bool right = seal(kMost);
    open(kMost);
    for (std::size_t i = 0; i < kMost; ++i) {
      right = to_open_[i].authentic && std::memcmp(to_open_[i].out + kHead, to_seal_[i].body, kBody) == 0 && right;
    }
    datagrams_[700] ^= 1;
    open(kMost);
    right = !to_open_[0].authentic && to_open_[1].authentic && right;
    datagrams_[700] ^= 1;
    return right;
  }

 private:
  static constexpr std::size_t kDatagram = kText + kEnvelopeOverhead;

  [[nodiscard]] std::unique_ptr<PacketCipher> make(CipherKind kind) const { return make_packet_cipher(kind, key_); }

  DeterministicRandom random_{7};
  SymmetricKey key_ = SymmetricKey::generate(random_);
  PacketSealer sealer_;
  PacketOpener opener_;
  std::vector<std::uint8_t> bodies_ = random_bytes(kMost * kBody, 1);
  std::vector<std::uint8_t> datagrams_ = random_bytes(kMost * kDatagram, 2);
  std::vector<std::uint8_t> opened_ = std::vector<std::uint8_t>(kMost * kText);
  std::array<PacketToSeal, kMost> to_seal_;
  std::array<PacketToOpen, kMost> to_open_;
};

void batch_cases(Cases& cases) {
  for (const CipherKind kind : {CipherKind::kOpenssl, CipherKind::kIpsecMb, CipherKind::kIpsecMbAvx2,
                                CipherKind::kBatchAvx512, CipherKind::kBatchAvx2, CipherKind::kBatchAesni}) {
    for (const std::size_t count : {1UL, 4UL, 16UL, 43UL, 64UL}) {
      for (const bool seals : {true, false}) {
        const char* const verb = seals ? "seal" : "open";
        cases.push_back({.name = fmt::format("level0/{}-batch/{}/{}", verb, cipher_name(kind), count),
                         .title = fmt::format("AES-128-GCM, {} a full packet, {} at a time", verb, count),
                         .parameters = {{"cipher", std::string(cipher_name(kind))}, {"batch", std::to_string(count)}},
                         .body = [kind, count, seals](Bench& bench) {
                           if (!cipher_available(kind)) {
                             bench.outcome.skipped =
                                 fmt::format("{} is not available on this processor", cipher_name(kind));
                             return;
                           }
                           BatchFixture batch(kind);
                           bench.outcome.verified = batch.verify();
                           bench.outcome.proof = "opens to what was sealed, and not with a bit changed";
                           bench.outcome.bytes = BatchFixture::kText;
                           bench.outcome.per = static_cast<double>(count);
                           if (seals) {
                             bench.measure([&] { benchmark::DoNotOptimize(batch.seal(count)); });
                           } else {
                             bench.measure([&] { batch.open(count); });
                           }
                         }});
      }
    }
  }
}

// A whole packet as the transport makes it: header, payload from the application, option byte, envelope.
void packet_cases(Cases& cases) {
  cases.push_back({.name = "level0/packet/seal-whole-batch",
                   .title = "full packets that lie whole in their datagrams, sealed 43 at a time",
                   .parameters = {{"batch", "43"}},
                   .body = [](Bench& bench) {
                     BatchFixture batch(preferred_cipher());
                     batch.hold_whole();
                     bench.outcome.verified = batch.seal_and_open_all();
                     bench.outcome.proof = "all authenticate";
                     bench.outcome.bytes = BatchFixture::kText;
                     bench.outcome.per = 43;
                     bench.measure([&] { benchmark::DoNotOptimize(batch.seal(43)); });
                   }});
  cases.push_back({.name = "level0/packet/copy-then-seal",
                   .title = "one full packet: payload copied behind the header, then sealed in place",
                   .parameters = {{"bytes", "1130"}},
                   .body = [](Bench& bench) {
                     DeterministicRandom random(7);
                     PacketSealer sealer(make_packet_cipher(preferred_cipher(), SymmetricKey::generate(random)),
                                         random);
                     const auto payload = random_bytes(1130, 1);
                     std::vector<std::uint8_t> datagram(1200);
                     bench.outcome.verified = sealer.seal_in_place(datagram);
                     bench.outcome.proof = "sealed";
                     bench.outcome.bytes = 1130;
                     bench.measure([&] {
                       std::memcpy(datagram.data() + kEnvelopePrefix + 40, payload.data(), payload.size());
                       benchmark::DoNotOptimize(sealer.seal_in_place(datagram));
                     });
                   }});
  cases.push_back(
      {.name = "level0/packet/seal-pieces",
       .title = "one full packet: payload read once, from where the application holds it",
       .parameters = {{"bytes", "1130"}},
       .body = [](Bench& bench) {
         DeterministicRandom random(7);
         PacketSealer sealer(make_packet_cipher(preferred_cipher(), SymmetricKey::generate(random)), random);
         const auto payload = random_bytes(1130, 1);
         const std::array<std::uint8_t, 40> head{};
         const std::array<std::uint8_t, 1> tail{};
         std::vector<std::uint8_t> datagram(1200);
         bench.outcome.verified = sealer.seal_pieces(head, payload, tail, datagram) == 1200;
         bench.outcome.proof = "sealed to 1200 bytes";
         bench.outcome.bytes = 1130;
         bench.measure([&] { benchmark::DoNotOptimize(sealer.seal_pieces(head, payload, tail, datagram)); });
       }});
}

void nonce_cases(Cases& cases) {
  cases.push_back(
      {.name = "level0/nonce/counter", .title = "next nonce: a counter from a random start", .body = [](Bench& bench) {
         DeterministicRandom random(7);
         NonceCounter nonces(random);
         bench.outcome.verified = nonces.next() != nonces.next();
         bench.outcome.proof = "differs from the one before";
         bench.measure([&] { benchmark::DoNotOptimize(nonces.next()); });
       }});
  cases.push_back({.name = "level0/nonce/random",
                   .title = "next nonce: twelve bytes of the system's generator, as the analysed original drew them",
                   .body = [](Bench& bench) {
                     SystemRandom random;
                     Nonce one;
                     Nonce other;
                     random.fill(one.bytes);
                     random.fill(other.bytes);
                     bench.outcome.verified = one != other;
                     bench.outcome.proof = "differs from the one before";
                     bench.measure([&] {
                       random.fill(one.bytes);
                       benchmark::DoNotOptimize(one);
                     });
                   }});
}

void intro_cases(Cases& cases) {
  cases.push_back({.name = "level0/intro/x25519", .title = "one shared secret", .body = [](Bench& bench) {
                     DeterministicRandom random(7);
                     const KeyPair one = *KeyPair::generate(random);
                     const KeyPair other = *KeyPair::generate(random);
                     std::array<std::uint8_t, 32> first{};
                     std::array<std::uint8_t, 32> second{};
                     bench.outcome.verified = x25519(one.secret(), other.public_key(), first) &&
                                              x25519(other.secret(), one.public_key(), second) && first == second;
                     bench.outcome.proof = "both sides derive the same secret";
                     bench.measure([&] { benchmark::DoNotOptimize(x25519(one.secret(), other.public_key(), first)); });
                   }});
  for (const bool seals : {true, false}) {
    cases.push_back({.name = seals ? "level0/intro/seal" : "level0/intro/open",
                     .title = seals ? "make an intro: ephemeral key, X25519, ChaCha20-Poly1305" : "open an intro",
                     .body = [seals](Bench& bench) {
                       DeterministicRandom random(7);
                       const KeyPair recipient = *KeyPair::generate(random);
                       const auto plaintext = random_bytes(24, 1);
                       std::vector<std::uint8_t> datagram(plaintext.size() + kIntroOverhead);
                       std::vector<std::uint8_t> opened(plaintext.size());
                       bool right =
                           seal_intro(recipient.public_key(), SecretKey::generate(random), plaintext, datagram);
                       right =
                           open_intro(recipient, datagram, opened) == plaintext.size() && opened == plaintext && right;
                       bench.outcome.verified = right;
                       bench.outcome.proof = "opens to what was sealed";
                       if (seals) {
                         bench.measure([&] {
                           const SecretKey ephemeral = SecretKey::generate(random);
                           benchmark::DoNotOptimize(seal_intro(recipient.public_key(), ephemeral, plaintext, datagram));
                         });
                       } else {
                         bench.measure([&] { benchmark::DoNotOptimize(open_intro(recipient, datagram, opened)); });
                       }
                     }});
  }
}

// What handshakes are made of.
void handshake_cases(Cases& cases) {
  cases.push_back({.name = "level0/handshake/agreement",
                   .title = "one agreement with a key pair that is kept",
                   .body = [](Bench& bench) {
                     DeterministicRandom random(7);
                     const KeyPair one = *KeyPair::generate(random);
                     const KeyPair other = *KeyPair::generate(random);
                     Secret first;
                     Secret second;
                     bench.outcome.verified = one.agree(other.public_key(), first.bytes) &&
                                              other.agree(one.public_key(), second.bytes) &&
                                              first.bytes == second.bytes;
                     bench.outcome.proof = "both sides derive the same secret";
                     bench.measure([&] { benchmark::DoNotOptimize(one.agree(other.public_key(), first.bytes)); });
                   }});
  cases.push_back({.name = "level0/handshake/key-pair", .title = "one ephemeral key pair", .body = [](Bench& bench) {
                     DeterministicRandom random(7);
                     const auto pair = KeyPair::generate(random);
                     Secret public_key;
                     bench.outcome.verified =
                         pair && x25519(pair->secret(), PublicKey(std::array<std::uint8_t, 32>{9}), public_key.bytes) &&
                         std::ranges::equal(pair->public_key().bytes(), public_key.bytes);
                     bench.outcome.proof = "the public key is the secret times the base point";
                     bench.measure([&] { benchmark::DoNotOptimize(KeyPair::generate(random).has_value()); });
                   }});
  cases.push_back({.name = "level0/handshake/hkdf",
                   .title = "an agreement mixed into the keys of a handshake: three HMAC-SHA-256",
                   .body = [](Bench& bench) {
                     Secret salt;
                     const SecretPair pair = hkdf_two(salt, salt.bytes);
                     bench.outcome.verified = pair.first.bytes != pair.second.bytes;
                     bench.outcome.proof = "two secrets; the vectors of RFC 5869 are a test";
                     bench.measure([&] { salt = hkdf_two(salt, salt.bytes).first; });
                   }});
}

void route_cases(Cases& cases) {
  for (const std::uint32_t count : {1U, 100U, 10'000U}) {
    cases.push_back({.name = fmt::format("level0/route/{}", count),
                     .title = fmt::format("find a connection by address among {}", count),
                     .parameters = {{"connections", std::to_string(count)}},
                     .body = [count](Bench& bench) {
                       AddressTable table(7);
                       std::vector<SocketAddress> addresses;
                       for (std::uint32_t i = 0; i < count; ++i) {
                         addresses.push_back(
                             SocketAddress::ipv4({10, static_cast<std::uint8_t>(i >> 16U),
                                                  static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)},
                                                 static_cast<std::uint16_t>(1024 + i % 60'000)));
                         table.insert(addresses.back(), i);
                       }
                       bench.outcome.verified = true;
                       for (std::uint32_t i = 0; i < count; ++i) {
                         bench.outcome.verified = table.find(addresses[i]) == i && bench.outcome.verified;
                       }
                       bench.outcome.proof = "every address leads to its slot";
                       std::size_t turn = 0;
                       bench.measure([&] {
                         turn = (turn + 7919) % count;
                         benchmark::DoNotOptimize(table.find(addresses[turn]));
                       });
                     }});
  }
}

}  // namespace

void add_level0_cipher(Cases& cases) {
  for (const CipherKind kind : {CipherKind::kOpenssl, CipherKind::kIpsecMb}) {
    for (const std::size_t size : kSizes) {
      cipher_case(cases, kind, size, true);
      cipher_case(cases, kind, size, false);
    }
  }
  batch_cases(cases);
  packet_cases(cases);
  nonce_cases(cases);
  intro_cases(cases);
  handshake_cases(cases);
  route_cases(cases);
}

}  // namespace godwit::bench
