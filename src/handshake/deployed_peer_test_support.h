// A deployed peer as wire spec 4.2 to 4.6 describes it, for one remote address: gateway or not, connecting or not, with
// its one-shot acks, its 5 s of deafness, its resets. It shares no code with the handshake under test. For tests only.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "handshake/handshake_test_support.h"

namespace godwit::test {

class DeployedPeer {
 public:
  enum class State : std::uint8_t {
    kNone,
    kGatewayHandshake,
    kStartOutbound,
    kRemoteInbound,
    kEstablished,
    kRecentlyClosed
  };

  DeployedPeer(std::uint64_t seed, bool gateway, const SocketAddress& remote)
      : random_(seed), keys_(*KeyPair::generate(random_)), gateway_(gateway), remote_(remote) {
    acceptor_key_ = SymmetricKey::generate(random_);  // the same for an address all day (wire spec 4.1)
  }

  [[nodiscard]] const PublicKey& public_key() const { return keys_.public_key(); }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool established() const { return state_ == State::kEstablished; }
  [[nodiscard]] int resets() const { return resets_; }
  [[nodiscard]] int acks_sent() const { return acks_sent_; }
  [[nodiscard]] const std::optional<wire::AckError>& closed_by() const { return closed_by_; }
  [[nodiscard]] std::vector<Bytes> drain() { return std::exchange(outbox_, {}); }

  void initiate(Instant now, const PublicKey& peer) {
    state_ = State::kStartOutbound;
    own_key_ = SymmetricKey::generate(random_);
    intro_ = make_intro(random_, peer, {.version = wire::kAnnouncedVersion, .key = own_key_});
    deadline_ = now + 3s;
    transmissions_ = 0;
    transmit(now);
  }

  void receive(Instant now, const Bytes& datagram) {
    if (datagram.empty() || (datagram[0] != 1 && datagram[0] != 2)) return;
    const bool intro = datagram[0] == 1;
    switch (state_) {
      case State::kNone:
      case State::kRecentlyClosed:
        if (state_ == State::kRecentlyClosed && now < quiet_until_) return;
        if (intro && gateway_ && may_decrypt(now)) accept(now, datagram);
        return;
      case State::kGatewayHandshake: return intro ? void() : on_confirmation(now, datagram);
      case State::kStartOutbound: return on_start_outbound(now, datagram, intro);
      case State::kRemoteInbound: return on_remote_inbound(now, datagram, intro);
      case State::kEstablished: return on_established(now, datagram, intro);
    }
  }

  [[nodiscard]] std::optional<Instant> next_timeout() const {
    switch (state_) {
      case State::kGatewayHandshake: return deadline_;
      case State::kStartOutbound:
      case State::kRemoteInbound: return std::min(deadline_, next_send_);
      case State::kEstablished: return next_ping_;
      default: return std::nullopt;
    }
  }
  void handle_timeout(Instant now) {
    if (state_ == State::kEstablished) {
      if (now >= next_ping_) send(wire::Ping{ping_sequence_++}, next_id_++);
      next_ping_ = now + 5s;
    } else if (now >= deadline_) {
      state_ = State::kNone;
    } else if ((state_ == State::kStartOutbound || state_ == State::kRemoteInbound) && now >= next_send_) {
      transmit(now);
    }
  }

 private:
  // One asymmetric decryption a second (wire spec 4.2).
  bool may_decrypt(Instant now) {
    if (last_decryption_ && now - *last_decryption_ < 1s) return false;
    last_decryption_ = now;
    return true;
  }
  void send(const wire::Message& message, std::uint32_t id) {
    outbox_.push_back(seal_message(random_, peer_key_, id, message));
  }
  // On its 100 ms timer in truth; that much sooner makes no difference here.
  void send_ack_of_zero() {
    const std::array<std::uint32_t, 1> acks = {0};
    Bytes plaintext(wire::kMessageOverhead + wire::kAckSize);
    GODWIT_ASSERT(wire::encode(plaintext, next_id_++, acks, wire::NoOp{}) == plaintext.size());
    outbox_.push_back(seal_plaintext(random_, peer_key_, plaintext));
  }
  wire::AckOk ack(bool v2) const {
    wire::AckOk made{.key = own_key_, .remote_address = remote_, .version = std::nullopt};
    if (v2) made.version = wire::kAnnouncedVersion;
    return made;
  }
  void establish(Instant now) {
    state_ = State::kEstablished;
    next_ping_ = now + 5s;
    next_id_ = 1;
    answered_ack_ = false;
    failures_ = 0;
  }
  void accept(Instant now, const Bytes& datagram) {
    const auto intro = open_intro_datagram(keys_, datagram);
    if (!intro) return;
    own_key_ = acceptor_key_;
    peer_key_ = intro->intro.key;
    if (!wire::compatible(wire::kAnnouncedVersion, intro->intro.version)) {
      const std::string text = wire::version_mismatch_text({0, 2, 154});
      return send(wire::AckError{text}, 0);
    }
    state_ = State::kGatewayHandshake;
    deadline_ = now + 5s;
    ++acks_sent_;
    send(ack(true), 0);
  }
  void on_confirmation(Instant now, const Bytes& datagram) {
    // It only has to authenticate; if it does not, the handshake is over (wire spec 4.3).
    if (open_packet(own_key_, datagram)) {
      establish(now);
    } else {
      state_ = State::kNone;
    }
  }
  void transmit(Instant now) {
    next_send_ = now + 250ms;
    if (transmissions_++ >= 40) return;
    if (state_ == State::kStartOutbound) {
      outbox_.push_back(intro_);
    } else {
      send(ack(true), 0);
    }
  }
  void on_start_outbound(Instant now, const Bytes& datagram, bool intro) {
    if (intro && !may_decrypt(now)) return;
    if (const auto plaintext = open_packet(own_key_, datagram)) {
      const auto packet = wire::decode(*plaintext);
      if (!packet) {
        state_ = State::kNone;
      } else if (const auto* ok = std::get_if<wire::AckOk>(&packet->message)) {
        peer_key_ = ok->key;
        send(ack(false), 0);
        establish(now);
      } else if (std::holds_alternative<wire::AckError>(packet->message)) {
        state_ = State::kNone;
      } else {
        transmit(now);
      }
      return;
    }
    const auto seen = intro ? open_intro_datagram(keys_, datagram) : std::nullopt;
    if (seen && wire::compatible(wire::kAnnouncedVersion, seen->intro.version)) {
      peer_key_ = seen->intro.key;
      state_ = State::kRemoteInbound;
    }
    transmit(now);
  }
  void on_remote_inbound(Instant now, const Bytes& datagram, bool intro) {
    if (intro) {
      if (may_decrypt(now)) transmit(now);
      return;
    }
    if (open_packet(own_key_, datagram)) establish(now);
  }
  void on_established(Instant now, const Bytes& datagram, bool intro) {
    if (intro) {
      const bool fresh = may_decrypt(now);
      const auto seen = open_intro_datagram(keys_, datagram);
      if (fresh && seen) {
        ++resets_;
        if (!gateway_) last_decryption_.reset();
        return accept(now, datagram);
      }
      if (seen) return send(ack(false), 0);
      return on_failure();
    }
    const auto plaintext = open_packet(own_key_, datagram);
    if (!plaintext) return on_failure();
    const auto packet = wire::decode(*plaintext);
    if (!packet) return;
    if (const auto* ping = std::get_if<wire::Ping>(&packet->message)) {
      send(wire::Pong{ping->sequence}, next_id_++);
    } else if (std::holds_alternative<wire::AckOk>(packet->message)) {
      if (!std::exchange(answered_ack_, true)) send(ack(false), 0);
      send_ack_of_zero();
    } else if (const auto* error = std::get_if<wire::AckError>(&packet->message)) {
      closed_by_ = wire::AckError{{}};
      static_cast<void>(error);
      state_ = State::kRecentlyClosed;
      quiet_until_ = now + 2s;
    }
  }
  void on_failure() {
    if (++failures_ > 40) state_ = State::kRecentlyClosed;
  }

  DeterministicRandom random_;
  KeyPair keys_;
  bool gateway_;
  SocketAddress remote_;
  State state_ = State::kNone;
  SymmetricKey acceptor_key_;
  SymmetricKey own_key_;
  SymmetricKey peer_key_;
  Bytes intro_;
  std::vector<Bytes> outbox_;
  Instant deadline_;
  Instant next_send_;
  Instant next_ping_;
  Instant quiet_until_;
  std::optional<Instant> last_decryption_;
  std::optional<wire::AckError> closed_by_;
  std::uint64_t ping_sequence_ = 0;
  std::uint32_t next_id_ = 1;
  int transmissions_ = 0;
  int acks_sent_ = 0;
  int resets_ = 0;
  int failures_ = 0;
  bool answered_ack_ = false;
};

}  // namespace godwit::test
