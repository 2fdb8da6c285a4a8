// Two hosts over a lossy link in virtual time: the least endpoint that can shake hands, and the link. For tests only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "handshake/deployed_peer_test_support.h"
#include "handshake/handshake_test_support.h"
#include "transport/admission.h"
#include "transport/keepalive.h"

namespace godwit::test {

// What Endpoint and Connection do about handshakes, and nothing else: one peer, one route.
class GodwitHost {
 public:
  GodwitHost(std::uint64_t seed, const SocketAddress& remote)
      : party(seed), remote_(remote), admission_({}, party.random) {}

  void initiate(Instant now, const PublicKey& peer) {
    auto handshake = Handshake::initiate(now, party.context, remote_, peer);
    GODWIT_ASSERT(handshake.has_value());
    handshake_.emplace(std::move(*handshake));
    collect(now);
  }

  void receive(Instant now, Bytes datagram) {
    const auto kind = wire::classify(datagram);
    if (kind == wire::DatagramClass::kIntro) {
      receive_intro(now, datagram);
    } else if (kind == wire::DatagramClass::kSymmetric) {
      receive_symmetric(now, datagram);
    }
    collect(now);
  }

  [[nodiscard]] std::optional<Instant> next_timeout() const {
    std::optional<Instant> next;
    const auto earlier = [&](std::optional<Instant> other) {
      if (other && (!next || *other < *next)) next = other;
    };
    if (handshake_) earlier(handshake_->next_timeout());
    if (beside_) earlier(beside_->next_timeout());
    if (keepalive_) earlier(keepalive_->next_timeout());
    return next;
  }
  void handle_timeout(Instant now) {
    for (auto* pending : {&beside_, &handshake_}) {
      if (*pending) apply(now, *pending, (*pending)->handle_timeout(now), {});
    }
    if (keepalive_) {
      const KeepAlive::Outcome outcome = keepalive_->handle_timeout(now);
      if (outcome.proof_failed) {
        proof_failed = true;
        session_.reset();
        keepalive_.reset();
      } else if (outcome.ping) {
        send(wire::Ping{keepalive_->begin_ping(now)});
      }
      if (session_) session_->expire_others(now);
    }
    collect(now);
  }

  [[nodiscard]] std::vector<Bytes> drain() { return std::exchange(outbox_, {}); }
  // Established, and the other side is known to be so too.
  [[nodiscard]] bool proven() const { return session_.has_value() && !keepalive_->proof_pending(); }
  [[nodiscard]] bool authenticated() const { return session_.has_value() && session_->peer_authenticated(); }
  [[nodiscard]] const std::optional<Session>& session() const { return session_; }
  void close(std::string_view text) {
    send(wire::AckError{text});
    session_.reset();
    keepalive_.reset();
  }

  Party party;
  std::optional<HandshakeFailure> failure;
  bool proof_failed = false;
  int sessions = 0;  // begun, new sessions of the peer included
  int pongs_matched = 0;
  int messages = 0;

 private:
  static constexpr Duration kRestartPatience = 1s;

  void receive_intro(Instant now, Bytes& datagram) {
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    for (auto* pending : {&beside_, &handshake_}) {
      if (*pending && (*pending)->repeats_intro(datagram)) {
        (*pending)->receive(now, datagram, scratch);
        return;
      }
    }
    if (session_ && session_->knows_intro(IntroFingerprint::of(datagram))) return;
    const IntroSource source = handshake_ || session_ ? IntroSource::kKnown : IntroSource::kStranger;
    if (admission_.admit_intro(now, remote_, datagram, source) != AdmissionVerdict::kDecrypt) return;
    const auto intro = open_intro_datagram(*party.context.self, datagram);
    if (!intro) return;
    if (handshake_) {
      if (handshake_->receive_intro(now, *intro).kind == HandshakeStep::Kind::kProgress)
        admission_.on_answered(remote_, intro->fingerprint);
      return;
    }
    if (session_ && session_->is_stale_intro(now, *intro)) return;
    auto& place = session_ ? beside_ : handshake_;
    if (session_ && party.config.require_authenticated_peer && session_->requested_key()) {
      // A session that proves the peer yields to nobody who does not: an acceptor's would not, so that a peer that has
      // restarted is connected to. One that answers pings has not restarted; its intro is a late one.
      if (keepalive_->unanswered_for(now) < kRestartPatience) {
        if (keepalive_->unanswered_for(now) == Duration::zero()) send(wire::Ping{keepalive_->begin_ping(now)});
        return;
      }
      auto reconnect = Handshake::initiate(now, party.context, remote_, *session_->requested_key());
      GODWIT_ASSERT(reconnect.has_value());
      place.emplace(std::move(*reconnect));
      place->receive_intro(now, *intro);
    } else {
      auto accepted = Handshake::accept(now, party.context, remote_, *intro);
      if (!accepted) return;
      place.emplace(std::move(*accepted));
    }
    admission_.on_answered(remote_, intro->fingerprint);
  }

  void receive_symmetric(Instant now, Bytes& datagram) {
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    if (session_) {
      if (const auto opened = session_->open_keeping(datagram, scratch)) return process(now, datagram, *opened);
    }
    for (auto* pending : {&beside_, &handshake_}) {
      if (!*pending) continue;
      return apply(now, *pending, (*pending)->receive(now, datagram, scratch), datagram);
    }
  }

  void apply(Instant now, std::optional<Handshake>& pending, const HandshakeStep& step, ByteView datagram) {
    if (step.kind == HandshakeStep::Kind::kFailed) {
      failure = pending->failure();
      pending.reset();
    } else if (step.kind == HandshakeStep::Kind::kEstablished) {
      for (Bytes& last : test::drain(now, *pending)) outbox_.push_back(std::move(last));
      session_.emplace(pending->take_session());
      pending.reset();
      ++sessions;
      next_id_ = 1;
      ordinary_seen_ = false;
      keepalive_.emplace(keepalive_config_, now, session_->initiator() ? ProofRule::kPingOrFail : ProofRule::kPing,
                         party.random);
      keepalive_->on_authentic(now, step.confirmed_by_ack);
      if (!step.plaintext.empty()) process(now, datagram, {.plaintext = step.plaintext});
      if (keepalive_->handle_timeout(now).ping) send(wire::Ping{keepalive_->begin_ping(now)});
    }
  }

  void process(Instant now, ByteView datagram, const Session::Opened& opened) {
    const auto packet = wire::decode(opened.plaintext);
    if (!packet) return;
    if (const auto* ack = std::get_if<wire::AckOk>(&packet->message)) {
      const AckReaction reaction = session_->on_success_ack(
          now,
          {.ack = *ack, .nonce = nonce_of(datagram), .opened_by = opened.age, .ordinary_packet_seen = ordinary_seen_});
      if (!reaction.repeat) keepalive_->on_authentic(now, true);
      if (reaction.new_session) {
        ++sessions;
        session_->adopt(now, party.context, *ack, opened);
        Bytes completion(wire::kMaxDatagram);
        completion.resize(session_->write_completion_ack(completion));
        outbox_.push_back(std::move(completion));
        keepalive_->restart_proof(now);
        ordinary_seen_ = false;
      }
      if (reaction.ping) send(wire::Ping{keepalive_->begin_ping(now)});
      return;
    }
    if (std::holds_alternative<wire::AckError>(packet->message)) {
      session_.reset();
      keepalive_.reset();
      return;
    }
    keepalive_->on_authentic(now);
    ordinary_seen_ = true;
    if (const auto* ping = std::get_if<wire::Ping>(&packet->message)) {
      send(wire::Pong{ping->sequence});
    } else if (const auto* pong = std::get_if<wire::Pong>(&packet->message)) {
      if (keepalive_->on_pong(now, pong->sequence)) {
        ++pongs_matched;
        session_->on_ping_answered(opened.proves_peer);
      }
    } else if (std::holds_alternative<wire::ShortMessage>(packet->message)) {
      ++messages;
    }
  }

  void send(const wire::Message& message) {
    Bytes plaintext(wire::encoded_size(message));
    GODWIT_ASSERT(wire::encode(plaintext, next_id_++, {}, message) == plaintext.size());
    Bytes datagram(plaintext.size() + kEnvelopeOverhead);
    GODWIT_ASSERT(session_->sealer().seal_pieces(plaintext, {}, {}, datagram) == datagram.size());
    outbox_.push_back(std::move(datagram));
  }
  void collect(Instant now) {
    for (auto* pending : {&handshake_, &beside_}) {
      if (!*pending) continue;
      for (Bytes& datagram : test::drain(now, **pending)) outbox_.push_back(std::move(datagram));
    }
  }

  SocketAddress remote_;
  Admission admission_;
  std::optional<Handshake> handshake_;
  std::optional<Handshake> beside_;
  std::optional<Session> session_;
  KeepAliveConfig keepalive_config_;
  std::optional<KeepAlive> keepalive_;
  std::uint32_t next_id_ = 1;
  bool ordinary_seen_ = false;
  std::vector<Bytes> outbox_;
};

struct LinkConfig {
  double loss = 0;
  double duplicate = 0;
  Duration least_delay = 20ms;
  Duration most_delay = 30ms;
};
inline constexpr LinkConfig kLossy{.loss = 0.2, .least_delay = 25ms, .most_delay = 25ms};
// Datagrams overtake each other by up to half a second and arrive twice.
inline constexpr LinkConfig kDisorderly{.loss = 0.1, .duplicate = 0.3, .least_delay = 5ms, .most_delay = 500ms};

// Runs two hosts until `until` or until `done`. Host: receive, next_timeout, handle_timeout, drain.
template <typename A, typename B>
class Link {
 public:
  Link(std::uint64_t seed, LinkConfig config, A& a, B& b) : random_(seed), config_(config), a_(a), b_(b) {}

  // Sees every datagram before the dice are cast; false drops it.
  std::function<bool(Instant now, bool from_a, const Bytes& datagram)> filter;

  // At `when`, before anything that arrives then.
  void at(Instant when, std::function<void(Instant)> action) {
    queue_.push({when, order_++, Event::Kind::kAction, {}, std::move(action)});
  }

  Instant run(Instant until, const std::function<bool()>& done = {}) {
    for (;;) {
      forward(true, a_);
      forward(false, b_);
      if (done && done()) return now_;
      std::optional<Instant> next;
      const auto earlier = [&](std::optional<Instant> other) {
        if (other && (!next || *other < *next)) next = other;
      };
      if (!queue_.empty()) earlier(queue_.top().when);
      earlier(a_.next_timeout());
      earlier(b_.next_timeout());
      if (!next || *next > until) return now_ = until;
      now_ = std::max(now_, *next);
      if (!queue_.empty() && queue_.top().when <= now_) {
        Event event = queue_.top();
        queue_.pop();
        switch (event.kind) {
          case Event::Kind::kAction: event.action(now_); break;
          case Event::Kind::kToA: a_.receive(now_, std::move(event.datagram)); break;
          case Event::Kind::kToB: b_.receive(now_, std::move(event.datagram)); break;
        }
      } else {
        if (const auto due = a_.next_timeout(); due && *due <= now_) a_.handle_timeout(now_);
        if (const auto due = b_.next_timeout(); due && *due <= now_) b_.handle_timeout(now_);
      }
    }
  }

 private:
  struct Event {
    enum class Kind : std::uint8_t { kAction, kToA, kToB };
    Instant when;
    std::uint64_t order;
    Kind kind;
    Bytes datagram;
    std::function<void(Instant)> action;
    friend bool operator<(const Event& l, const Event& r) {
      return std::pair(r.when, r.order) < std::pair(l.when, l.order);
    }
  };

  template <typename From>
  void forward(bool from_a, From& from) {
    for (const Bytes& datagram : from.drain()) {
      if (filter && !filter(now_, from_a, datagram)) continue;
      const int copies = random_.unit() < config_.duplicate ? 2 : 1;
      for (int i = 0; i < copies; ++i) {
        if (random_.unit() < config_.loss) continue;
        const auto spread = static_cast<std::uint64_t>((config_.most_delay - config_.least_delay).count()) + 1;
        const Duration delay = config_.least_delay + Duration{static_cast<Duration::rep>(random_.below(spread))};
        queue_.push({now_ + delay, order_++, from_a ? Event::Kind::kToB : Event::Kind::kToA, datagram, {}});
      }
    }
  }

  DeterministicRandom random_;
  LinkConfig config_;
  A& a_;
  B& b_;
  Instant now_ = kStart;
  std::uint64_t order_ = 0;
  std::priority_queue<Event> queue_;
};

}  // namespace godwit::test
