// What an intro may cost (wire spec W5, W18; conformance items 38, 73). Endpoint asks before it pays for an
// asymmetric decryption, and reports what it answered. All memory is fixed-size tables, whatever strangers send:
// nothing is kept for a datagram that does not authenticate but the time of a decryption in the limiters. Owned by
// Endpoint. Verdicts are values, counted here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/keyed_hash.h"
#include "base/random.h"
#include "base/time.h"
#include "handshake/intro_seen.h"
#include "transport/half_open_list.h"
#include "transport/rate_limiter.h"
#include "transport/recent_set.h"
#include "transport/reply_budget.h"

namespace godwit {

struct AdmissionConfig {
  // The defaults, with `per_second` as offer_rate and all that goes with it in the same proportion: for a server whose
  // work handshakes are. The bounds on single addresses, prefixes and networks stay.
  [[nodiscard]] static AdmissionConfig for_offers(std::size_t per_second);

  // Decryptions of intros from one address and port, per second and in one burst. The deployed initiator repeats every
  // intro each 250 ms (wire spec 9.1) and needs one. What has been refused once has as much again when it comes
  // another time, as an initiator's intro does and fresh junk does not.
  // Whoever forges an address with more intros than this, each of them twice, delays its owner.
  std::size_t address_rate = 64;
  std::size_t address_burst = 64;
  std::size_t address_entries = 4096;
  // From one IPv4 address or one IPv6 /64, all ports together; per second, and in one burst. Those of its ports that
  // are known have as much again. Within the 15 s of a handshake it lets 6,000 peers behind one address in.
  std::size_t prefix_rate = 384;
  std::size_t prefix_burst = 512;
  std::size_t prefix_entries = 1024;
  // From one network, an IPv6 /48 (an IPv4 address is its own).
  std::size_t network_rate = 768;
  std::size_t network_burst = 1024;
  // From strangers altogether. At about 40 us each the default is a twelfth of a core.
  std::size_t stranger_rate = 2000;
  std::size_t stranger_burst = 2000;
  // From known addresses, beside the strangers' budget: a flood must not starve them.
  std::size_t known_rate = 1000;
  std::size_t known_burst = 1000;
  // Offers of extended sessions, which cost four more such operations each to answer, one of them a key pair: of
  // strangers, and of known addresses. Apart from the decryptions, which junk uses up as well.
  std::size_t offer_rate = 500;
  std::size_t offer_burst = 500;
  std::size_t known_offer_rate = 250;
  std::size_t known_offer_burst = 250;
  // Offers of strangers that show a cookie count with those of known addresses: so many a second by one cookie, which
  // may have been passed around.
  std::size_t cookie_rate = 1;
  std::size_t cookie_burst = 4;
  std::size_t cookie_entries = 1024;
  // Answered intros that are remembered, oldest forgotten first (wire spec W5).
  std::size_t replay_entries = 8192;
  // Intros that were no intros, which are not decrypted again, and intros that were refused: so many of each.
  std::size_t junk_entries = 8192;
  // Bytes sent in reply to an unproven address are at most this many times the bytes of the intros from it.
  std::size_t amplification_limit = 3;
  std::size_t reply_entries = 4096;
  // Handshakes that wait for confirmation; one more drops the oldest (wire spec W18). Divided by stranger_rate it is
  // the longest round trip of a stranger that connects during a flood: two seconds, some 4 KiB each.
  std::size_t max_half_open = 4096;
  // Error acks to incompatible versions, per second (wire spec W18: initiators merely time out without one).
  std::size_t error_ack_rate = 10;
  std::size_t error_ack_burst = 20;
  // Error acks to those for whom there is no place, per second: whoever gets none tries again until it times out.
  std::size_t refusal_rate = 200;
  std::size_t refusal_burst = 200;
};

enum class AdmissionVerdict : std::uint8_t {
  kDecrypt,  // go ahead; the attempt is recorded
  kReplay,   // already answered: drop
  kJunk,     // the same bytes have failed to decrypt before: drop
  kAddressLimited,
  kPrefixLimited,
  kGloballyLimited,
  kCount
};

// Who an intro seems to come from: the source address is unproven.
enum class IntroSource : std::uint8_t {
  kStranger,
  kKnown,  // an address with an established session, one that this side connects to or whose peer has proved its key
};

struct AdmissionStatistics {
  std::array<std::uint64_t, static_cast<std::size_t>(AdmissionVerdict::kCount)> verdicts{};
  std::uint64_t error_acks_allowed = 0;
  std::uint64_t error_acks_suppressed = 0;
  std::uint64_t half_open_dropped = 0;  // to make room for newer ones
  std::uint64_t offers_refused = 0;     // of extended sessions
  std::uint64_t cookies_honoured = 0;   // offers that were admitted because of one

  [[nodiscard]] std::uint64_t of(AdmissionVerdict verdict) const { return verdicts[static_cast<std::size_t>(verdict)]; }
};

class Admission {
 public:
  // `random` is read here only.
  Admission(const AdmissionConfig& config, RandomSource& random);

  // `datagram` is an intro by wire::classify(). Asked before every asymmetric decryption, also for a Handshake.
  [[nodiscard]] AdmissionVerdict admit_intro(Instant now, const SocketAddress& remote, ByteView datagram,
                                             IntroSource source);

  // An intro that was admitted and opened carries an offer of an extended session, which costs more to answer than an
  // intro to open. False when too many do; the intro is then dropped as one that had not been opened.
  // `cookie`: one that this side has issued; absent when none was shown. It helps where the strangers' share is used
  // up.
  [[nodiscard]] bool admit_offer(Instant now, IntroSource source, std::optional<ByteView> cookie = std::nullopt);

  // The datagram was no intro to this endpoint: its repeats are kJunk from now on.
  void on_junk(const SocketAddress& remote, ByteView datagram);

  // The intro was answered, with a success ack or an error ack: repeats of it from the same address are kReplay from
  // now on. From another address it is another intro: a copy that somebody else sent first, or a NAT that gave the
  // peer a new port, must not leave the peer without an answer.
  void on_answered(const SocketAddress& remote, const IntroFingerprint& intro);

  // Whether one more error ack may go out now; a yes is recorded.
  [[nodiscard]] bool may_send_error_ack(Instant now);
  [[nodiscard]] bool may_send_refusal(Instant now) { return refusals_.admit(now); }

  // A valid intro of so many bytes came from an address that nothing proves, and a reply would go there. A yes to the
  // second is recorded.
  void on_unproven_intro(Instant now, const SocketAddress& remote, std::size_t bytes);
  [[nodiscard]] bool may_reply(Instant now, const SocketAddress& remote, std::size_t bytes);

  // A handshake that waits for confirmation has begun; `owner` is the endpoint's name for it, unique among those open.
  void on_half_open(std::uint64_t owner);
  // The owner of a handshake that had to make room for newer ones: the endpoint drops it without a further call to
  // on_half_open_ended(). Nothing when there is none (left).
  [[nodiscard]] std::optional<std::uint64_t> poll_evicted();
  // It was confirmed, timed out or was dropped for another reason. Unknown owners are ignored.
  void on_half_open_ended(std::uint64_t owner);
  [[nodiscard]] std::size_t half_open() const { return half_open_.size(); }

  [[nodiscard]] const AdmissionStatistics& statistics() const { return statistics_; }
  // Bytes of all tables at this moment; bounded by the configuration.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  [[nodiscard]] AdmissionVerdict judge(Instant now, const SocketAddress& remote, ByteView datagram, IntroSource source);
  // Of bytes that came from an address.
  [[nodiscard]] std::uint64_t hash_from(const SocketAddress& remote, ByteView bytes) const;

  HashKey hash_key_;
  HashedLimiter addresses_;
  HashedLimiter repeats_;  // by address too
  HashedLimiter prefixes_;
  HashedLimiter known_prefixes_;
  HashedLimiter networks_;  // of strangers
  RateLimiter strangers_;
  RateLimiter known_;
  RateLimiter offers_;
  RateLimiter known_offers_;
  HashedLimiter cookies_;
  RateLimiter error_acks_;
  RateLimiter refusals_;
  RecentSet answered_;
  RecentSet junk_;
  RecentSet refused_;
  ReplyBudget replies_;
  HalfOpenList half_open_;
  std::vector<std::uint64_t> evicted_;
  AdmissionStatistics statistics_;
};

}  // namespace godwit
