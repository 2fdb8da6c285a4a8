#include "handshake/key_probe.h"

#include <utility>

#include "handshake/handshake_step.h"
#include "wire/limits.h"
#include "wire/message_codec.h"

namespace godwit {

void KeyProbe::on_ack(Acked acked) {
  if (acked_) return;
  acked_ = std::move(acked);
  completion_due_ = true;
  ping();
}

void KeyProbe::ping() {
  // An answer to this confirmation that still comes must not count for the next one.
  if (confirming() && --confirmations_left_ == 0) ++confirmation_;
  ping_due_ = keys_in_use();
}

void KeyProbe::on_ping(std::uint64_t sequence) {
  pong_sequence_ = sequence;
  pong_due_ = keys_in_use();
}

std::optional<KeyProbe::Key> KeyProbe::on_pong(std::uint64_t sequence) {
  if (sequence == sequences_[static_cast<std::size_t>(Key::kIntro)]) return Key::kIntro;
  if (!acked_) return std::nullopt;
  if (confirming() && sequence == confirmation_) return Key::kAcked;
  if (!confirming() && sequence == sequences_[static_cast<std::size_t>(Key::kAcked)]) {
    confirmations_left_ = kConfirmations;
    ping_due_ = bit(Key::kAcked);
    pong_due_ = static_cast<KeySet>(pong_due_ & bit(Key::kAcked));
  }
  return std::nullopt;
}

std::size_t KeyProbe::poll_transmit(PacketSealer& intro_sealer, const SymmetricKey& first_key,
                                    const SocketAddress& remote, MutableBytes out) {
  // The acked key first: a deployed acceptor gives up its handshake for one datagram that it cannot open (wire
  // spec 4.3).
  if (std::exchange(completion_due_, false)) {
    return seal(intro_sealer, Key::kAcked,
                wire::AckOk{.key = first_key, .remote_address = remote, .version = std::nullopt}, out);
  }
  for (const Key key : {Key::kAcked, Key::kIntro}) {
    if ((ping_due_ & bit(key)) != 0) {
      ping_due_ = static_cast<KeySet>(ping_due_ & ~bit(key));
      const std::uint64_t sequence = confirming() ? confirmation_ : sequences_[static_cast<std::size_t>(key)];
      return seal(intro_sealer, key, wire::Ping{sequence}, out);
    }
  }
  for (const Key key : {Key::kAcked, Key::kIntro}) {
    if ((pong_due_ & bit(key)) != 0) {
      pong_due_ = static_cast<KeySet>(pong_due_ & ~bit(key));
      return seal(intro_sealer, key, wire::Pong{pong_sequence_}, out);
    }
  }
  return 0;
}

KeyProbe::KeySet KeyProbe::keys_in_use() const {
  if (confirming()) return bit(Key::kAcked);
  return static_cast<KeySet>(bit(Key::kIntro) | (acked_ ? bit(Key::kAcked) : 0));
}

std::size_t KeyProbe::seal(PacketSealer& intro_sealer, Key key, const wire::Message& message, MutableBytes out) {
  std::array<std::uint8_t, kMaxSuccessAck> plaintext;
  const std::size_t size = wire::encode(plaintext, wire::kHandshakePacketId, {}, message);
  std::size_t written = 0;
  if (size != 0 && out.size() >= size + wire::kDatagramOverhead) {
    PacketSealer& sealer = key == Key::kAcked ? *acked_->sealer : intro_sealer;
    written = sealer.seal_pieces(ByteView(plaintext).first(size), {}, {}, out);
  }
  wipe(plaintext);
  return written;
}

}  // namespace godwit
