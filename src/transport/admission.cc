#include "transport/admission.h"

#include <algorithm>

namespace godwit {
namespace {

std::uint64_t hash_address(const HashKey& key, const SocketAddress& address) {
  std::array<std::uint8_t, 19> bytes{};
  std::ranges::copy(address.octets(), bytes.begin());
  store_le<std::uint16_t>(bytes.data() + 16, address.port());
  bytes[18] = static_cast<std::uint8_t>(address.family());
  return key.hash(bytes);
}

}  // namespace

std::string_view admission_verdict_name(AdmissionVerdict verdict) {
  switch (verdict) {
    case AdmissionVerdict::kDecrypt: return "decrypt";
    case AdmissionVerdict::kReplay: return "replay";
    case AdmissionVerdict::kAddressLimited: return "address limited";
    case AdmissionVerdict::kPrefixLimited: return "prefix limited";
    case AdmissionVerdict::kGloballyLimited: return "globally limited";
    case AdmissionVerdict::kCount: break;
  }
  return "unknown";
}

Admission::Admission(const AdmissionConfig& config, RandomSource& random)
    : hash_key_(random),
      addresses_(config.address_entries, Rate::one_per(config.address_interval)),
      prefixes_(config.prefix_entries, Rate::per_second(config.prefix_rate, config.prefix_burst)),
      strangers_(Rate::per_second(config.stranger_rate, config.stranger_burst)),
      known_(Rate::per_second(config.known_rate, config.known_burst)),
      error_acks_(Rate::per_second(config.error_ack_rate, config.error_ack_burst)),
      answered_(config.replay_entries),
      half_open_(config.max_half_open) {}

AdmissionVerdict Admission::admit_intro(Instant now, const SocketAddress& remote, ByteView datagram,
                                        IntroSource source) {
  const AdmissionVerdict verdict = judge(now, remote, datagram, source);
  ++statistics_.verdicts[static_cast<std::size_t>(verdict)];
  return verdict;
}

AdmissionVerdict Admission::judge(Instant now, const SocketAddress& remote, ByteView datagram, IntroSource source) {
  const ByteView ephemeral = datagram.subspan(1, kPublicKeySize);
  if (answered_.contains(hash_key_.hash(ephemeral))) return AdmissionVerdict::kReplay;

  const std::uint64_t address = hash_address(hash_key_, remote);
  if (!addresses_.would_admit(now, address)) return AdmissionVerdict::kAddressLimited;

  if (source == IntroSource::kKnown) {
    // Its neighbours' flood is not its fault: only the address itself and the budget of its kind count.
    if (!known_.admit(now)) return AdmissionVerdict::kGloballyLimited;
  } else {
    // A spoofed source has 65,535 ports (wire spec W18), so that addresses alone limit nothing.
    const std::uint64_t prefix = hash_address(hash_key_, remote.prefix());
    if (!prefixes_.would_admit(now, prefix)) return AdmissionVerdict::kPrefixLimited;
    if (!strangers_.admit(now)) return AdmissionVerdict::kGloballyLimited;
    prefixes_.record(now, prefix);
  }
  addresses_.record(now, address);
  return AdmissionVerdict::kDecrypt;
}

void Admission::on_answered(const IntroFingerprint& intro) {
  answered_.insert(hash_key_.hash(intro.ephemeral));
}

bool Admission::may_send_error_ack(Instant now) {
  const bool allowed = error_acks_.admit(now);
  ++(allowed ? statistics_.error_acks_allowed : statistics_.error_acks_suppressed);
  return allowed;
}

std::optional<std::uint64_t> Admission::on_half_open(std::uint64_t owner) {
  const std::optional<std::uint64_t> evicted = half_open_.add(owner);
  if (evicted) ++statistics_.half_open_dropped;
  return evicted;
}

void Admission::on_half_open_ended(std::uint64_t owner) {
  half_open_.remove(owner);
}

std::size_t Admission::memory_bytes() const {
  return sizeof(*this) + addresses_.memory_bytes() + prefixes_.memory_bytes() + answered_.memory_bytes() +
         half_open_.memory_bytes();
}

}  // namespace godwit
