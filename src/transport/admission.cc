#include "transport/admission.h"

#include <algorithm>

namespace godwit {

AdmissionConfig AdmissionConfig::for_offers(std::size_t per_second) {
  AdmissionConfig config;
  const std::size_t usual = config.offer_rate;
  for (std::size_t* value : {&config.stranger_rate, &config.stranger_burst, &config.known_rate, &config.known_burst,
                             &config.offer_rate, &config.offer_burst, &config.known_offer_rate,
                             &config.known_offer_burst, &config.replay_entries, &config.max_half_open}) {
    *value = std::max<std::size_t>(1, *value * per_second / usual);
  }
  return config;
}

Admission::Admission(const AdmissionConfig& config, RandomSource& random)
    : hash_key_(random),
      addresses_(config.address_entries, Rate::per_second(config.address_rate, config.address_burst)),
      repeats_(config.address_entries, Rate::per_second(config.address_rate, config.address_burst)),
      prefixes_(config.prefix_entries, Rate::per_second(config.prefix_rate, config.prefix_burst)),
      known_prefixes_(config.prefix_entries, Rate::per_second(config.prefix_rate, config.prefix_burst)),
      networks_(config.prefix_entries, Rate::per_second(config.network_rate, config.network_burst)),
      strangers_(Rate::per_second(config.stranger_rate, config.stranger_burst)),
      known_(Rate::per_second(config.known_rate, config.known_burst)),
      offers_(Rate::per_second(config.offer_rate, config.offer_burst)),
      known_offers_(Rate::per_second(config.known_offer_rate, config.known_offer_burst)),
      cookies_(config.cookie_entries, Rate::per_second(config.cookie_rate, config.cookie_burst)),
      error_acks_(Rate::per_second(config.error_ack_rate, config.error_ack_burst)),
      refusals_(Rate::per_second(config.refusal_rate, config.refusal_burst)),
      answered_(config.replay_entries),
      junk_(config.junk_entries),
      refused_(config.junk_entries),
      replies_(config.reply_entries, config.amplification_limit),
      half_open_(config.max_half_open) {}

AdmissionVerdict Admission::admit_intro(Instant now, const SocketAddress& remote, ByteView datagram,
                                        IntroSource source) {
  const AdmissionVerdict verdict = judge(now, remote, datagram, source);
  ++statistics_.verdicts[static_cast<std::size_t>(verdict)];
  return verdict;
}

AdmissionVerdict Admission::judge(Instant now, const SocketAddress& remote, ByteView datagram, IntroSource source) {
  if (answered_.contains(hash_from(remote, datagram.subspan(1, kPublicKeySize)))) return AdmissionVerdict::kReplay;
  const std::uint64_t bytes = hash_from(remote, datagram);
  if (junk_.contains(bytes)) return AdmissionVerdict::kJunk;

  const std::uint64_t address = remote.hash(hash_key_);
  HashedLimiter* allowance = &addresses_;
  if (!addresses_.would_admit(now, address)) {
    // insert() says no where the same bytes were refused before.
    if (refused_.insert(bytes) || !repeats_.would_admit(now, address)) return AdmissionVerdict::kAddressLimited;
    allowance = &repeats_;
  }

  // A spoofed source has 65,535 ports (wire spec W18), and a host may have opened connections from as many, so that
  // addresses alone limit nothing. A flood of strangers beside a known address is not its fault: the two count apart.
  const bool known = source == IntroSource::kKnown;
  HashedLimiter& prefixes = known ? known_prefixes_ : prefixes_;
  const std::uint64_t prefix = remote.prefix().hash(hash_key_);
  const std::uint64_t network = remote.network().hash(hash_key_);
  if (!prefixes.would_admit(now, prefix)) return AdmissionVerdict::kPrefixLimited;
  if (!known && !networks_.would_admit(now, network)) return AdmissionVerdict::kPrefixLimited;
  if (!(known ? known_ : strangers_).admit(now)) return AdmissionVerdict::kGloballyLimited;
  prefixes.record(now, prefix);
  if (!known) networks_.record(now, network);
  allowance->record(now, address);
  return AdmissionVerdict::kDecrypt;
}

bool Admission::admit_offer(Instant now, IntroSource source, std::optional<ByteView> cookie) {
  if ((source == IntroSource::kKnown ? known_offers_ : offers_).admit(now)) return true;
  if (source == IntroSource::kStranger && cookie) {
    const std::uint64_t hash = hash_key_.hash(*cookie);
    if (cookies_.would_admit(now, hash) && known_offers_.admit(now)) {
      cookies_.record(now, hash);
      ++statistics_.cookies_honoured;
      return true;
    }
  }
  ++statistics_.offers_refused;
  return false;
}

void Admission::on_junk(const SocketAddress& remote, ByteView datagram) {
  junk_.insert(hash_from(remote, datagram));
}

void Admission::on_answered(const SocketAddress& remote, const IntroFingerprint& intro) {
  answered_.insert(hash_from(remote, intro.ephemeral));
}

std::uint64_t Admission::hash_from(const SocketAddress& remote, ByteView bytes) const {
  std::array<std::uint8_t, 2 * sizeof(std::uint64_t)> both{};
  store_le(both.data(), remote.hash(hash_key_));
  store_le(both.data() + sizeof(std::uint64_t), hash_key_.hash(bytes));
  return hash_key_.hash(both);
}

void Admission::on_unproven_intro(Instant now, const SocketAddress& remote, std::size_t bytes) {
  replies_.on_received(now, remote.hash(hash_key_), bytes);
}

bool Admission::may_reply(Instant now, const SocketAddress& remote, std::size_t bytes) {
  return replies_.take(now, remote.hash(hash_key_), bytes);
}

bool Admission::may_send_error_ack(Instant now) {
  const bool allowed = error_acks_.admit(now);
  ++(allowed ? statistics_.error_acks_allowed : statistics_.error_acks_suppressed);
  return allowed;
}

void Admission::on_half_open(std::uint64_t owner) {
  const std::optional<std::uint64_t> evicted = half_open_.add(owner);
  if (!evicted) return;
  ++statistics_.half_open_dropped;
  evicted_.push_back(*evicted);
}

std::optional<std::uint64_t> Admission::poll_evicted() {
  if (evicted_.empty()) return std::nullopt;
  const std::uint64_t owner = evicted_.back();
  evicted_.pop_back();
  return owner;
}

void Admission::on_half_open_ended(std::uint64_t owner) {
  half_open_.remove(owner);
}

std::size_t Admission::memory_bytes() const {
  return sizeof(*this) + addresses_.memory_bytes() + repeats_.memory_bytes() + prefixes_.memory_bytes() +
         known_prefixes_.memory_bytes() + networks_.memory_bytes() + cookies_.memory_bytes() +
         answered_.memory_bytes() + junk_.memory_bytes() + refused_.memory_bytes() + replies_.memory_bytes() +
         half_open_.memory_bytes();
}

}  // namespace godwit
