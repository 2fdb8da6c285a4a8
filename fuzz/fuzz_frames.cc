// The parts of extended sessions that need no handshake, so that an execution takes microseconds: any bytes as blocks,
// parameters and frames; packet numbers on a path that loses, repeats and reorders, and the acknowledgement ranges that
// come back; two sides that update their keys while datagrams between them are lost, repeated, reordered and forged.
//
// Checked: what is read is written as the same bytes; a number is acknowledged once, and only if it has arrived; a
// datagram is accepted once, exactly if it is genuine and of a key that its receiver must still have; the generations
// of both sides are at most one apart.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz/extended_bytes.h"
#include "fuzz/input.h"
#include "handshake/extended_keys.h"
#include "handshake/handshake_step.h"
#include "recovery/received_numbers.h"
#include "recovery/sent_numbers.h"

namespace godwit::fuzz {
namespace {

// --- Packet numbers and their acknowledgement ---

class Numbers {
 public:
  explicit Numbers(Input& input) : input_(input) {}

  void step() {
    const std::uint8_t op = input_.byte();
    now_ += Duration{op} * 1'000;
    switch (op % 8) {
      case 0:
      case 1:
      case 2: return send(1 + op / 64U);
      case 3: return leave_out();
      case 4:
      case 5: return arrive(input_.byte());
      case 6: return lose(input_.byte());
      default: return acknowledge(op >= 128);
    }
  }

 private:
  void send(std::uint32_t frames) {
    sent_.begin(arrived_.size());
    for (std::uint32_t i = 0; i < frames; ++i) sent_.add(next_id_++, send_number_);
    ++send_number_;
    under_way_.push_back(arrived_.size());
    arrived_.push_back(false);
    acknowledged_.push_back(false);
  }
  void leave_out() {
    sent_.leave_out(arrived_.size());
    arrived_.push_back(false);
    acknowledged_.push_back(false);
  }
  void arrive(std::size_t which) {
    if (under_way_.empty()) return;
    const auto at = under_way_.begin() + static_cast<std::ptrdiff_t>(which % under_way_.size());
    arrived_[*at] = true;
    received_.add(now_, *at, which % 2 == 0);
    under_way_.erase(at);
  }
  void lose(std::size_t which) {
    if (under_way_.empty()) return;
    under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(which % under_way_.size()));
  }
  void acknowledge(bool lost) {
    wire::AckFrame frame;
    Duration delay{};
    frame.count = received_.take(now_, frame.ranges, delay);
    if (lost) frame.ecn = EcnCounts{.ect0 = arrived_.size(), .ect1 = 0, .ce = frame.count};
    GODWIT_ASSERT(received_.range_count() <= ReceivedNumbers::kMaxRanges && received_.waiting() == 0);
    if (frame.count == 0) return;
    std::array<std::uint8_t, wire::kLargestAckFrame> bytes;
    const std::size_t size = wire::encode(bytes, frame);
    const auto read = wire::read_ack_frame(ByteView(bytes).first(size));
    GODWIT_ASSERT(read && read->ecn == frame.ecn && std::ranges::equal(read->newest_first(), frame.newest_first()));
    if (lost) return;
    for (const NumberRange& range : read->newest_first()) {
      for (std::uint64_t number = range.first; number <= range.last; ++number) GODWIT_ASSERT(arrived_.at(number));
      std::uint64_t frames = 0;
      sent_.acknowledge(range, [&](std::uint64_t, const SentNumbers::Entry& entry) { frames += entry.frames; });
      for (std::uint64_t number = range.first; number <= range.last; ++number) {
        if (!acknowledged_[number]) GODWIT_ASSERT(frames > 0);
        acknowledged_[number] = true;
      }
      sent_.acknowledge(range, [](std::uint64_t, const SentNumbers::Entry&) { GODWIT_ASSERT(false); });
    }
    sent_.release();
    GODWIT_ASSERT(sent_.size() <= arrived_.size());
  }

  Input& input_;
  SentNumbers sent_;
  ReceivedNumbers received_;
  Instant now_{1h};
  std::uint32_t next_id_ = 1;
  std::uint32_t send_number_ = 0;
  std::vector<bool> arrived_;  // by number
  std::vector<bool> acknowledged_;
  std::vector<std::uint64_t> under_way_;
};

// --- Key updates ---

// The tag depends on key and nonce, and nothing is hidden: what keys, phases and numbers do is looked at, not AES.
class TransparentCipher final : public PacketCipher {
 public:
  explicit TransparentCipher(const SymmetricKey& key) { std::ranges::copy(key.bytes(), key_.begin()); }

  void seal(const Nonce& nonce, ByteView plaintext, std::uint8_t* out) override {
    std::copy(plaintext.begin(), plaintext.end(), out);
    std::ranges::copy(tag(nonce), out + plaintext.size());
  }
  void seal_pieces(const Nonce& nonce, ByteView head, ByteView body, ByteView tail, std::uint8_t* out) override {
    for (const ByteView piece : {head, body, tail}) out = std::copy(piece.begin(), piece.end(), out);
    std::ranges::copy(tag(nonce), out);
  }
  bool open(const Nonce& nonce, ByteView sealed, std::uint8_t* out) override {
    const bool authentic = std::ranges::equal(tag(nonce), sealed.last(kTagSize));
    const std::size_t size = sealed.size() - kTagSize;
    if (out != sealed.data()) std::copy_n(sealed.begin(), size, out);
    return authentic;
  }
  void seal_batch(std::span<const PacketToSeal>) override { GODWIT_ASSERT(false); }
  void open_batch(std::span<PacketToOpen>) override { GODWIT_ASSERT(false); }
  void release_key_schedule() override {}
  [[nodiscard]] CipherKind kind() const override { return CipherKind::kOpenssl; }

 private:
  [[nodiscard]] std::array<std::uint8_t, kTagSize> tag(const Nonce& nonce) const {
    std::array<std::uint8_t, kTagSize> tag = key_;
    for (std::size_t i = 0; i < nonce.bytes.size(); ++i) tag[i] ^= nonce.bytes[i];
    return tag;
  }
  std::array<std::uint8_t, kTagSize> key_;
};
static_assert(kSymmetricKeySize == kTagSize);

std::unique_ptr<PacketCipher> make_transparent(CipherKind, const SymmetricKey& key) {
  return std::make_unique<TransparentCipher>(key);
}

using Datagram = std::array<std::uint8_t, kEnvelopeOverhead + 1>;
struct Sealed {
  Datagram bytes{};
  std::uint64_t generation = 0;
  std::uint64_t number = 0;
};

struct Side {
  Side(const HandshakeContext& context, const ExtendedSecrets& secrets)
      : keys(context, secrets), sealer(keys.take_first_sealer()), opener(keys.take_first_opener()) {}

  ExtendedKeys keys;
  std::unique_ptr<PacketSealer> sealer;
  PacketOpener opener;
  std::vector<Sealed> under_way;  // to the other side
  std::vector<bool> accepted;     // by number, what has come of the other side
  std::uint64_t generation = 0;   // newest that has come
  bool has_former = false;
  std::optional<Instant> former_expires;
};

class KeyUpdates {
 public:
  explicit KeyUpdates(Input& input)
      : input_(input), alice_(context(), secrets(false)), bob_(context(), secrets(true)) {}

  void step() {
    const std::uint8_t op = input_.byte();
    Side& self = (op & 1) == 0 ? alice_ : bob_;
    Side& other = (op & 1) == 0 ? bob_ : alice_;
    switch (op / 2 % 8) {
      case 0:
      case 1:
      case 2: send(self); break;
      case 3: deliver(self, other, op / 16U, false); break;
      case 4: deliver(self, other, input_.byte(), false); break;
      case 5: deliver(self, other, input_.byte(), true); break;
      case 6: self.sealer->leave_one_out(); break;
      default: forget(self, op >= 128); break;
    }
    const std::uint64_t ahead = std::max(alice_.keys.updates(), bob_.keys.updates());
    GODWIT_ASSERT(ahead - std::min(alice_.keys.updates(), bob_.keys.updates()) <= 1);
  }

 private:
  [[nodiscard]] const HandshakeContext& context();
  [[nodiscard]] static ExtendedSecrets secrets(bool mirrored) {
    ExtendedSecrets secrets;
    secrets.send.bytes.fill(1);
    secrets.receive.bytes.fill(2);
    secrets.mine = {.capabilities = wire::capability::kKeyUpdate, .connection_tag = {1, 2, 3, 4}};
    secrets.theirs = {.capabilities = wire::capability::kKeyUpdate, .connection_tag = {5, 6, 7, 8}};
    if (mirrored) std::swap(secrets.send, secrets.receive);
    if (mirrored) std::swap(secrets.mine, secrets.theirs);
    return secrets;
  }

  void send(Side& self) {
    if (auto next = self.keys.update(*self.sealer)) self.sealer = std::move(next);
    if (self.sealer->hard_limit_reached()) return;  // the peer does not follow: the connection would close
    Sealed sealed{.generation = self.keys.updates(), .number = self.keys.next_number(*self.sealer)};
    GODWIT_ASSERT(self.under_way.empty() || sealed.number > self.under_way.back().number);
    const std::array<std::uint8_t, 1> text = {0x61};
    GODWIT_ASSERT(self.sealer->seal_pieces(text, {}, {}, sealed.bytes) == sealed.bytes.size());
    self.under_way.push_back(sealed);
  }

  // Datagrams stay, so that each can come again.
  void deliver(const Side& from, Side& to, std::size_t which, bool forged) {
    if (from.under_way.empty()) return;
    Sealed sealed = from.under_way[from.under_way.size() - 1 - which % from.under_way.size()];
    if (forged) {
      const std::uint8_t bit = input_.byte();
      std::size_t at = 1 + input_.below(sealed.bytes.size() - 1);
      if (at == kEnvelopePrefix) at = 1;  // the transparent cipher's text is not covered
      sealed.bytes[at] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
    to.accepted.resize(std::max<std::size_t>(to.accepted.size(), sealed.number + 1));
    const bool current = sealed.generation == to.generation || sealed.generation == to.generation + 1;
    const bool former = sealed.generation + 1 == to.generation && to.has_former;
    const bool expected = !forged && !to.accepted[sealed.number] && (current || former);
    GODWIT_ASSERT(open(to, sealed.bytes) == expected);
    if (!expected) return;
    to.accepted[sealed.number] = true;
    if (sealed.generation > to.generation) {
      to.has_former = true;
      to.former_expires.reset();
    }
    to.generation = std::max(to.generation, sealed.generation);
  }

  [[nodiscard]] static bool open(Side& side, Datagram bytes) {
    const auto header = side.keys.read_header(&bytes[1]);
    if (!header) return false;
    if (!side.keys.opener(*header, side.opener).open_in_place(bytes)) return false;
    side.keys.accept(*header, side.opener);
    return true;
  }

  // The time of the former key begins with the first call of on_time() after an update.
  void forget(Side& side, bool passed) {
    constexpr Duration kGrace = 100ms;
    if (passed) now_ += kGrace;
    side.keys.on_time(now_, kGrace);
    if (!side.has_former) return;
    if (!side.former_expires) side.former_expires = now_ + kGrace;
    if (now_ >= *side.former_expires) side.has_former = false;
  }

  Input& input_;
  Instant now_{1h};
  Side alice_;
  Side bob_;
};

const HandshakeContext& KeyUpdates::context() {
  static const HandshakeConfig config;
  static const KeyPair keys = *KeyPair::from_secret(std::array<std::uint8_t, 32>{1});
  static DeterministicRandom random(1);
  static const HandshakeContext context = [] {
    HandshakeContext made{.config = &config, .self = &keys, .random = &random};
    made.key_limits = {.soft = 3, .hard = 40};
    made.make_cipher = make_transparent;
    return made;
  }();
  return context;
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::fuzz;
  if (size > 700) return 0;  // the longest frame
  Input input(data, size);
  switch (input.below(8)) {
    case 0: {
      Numbers numbers(input);
      for (int step = 0; step < 200 && !input.empty(); ++step) numbers.step();
      break;
    }
    case 1: {
      KeyUpdates updates(input);
      for (int step = 0; step < 50 && !input.empty(); ++step) updates.step();
      break;
    }
    default: check_block(input.take_rest()); break;
  }
  return 0;
}
