// The liveness of one established connection: the ping schedule (wire spec 7), proof that the peer is established too
// (4.3, 4.5), suspicion (W26) and the idle time-out on authentic packets alone (W8). Owned by Connection, which seals
// the pings and reports what arrives. on_authentic() is two stores and moves deadlines later or leaves them, never
// re-arms a timer: a deadline that has moved is noticed when the old one fires.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/time.h"
#include "wire/limits.h"

namespace godwit {

struct KeepAliveConfig {
  // At most a third of `idle_timeout`, so that a lost ping does not end a healthy connection.
  Duration ping_interval = wire::kPingInterval;
  // Each interval is drawn from ping_interval ± this (wire spec W21), held within (0, 15 s).
  Duration ping_jitter = Duration::zero();
  Duration idle_timeout = wire::kIdleTimeout;
  // Pings of a fresh session, until anything but a success ack arrives.
  Duration proof_interval = 250ms;
  Duration proof_timeout = 5s;
  // Silence with an unanswered ping for this long makes the peer suspect (wire spec W26: 10 to 20 s).
  Duration suspect_after = 15s;
  // The least time to wait for the answer to a ping that was sent because an answer to something else is overdue.
  Duration prompt_suspect_after = 2s;
  // A timer that fires this late means that the process or the machine was suspended.
  Duration suspension_gap = 10s;
};

// How a session begins.
enum class ProofRule : std::uint8_t {
  kProven,      // the peer is known to be established: ordinary schedule
  kPing,        // ping at once and until answered; silence fails nothing
  kPingOrFail,  // the same, and the connection has failed when nothing came within proof_timeout (conformance item 29)
};

class KeepAlive {
 public:
  // `config` and `random` outlive this object.
  KeepAlive(const KeepAliveConfig& config, Instant now, ProofRule rule, RandomSource& random);
  KeepAlive(const KeepAliveConfig&& config, Instant now, ProofRule rule, RandomSource& random) = delete;

  // An authentic, non-replayed datagram (wire spec W8). `success_ack`: an AckConnection Ok or V2, which does not
  // prove that the peer is established.
  void on_authentic(Instant now, bool success_ack = false) noexcept {
    last_authentic_ = now;
    unanswered_ = 0;
    if (!success_ack) proof_ = Proof::kNone;
  }

  struct Outcome {
    bool ping = false;            // send one now: begin_ping(); asked again in 250 ms if that does not happen
    bool became_suspect = false;  // once an episode
    bool idle_expired = false;    // close the connection
    bool proof_failed = false;    // the handshake has failed (conformance item 29)
    bool suspended = false;       // the clock jumped: the machine slept
  };
  [[nodiscard]] Outcome handle_timeout(Instant now);
  // Asked again after handle_timeout(), begin_ping(), request_ping() and restart_proof(): only these may make it
  // earlier (on_authentic() may too, by at most the back-off of wire spec 7, which a timer may ignore).
  [[nodiscard]] Instant next_timeout() const;

  // Makes handle_timeout() ask for a ping at once: after an ack that wants an answer (wire spec 5.8), or for the user.
  void request_ping(Instant now) noexcept {
    next_ping_ = now;
    hurried_ = false;
  }
  // An answer is overdue (packets wait for acknowledgements, or ICMP says that nobody is there): pings now, unless one
  // waits already, and the peer is suspect when that ping is unanswered for `patience`, at least prompt_suspect_after.
  // At most one such ping a second, whatever ICMP claims.
  void expect_answer(Instant now, Duration patience) noexcept;
  // A new session at the peer (wire spec 5.8): pings until answered, without failing. Earlier pings are forgotten.
  void restart_proof(Instant now);

  // The sequence of a ping that is being sent now.
  [[nodiscard]] std::uint64_t begin_ping(Instant now);
  // The round trip, at the first Pong of an outstanding ping no older than the table's memory (120 s); nothing
  // otherwise. Sequences start at a random value: a Pong that matches proves that the peer opened the ping.
  [[nodiscard]] std::optional<Duration> on_pong(Instant now, std::uint64_t sequence);

  [[nodiscard]] bool suspect() const { return suspect_ && unanswered_ > 0; }
  [[nodiscard]] bool proof_pending() const { return proof_ != Proof::kNone; }
  [[nodiscard]] Instant last_authentic() const { return last_authentic_; }
  [[nodiscard]] Duration silent_for(Instant now) const { return now - last_authentic_; }
  // How long the first ping since the last authentic datagram has waited for an answer; zero when none waits.
  [[nodiscard]] Duration unanswered_for(Instant now) const {
    return unanswered_ == 0 ? Duration::zero() : now - first_unanswered_;
  }
  [[nodiscard]] std::size_t outstanding_pings() const;
  // How many pings this session has sent, and whether one that was sent after so many has been answered: the peer was
  // in this session when that arrived, which a packet that was merely late does not show.
  [[nodiscard]] std::uint32_t pings_sent() const { return static_cast<std::uint32_t>(pings_); }
  [[nodiscard]] bool answered_after(std::uint32_t pings) const { return answered_ > pings; }

 private:
  enum class Proof : std::uint8_t { kNone, kPinging, kPingingOrFail };
  static constexpr std::uint64_t kRememberedPings = 32;

  [[nodiscard]] static std::uint32_t bit(std::uint64_t number) { return 1U << (number % kRememberedPings); }
  void forget_pings();
  [[nodiscard]] Duration interval_after_ping();
  [[nodiscard]] Duration base_interval() const;
  [[nodiscard]] Instant idle_deadline() const;
  [[nodiscard]] Instant suspect_deadline() const;

  const KeepAliveConfig* config_;
  RandomSource* random_;
  Instant last_authentic_;
  Instant last_ping_;
  Instant first_unanswered_;
  Instant next_ping_;
  Instant proof_deadline_;
  Duration next_patience_ = Duration::max();  // of the next first unanswered ping
  Duration patience_ = Duration::max();       // of the present one
  std::uint64_t first_sequence_ = 0;
  std::uint64_t pings_ = 0;       // sequences given out
  std::uint32_t unanswered_ = 0;  // pings sent since the last authentic datagram
  Proof proof_ = Proof::kNone;
  bool hurried_ = false;  // the last ping asked for proof, and so did the interval behind it
  bool suspect_ = false;
  // By number of the ping, modulo. Ticks of 2^10 ns, modulo 2^32: coarse, since an idle connection is to be small.
  std::uint32_t outstanding_ = 0;
  std::array<std::uint32_t, kRememberedPings> sent_ticks_;
  std::uint32_t answered_ = 0;  // the newest ping that was answered, counted from one
};

}  // namespace godwit
