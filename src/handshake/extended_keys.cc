#include "handshake/extended_keys.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "handshake/session.h"

namespace godwit {
namespace {

constexpr std::string_view kKeyLabel = "godwit key";
constexpr std::string_view kSaltLabel = "godwit salt";
constexpr std::string_view kStartLabel = "godwit start";
constexpr std::string_view kNextLabel = "godwit next";

std::uint64_t phase_of(std::uint64_t generation) {
  return (generation & 1) != 0 ? kPhaseBit : 0;
}

struct Generation {
  SymmetricKey key;
  NonceSalt salt;
};

// The key and the salt of the generation that `secret` stands for; the next one's secret takes its place.
Generation advance(Secret& secret) {
  std::array<std::uint8_t, kSymmetricKeySize> key;
  std::array<std::uint8_t, kNonceSize> salt;
  hkdf_expand(secret, kKeyLabel, key);
  hkdf_expand(secret, kSaltLabel, salt);
  Secret next;
  hkdf_expand(secret, kNextLabel, next.bytes);
  secret = next;
  Generation generation{.key = SymmetricKey(key), .salt = NonceSalt(salt)};
  wipe(key);
  wipe(salt);
  return generation;
}

std::uint64_t start_of(const Secret& secret) {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  hkdf_expand(secret, kStartLabel, bytes);
  return load_le<std::uint64_t>(bytes.data());
}

}  // namespace

ExtendedKeys::ExtendedKeys(const HandshakeContext& context, const ExtendedSecrets& secrets)
    : cipher_(context.cipher),
      make_cipher_(context.make_cipher),
      limits_(context.key_limits),
      peer_(secrets.peer),
      own_tag_(secrets.mine.connection_tag),
      capabilities_(secrets.mine.capabilities & secrets.theirs.capabilities),
      theirs_(secrets.theirs),
      send_secret_(secrets.send),
      receive_secret_(secrets.receive),
      send_start_(start_of(secrets.send)),
      receive_start_(start_of(secrets.receive)) {
  limits_.already_sealed = 0;
}

std::unique_ptr<PacketSealer> ExtendedKeys::next_sealer(std::uint64_t number) {
  const Generation generation = advance(send_secret_);
  // The number goes on from generation to generation, so that it alone names a packet.
  const NonceCounter nonces(theirs_.connection_tag, send_start_ + phase_of(send_generation_) + number, generation.salt);
  return std::make_unique<PacketSealer>(make_cipher_(cipher_, generation.key), nonces, limits_);
}

PacketOpener ExtendedKeys::next_opener() {
  const Generation generation = advance(receive_secret_);
  return PacketOpener(make_cipher_(cipher_, generation.key), generation.salt);
}

std::expected<ExtendedKeys::Header, trace::DropReason> ExtendedKeys::read_header(const std::uint8_t* field) const {
  constexpr std::unexpected kNotOurs(trace::DropReason::kAuthenticationFailed);
  if (!std::equal(own_tag_.begin(), own_tag_.end(), field)) return kNotOurs;
  const std::uint64_t value = load_le<std::uint64_t>(field + wire::kConnectionTagSize) - receive_start_;
  Header header{.number = value & ~kPhaseBit};
  if (!window_.would_accept(header.number)) return std::unexpected(trace::DropReason::kDuplicate);
  if ((value & kPhaseBit) == phase_of(receive_generation_)) return header;
  // Numbers never fall: a packet of the other phase that is older than all of the current generation is of the one
  // before.
  if (header.number < first_number_) {
    if (!former_) return kNotOurs;
    header.key = Header::Key::kFormer;
  } else {
    // Who has the capability begins the next generation only after a packet of this side under the present one.
    if (!has(wire::capability::kKeyUpdate) || receive_generation_ > send_generation_) return kNotOurs;
    header.key = Header::Key::kNext;
  }
  return header;
}

std::uint64_t ExtendedKeys::number_of(const std::uint8_t* field) const {
  return (load_le<std::uint64_t>(field + wire::kConnectionTagSize) - receive_start_) & ~kPhaseBit;
}

std::size_t ExtendedKeys::in_a_row(std::span<const PacketToOpen> packets) {
  const std::uint8_t* const first = packets.front().nonce;
  const auto tag = load_le<std::uint32_t>(first);
  static_assert(wire::kConnectionTagSize == sizeof tag);
  const auto value = load_le<std::uint64_t>(first + sizeof tag);
  std::size_t count = 1;
  while (count < packets.size() && load_le<std::uint32_t>(packets[count].nonce) == tag &&
         load_le<std::uint64_t>(packets[count].nonce + sizeof tag) == value + count) {
    ++count;
  }
  return count;
}

std::size_t ExtendedKeys::leading_current(std::span<const PacketToOpen> packets) const {
  std::size_t count = 0;
  while (count < packets.size()) {
    const auto header = read_header(packets[count].nonce);
    if (!header || header->key != Header::Key::kCurrent) break;
    // What follows it in a row is of the same phase, and as new.
    const bool newest = header->number >= window_.next() && (header->number >> 62) == 0;
    count += newest ? in_a_row(packets.subspan(count)) : 1;
  }
  return count;
}

std::size_t ExtendedKeys::accept_run(std::span<const PacketToOpen> packets) {
  const auto header = read_header(packets.front().nonce);
  const bool next = header && header->key == Header::Key::kCurrent && header->number == window_.next();
  if (!next || (header->number >> 62) != 0) return 0;
  const std::size_t count = in_a_row(packets);
  first_number_ = std::min(first_number_, header->number);
  window_.record_next(count);
  return count;
}

PacketOpener& ExtendedKeys::opener(const Header& header, PacketOpener& current) {
  switch (header.key) {
    case Header::Key::kFormer: return *former_;
    case Header::Key::kNext:
      // Made once and kept, so that forged packets cost no key schedule each.
      if (!next_) next_ = std::make_unique<PacketOpener>(next_opener());
      return *next_;
    case Header::Key::kCurrent: break;
  }
  return current;
}

bool ExtendedKeys::accept(const Header& header, PacketOpener& current) {
  if (header.key == Header::Key::kNext) {
    former_ = std::make_unique<PacketOpener>(std::move(current));
    current = std::move(*next_);
    next_.reset();
    former_is_new_ = true;
    ++receive_generation_;
    first_number_ = header.number;
  } else if (header.key == Header::Key::kCurrent) {
    first_number_ = std::min(first_number_, header.number);
  }
  return window_.record(header.number);
}

std::unique_ptr<PacketSealer> ExtendedKeys::update(const PacketSealer& current) {
  if (send_generation_ > receive_generation_) return nullptr;
  const bool peer_is_ahead = receive_generation_ > send_generation_;
  // The former key has to be gone before its phase comes round again.
  const bool may_begin = !former_ && has(wire::capability::kKeyUpdate);
  if (!peer_is_ahead && !(may_begin && current.soft_limit_reached())) return nullptr;
  ++send_generation_;
  return next_sealer(next_number(current));
}

void ExtendedKeys::on_time(Instant now, Duration grace) {
  if (!former_) return;
  if (std::exchange(former_is_new_, false)) former_expires_ = now + grace;
  if (former_expires_ && now >= *former_expires_) {
    former_.reset();
    former_expires_.reset();
  }
}

void ExtendedKeys::release_key_schedule() {
  if (former_) former_->release_key_schedule();
  if (next_) next_->release_key_schedule();
  window_.release();
}

}  // namespace godwit
