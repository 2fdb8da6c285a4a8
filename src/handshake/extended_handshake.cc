#include "handshake/extended_handshake.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "handshake/cookie_jar.h"
#include "handshake/cookies.h"
#include "handshake/ephemeral_keys.h"
#include "handshake/reset_tokens.h"

namespace godwit {
namespace {

constexpr std::string_view kPrologueLabel = "godwit extended session 1";

// Label, outer ephemeral key, and the 24 bytes that deployed peers read: an offer belongs to the intro that carries it.
std::vector<std::uint8_t> prologue(ByteView outer, const wire::Intro& intro) {
  std::array<std::uint8_t, wire::kIntroPlaintext> plaintext;
  wire::encode_intro_plaintext(intro, plaintext);
  std::vector<std::uint8_t> bytes(kPrologueLabel.size() + outer.size() + plaintext.size());
  const auto behind_label = std::ranges::copy(kPrologueLabel, bytes.begin()).out;
  std::ranges::copy(plaintext, std::ranges::copy(outer, behind_label).out);
  wipe(plaintext);
  return bytes;
}

wire::TransportParameters own_parameters(Instant now, const HandshakeContext& context, const SocketAddress& remote) {
  wire::TransportParameters parameters{.capabilities = context.config->capabilities,
                                       .largest_datagram = wire::kMaxReceivedDatagram,
                                       .initial_credit = context.config->flow.connection,
                                       .initial_stream_credit = context.config->flow.stream,
                                       .timestamp = time_of_day_ms(now, *context.config)};
  // Zero stands for no tag.
  while (parameters.connection_tag == wire::ConnectionTag{}) context.random->fill(parameters.connection_tag);
  if (context.config->largest_datagram <= wire::kMaxDatagram) {
    parameters.capabilities &= ~wire::capability::kLargeDatagrams;
  } else if ((parameters.capabilities & wire::capability::kLargeDatagrams) != 0) {
    parameters.largest_datagram = context.config->largest_datagram;
  }
  if (context.resets == nullptr) parameters.capabilities &= ~wire::capability::kReset;
  if ((parameters.capabilities & wire::capability::kReset) != 0) {
    parameters.reset_token = context.resets->token(parameters.connection_tag, remote);
  }
  return parameters;
}

std::vector<std::uint8_t> encoded(const wire::TransportParameters& parameters) {
  std::array<std::uint8_t, wire::kMaxParametersSize> bytes{};
  const std::size_t size = wire::encode_parameters(parameters, bytes);
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

// A block with room for a Noise message of so many bytes.
std::vector<std::uint8_t> begin_block(std::size_t message_bytes) {
  std::array<std::uint8_t, wire::kExtensionHeader> header;
  wire::write_extension_header(header, message_bytes);
  std::vector<std::uint8_t> block(header.begin(), header.end());
  block.resize(wire::kExtensionHeader + message_bytes);
  return block;
}

}  // namespace

std::uint64_t time_of_day_ms(Instant now, const HandshakeConfig& config) {
  const Duration since = now.time_since_epoch() + config.clock_offset;
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(since).count()));
}

FallbackReason fallback_reason(wire::ExtensionBlock block) {
  switch (block) {
    case wire::ExtensionBlock::kAbsent: return FallbackReason::kNotOffered;
    case wire::ExtensionBlock::kMalformed: return FallbackReason::kMalformed;
    case wire::ExtensionBlock::kLater: return FallbackReason::kLaterVersion;
    case wire::ExtensionBlock::kPresent: break;
  }
  return FallbackReason::kNone;
}

std::optional<ExtendedOffer> ExtendedOffer::make(Instant now, const HandshakeContext& context,
                                                 const SocketAddress& remote, const wire::Intro& intro,
                                                 KeyPair ephemeral, const NoiseIk::Agreement& agreement) {
  ExtendedOffer offer(NoiseIk::initiator(prologue(ephemeral.public_key().bytes(), intro), *context.self, agreement.peer,
                                         context.static_agreements),
                      own_parameters(now, context, remote));
  const std::vector<std::uint8_t> parameters = encoded(offer.mine_);
  offer.block_ = begin_block(parameters.size() + NoiseIk::kFirstOverhead);
  const MutableBytes message = MutableBytes(offer.block_).subspan(wire::kExtensionHeader);
  if (!offer.noise_.write_first(std::move(ephemeral), parameters, message, &agreement)) return std::nullopt;
  const auto cookie = context.cookie_jar == nullptr ? std::nullopt : context.cookie_jar->find(agreement.peer);
  if (cookie) offer.block_.insert(offer.block_.end(), cookie->begin(), cookie->end());
  return offer;
}

ExtendedOffer::Answer ExtendedOffer::read(ByteView trailing) {
  const wire::ExtensionSeen seen = wire::read_extension(trailing);
  Answer answer{.block = seen.block, .secrets = std::nullopt};
  if (seen.block != wire::ExtensionBlock::kPresent) return answer;
  answer.block = wire::ExtensionBlock::kMalformed;
  if (seen.cookie || seen.message.size() < NoiseIk::kSecondOverhead) return answer;
  std::array<std::uint8_t, wire::kMaxNoiseMessage> memory;
  const MutableBytes payload = MutableBytes(memory).first(seen.message.size() - NoiseIk::kSecondOverhead);
  if (!noise_.read_second(seen.message, payload)) return answer;
  const auto theirs = wire::decode_parameters(payload);
  if (!theirs) return answer;
  answer.block = wire::ExtensionBlock::kPresent;
  const NoiseIk::Secrets secrets = noise_.split();
  answer.secrets = ExtendedSecrets{.send = secrets.from_initiator,
                                   .receive = secrets.from_responder,
                                   .peer = noise_.remote_static(),
                                   .mine = mine_,
                                   .theirs = *theirs};
  return answer;
}

std::optional<ExtendedRequest> ExtendedRequest::read(const HandshakeContext& context, const IntroSeen& intro) {
  if (intro.extension.size() < NoiseIk::kFirstOverhead) return std::nullopt;
  NoiseIk noise =
      NoiseIk::responder(prologue(intro.fingerprint.ephemeral, intro.intro), *context.self, context.static_agreements);
  std::array<std::uint8_t, wire::kMaxNoiseMessage> memory;
  const MutableBytes payload = MutableBytes(memory).first(intro.extension.size() - NoiseIk::kFirstOverhead);
  const NoiseIk::Agreement of_intro{.peer = PublicKey(intro.fingerprint.ephemeral),
                                    .shared = intro.agreement.value_or(Secret())};
  if (!noise.read_first(intro.extension, payload, intro.agreement ? &of_intro : nullptr)) return std::nullopt;
  const auto theirs = wire::decode_parameters(payload);
  if (!theirs) return std::nullopt;
  return ExtendedRequest(std::move(noise), *theirs);
}

std::optional<ExtendedRequest::Answer> ExtendedRequest::answer(Instant now, const HandshakeContext& context,
                                                               const SocketAddress& remote) {
  auto ephemeral = ephemeral_key(context);
  if (!ephemeral) return std::nullopt;
  Answer answer{.secrets = {.send = {},
                            .receive = {},
                            .peer = peer(),
                            .mine = own_parameters(now, context, remote),
                            .theirs = theirs_},
                .block = {}};
  if (context.cookies != nullptr) {
    answer.secrets.mine.cookie = context.cookies->issue(time_of_day_ms(now, *context.config), *context.random);
  }
  const std::vector<std::uint8_t> parameters = encoded(answer.secrets.mine);
  answer.block = begin_block(parameters.size() + NoiseIk::kSecondOverhead);
  const MutableBytes message = MutableBytes(answer.block).subspan(wire::kExtensionHeader);
  if (!noise_.write_second(std::move(*ephemeral), parameters, message)) return std::nullopt;
  const NoiseIk::Secrets secrets = noise_.split();
  answer.secrets.send = secrets.from_responder;
  answer.secrets.receive = secrets.from_initiator;
  return answer;
}

}  // namespace godwit
