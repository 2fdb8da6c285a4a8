#include "handshake/handshake.h"

#include <utility>

#include "wire/message_codec.h"

namespace godwit {

trace::DropReason drop_reason(wire::DatagramClass datagram_class) {
  switch (datagram_class) {
    case wire::DatagramClass::kEmpty: return trace::DropReason::kEmpty;
    case wire::DatagramClass::kUnassigned:
    case wire::DatagramClass::kQuic: return trace::DropReason::kUnknownType;
    case wire::DatagramClass::kShortSymmetric:
    case wire::DatagramClass::kShortIntro: return trace::DropReason::kTooShort;
    case wire::DatagramClass::kLongSymmetric:
    case wire::DatagramClass::kTooLong: return trace::DropReason::kTooLong;
    case wire::DatagramClass::kSymmetric:
    case wire::DatagramClass::kIntro: break;
  }
  return trace::DropReason::kAuthenticationFailed;
}

Result<Handshake> Handshake::initiate(Instant now, const HandshakeContext& context, const SocketAddress& remote,
                                      const PublicKey& peer, std::optional<Instant> deadline) {
  auto role =
      HandshakeInitiator::start(now, context, remote, peer, deadline.value_or(now + context.config->connect_timeout));
  if (!role) return std::unexpected(std::move(role.error()));
  return Handshake(std::move(*role));
}

std::expected<Handshake, trace::DropReason> Handshake::accept(Instant now, const HandshakeContext& context,
                                                              const SocketAddress& remote, const IntroSeen& intro) {
  auto role = HandshakeAcceptor::start(now, context, remote, intro);
  if (!role) return std::unexpected(role.error());
  return Handshake(std::move(*role));
}

std::optional<AnsweredOffer> Handshake::take_answer(const PublicKey& peer) {
  auto* const acceptor = std::get_if<HandshakeAcceptor>(&role_);
  return acceptor == nullptr ? std::nullopt : acceptor->take_answer(peer);
}

void Handshake::go_on_with(AnsweredOffer answered) {
  std::get<HandshakeInitiator>(role_).go_on_with(std::move(answered));
}

HandshakeStep Handshake::receive(Instant now, MutableBytes datagram, MutableBytes scratch) {
  return std::visit([&](auto& role) { return role.receive(now, datagram, scratch); }, role_);
}

HandshakeStep Handshake::receive_intro(Instant now, const IntroSeen& intro) {
  if (auto* initiator = std::get_if<HandshakeInitiator>(&role_)) return initiator->receive_intro(now, intro);
  return std::get<HandshakeAcceptor>(role_).receive_intro(intro);
}

bool Handshake::repeats_intro(ByteView datagram) const {
  return std::visit([&](const auto& role) { return role.repeats_intro(datagram); }, role_);
}

HandshakeStep Handshake::handle_timeout(Instant now) {
  return std::visit([&](auto& role) { return role.handle_timeout(now); }, role_);
}

std::optional<Instant> Handshake::next_timeout() const {
  return std::visit([](const auto& role) { return role.next_timeout(); }, role_);
}

std::size_t Handshake::poll_transmit(Instant /*now*/, MutableBytes out) {
  return std::visit([&](auto& role) { return role.poll_transmit(out); }, role_);
}

Session Handshake::take_session() {
  return std::visit([](auto& role) { return role.take_session(); }, role_);
}

bool Handshake::established() const {
  return std::visit([](const auto& role) { return role.established(); }, role_);
}

HandshakeFailure Handshake::failure() const {
  return std::visit([](const auto& role) { return role.failure(); }, role_);
}

const std::string& Handshake::failure_text() const {
  return std::visit([](const auto& role) -> const std::string& { return role.failure_text(); }, role_);
}

std::string version_mismatch_text(const HandshakeContext& context) {
  return wire::version_mismatch_text(wire::parse_version(context.config->version).release);
}

std::size_t write_error_ack(const HandshakeContext& context, const wire::Intro& intro, std::string_view text,
                            MutableBytes out) {
  std::array<std::uint8_t, wire::kMaxPlaintext> plaintext;
  const std::size_t size = wire::encode(plaintext, wire::kHandshakePacketId, {}, wire::AckError{.text = text});
  if (size == 0 || out.size() < size + wire::kDatagramOverhead) return 0;
  PacketSealer sealer = make_sealer(context, intro.key);
  return sealer.seal_pieces(ByteView(plaintext).first(size), {}, {}, out);
}

}  // namespace godwit
