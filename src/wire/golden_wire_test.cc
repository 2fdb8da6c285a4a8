// Recorded datagrams of deployed peers (testdata/vectors) and the vectors of wire spec appendix A. Each is opened with
// its key, compared with its plaintext, decoded, checked field by field, encoded again to the same bytes and sealed
// again to the same datagram (checklist 2, 7, 15).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/source_tree_test_support.h"
#include "crypto/intro_box.h"
#include "crypto/packet_cipher.h"
#include "crypto/packet_opener.h"
#include "wire/datagram.h"
#include "wire/intro.h"
#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

using nlohmann::json;
using test::Bytes;
using test::hex;
using test::same;

std::string text_of(const json& object, const char* name) {
  return object.at(name).get<std::string>();
}
Bytes bytes_of(const json& object, const char* name) {
  return hex(text_of(object, name));
}

SymmetricKey symmetric_key(const Bytes& bytes) {
  return SymmetricKey(ByteView(bytes).first<kSymmetricKeySize>());
}

std::vector<json> vectors_of(const std::string& file) {
  std::ifstream stream(std::filesystem::path(godwit::test::source_tree()) / "testdata" / "vectors" / file);
  return json::parse(stream).at("vectors").get<std::vector<json>>();
}

// The ways to one plaintext: in place and copied, with every implementation of the cipher.
void expect_opens_and_seals(const Bytes& datagram, const SymmetricKey& key, const Bytes& plaintext) {
  ASSERT_EQ(classify(datagram), DatagramClass::kSymmetric);
  Nonce nonce;
  std::ranges::copy(ByteView(datagram).subspan(1, kNonceSize), nonce.bytes.begin());
  for (const CipherKind kind : kAllCipherKinds) {
    if (!cipher_available(kind)) continue;
    SCOPED_TRACE(cipher_name(kind));
    PacketOpener opener(make_packet_cipher(kind, key));
    Bytes scratch(datagram.size());
    const auto copied = opener.open_copy(datagram, scratch);
    ASSERT_TRUE(copied);
    EXPECT_EQ(to_hex(*copied), to_hex(plaintext));
    Bytes consumed = datagram;
    const auto opened = opener.open_in_place(consumed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(to_hex(*opened), to_hex(plaintext));

    Bytes sealed(plaintext.size() + kDatagramOverhead);
    sealed[0] = kTypeSymmetric;
    std::ranges::copy(nonce.bytes, sealed.begin() + 1);
    make_packet_cipher(kind, key)->seal(nonce, plaintext, &sealed[1 + kNonceSize]);
    EXPECT_EQ(to_hex(sealed), to_hex(datagram));
  }
}

// A decoded packet as the vectors spell it: field name -> the field's bytes in hexadecimal.
class FieldsOf {
 public:
  explicit FieldsOf(const Packet& packet) {
    add_integer("packet_id", packet.packet_id);
    add_integer("receipt_count", std::uint64_t{packet.acks.size()});
    for (std::size_t i = 0; i < packet.acks.size(); ++i) {
      add_integer("receipt[" + std::to_string(i) + "]", packet.acks[i]);
    }
    std::visit([this](const auto& message) { add(message); }, packet.message);
  }

  [[nodiscard]] const std::map<std::string, std::string>& all() const { return fields_; }
  [[nodiscard]] const std::string& type() const { return type_; }

 private:
  template <typename T>
  void add_integer(const std::string& name, T value) {
    Bytes bytes(sizeof value);
    store_le(bytes.data(), value);
    fields_[name] = to_hex(bytes);
  }
  void add_buffer(const std::string& name, ByteView bytes) {
    add_integer(name + "_len", std::uint64_t{bytes.size()});
    fields_[name] = to_hex(bytes);
  }
  void begin(const char* type, std::uint32_t variant) {
    type_ = type;
    add_integer("variant", variant);
  }

  void add(const AckOk& ack) {
    begin(ack.version ? "AckConnectionV2" : "AckConnection", ack.version ? 6 : 0);
    if (!ack.version) add_integer("result(0=Ok,1=Err)", std::uint32_t{0});
    fields_["key"] = to_hex(ack.key.bytes());
    const bool ipv4 = ack.remote_address.is_ipv4();
    add_integer("remote_addr.family(0=IPv4,1=IPv6)", std::uint32_t{ipv4 ? 0U : 1U});
    fields_["remote_addr.ip(network order)"] = to_hex(ByteView(ack.remote_address.octets()).first(ipv4 ? 4 : 16));
    add_integer("remote_addr.port", ack.remote_address.port());
    if (ack.version) fields_["protoc_version"] = to_hex(*ack.version);
  }
  void add(const AckError& error) {
    begin("AckConnection", 0);
    add_integer("result(0=Ok,1=Err)", std::uint32_t{1});
    add_buffer("text", as_bytes(error.text));
  }
  void add(const ShortMessage& message) {
    begin("ShortMessage", 1);
    add_buffer("payload", message.payload);
  }
  void add(const StreamFragment& fragment) {
    begin("StreamFragment", 2);
    add_integer("stream_id", fragment.stream_id);
    add_integer("total_length_bytes", fragment.total_length);
    add_integer("fragment_number", fragment.number);
    add_buffer("payload", fragment.payload);
    add_integer("metadata_option", std::uint8_t{fragment.metadata ? std::uint8_t{1} : std::uint8_t{0}});
    if (fragment.metadata) add_buffer("metadata", *fragment.metadata);
  }
  void add(const NoOp&) { begin("NoOp", 3); }
  void add(const Ping& ping) {
    begin("Ping", 4);
    add_integer("sequence", ping.sequence);
  }
  void add(const Pong& pong) {
    begin("Pong", 5);
    add_integer("sequence", pong.sequence);
  }
  void add(const UpgradeOffer& offer) {
    begin_upgrade(0, offer.attempt);
    add_integer("caps", offer.capabilities);
  }
  void add(const UpgradeAccept& accept) { begin_upgrade(1, accept.attempt); }
  void add(const UpgradeDecline& decline) {
    begin_upgrade(2, decline.attempt);
    add_integer("reason", decline.reason);
  }
  void begin_upgrade(std::uint32_t control, std::uint32_t attempt) {
    begin("Upgrade", 7);
    add_integer("control(0=Offer,1=Accept,2=Decline)", control);
    add_integer("attempt", attempt);
  }

  std::string type_;
  std::map<std::string, std::string> fields_;
};

// The vectors abbreviate the hexadecimal of a long payload by dots; its length and the complete plaintext are theirs
// too.
void expect_field(const json& field, const std::string& decoded) {
  const auto recorded = text_of(field, "hex");
  const std::size_t dots = recorded.find('.');
  EXPECT_EQ(decoded.size(), 2 * field.at("len").get<std::size_t>()) << text_of(field, "name");
  EXPECT_EQ(decoded.substr(0, dots), recorded.substr(0, dots)) << text_of(field, "name");
}

void check_symmetric(const json& vector) {
  const Bytes datagram = bytes_of(vector, "datagram");
  const Bytes plaintext = bytes_of(vector, "plaintext");
  EXPECT_EQ(to_hex(ByteView(datagram).subspan(1, kNonceSize)), text_of(vector, "nonce"));
  expect_opens_and_seals(datagram, symmetric_key(bytes_of(vector, "aes_key")), plaintext);

  const auto packet = decode(plaintext);
  ASSERT_TRUE(packet) << to_string(packet.error());
  const FieldsOf decoded(*packet);
  EXPECT_EQ(decoded.type(), text_of(vector, "type"));
  // The recorded fields are all fields: none is missing on either side, and they lie back to back.
  std::set<std::string> names;
  std::size_t offset = 0;
  for (const json& field : vector.at("fields")) {
    const auto name = text_of(field, "name");
    names.insert(name);
    ASSERT_TRUE(decoded.all().contains(name)) << name;
    expect_field(field, decoded.all().at(name));
    EXPECT_EQ(field.at("off").get<std::size_t>(), offset) << name;
    offset += field.at("len").get<std::size_t>();
    if (field.contains("value")) {
      const Bytes bytes = bytes_of(field, "hex");
      std::uint64_t value = 0;
      for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
      EXPECT_EQ(field.at("value").get<std::uint64_t>(), value) << name;
    }
  }
  EXPECT_EQ(names.size(), decoded.all().size());
  EXPECT_EQ(offset + packet->trailing.size(), plaintext.size());

  const std::vector<std::uint32_t> acks(packet->acks.begin(), packet->acks.end());
  Bytes again = test::encoded(packet->packet_id, acks, packet->message);
  again.insert(again.end(), packet->trailing.begin(), packet->trailing.end());
  EXPECT_EQ(to_hex(again), to_hex(plaintext));

  const auto quick = peek_fragment(plaintext);
  const auto* const fragment = std::get_if<StreamFragment>(&packet->message);
  EXPECT_EQ(quick.has_value(), fragment != nullptr && !fragment->metadata);
}

void expect_intro_opens(const Bytes& datagram, ByteView recipient_secret, const Bytes& plaintext) {
  ASSERT_EQ(classify(datagram), DatagramClass::kIntro);
  const auto recipient = KeyPair::from_secret(recipient_secret);
  ASSERT_TRUE(recipient);
  Bytes opened(datagram.size() - kIntroOverhead);
  ASSERT_EQ(open_intro(*recipient, datagram, opened), opened.size());
  EXPECT_EQ(to_hex(opened), to_hex(plaintext));

  const auto decoded = decode_intro_plaintext(opened);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(to_hex(decoded->intro.version), to_hex(ByteView(plaintext).first(kVersionSize)));
  EXPECT_EQ(to_hex(decoded->intro.key.bytes()), to_hex(ByteView(plaintext).subspan(kVersionSize, kSymmetricKeySize)));
  EXPECT_TRUE(decoded->trailing.empty());
  Bytes again(kIntroPlaintext);
  encode_intro_plaintext(decoded->intro, MutableBytes(again).first<kIntroPlaintext>());
  EXPECT_EQ(to_hex(again), to_hex(plaintext));
}

void expect_intro_seals(const Bytes& datagram, ByteView recipient_secret, const Bytes& ephemeral,
                        const Bytes& plaintext) {
  const auto recipient = KeyPair::from_secret(recipient_secret);
  ASSERT_TRUE(recipient);
  Bytes sealed(plaintext.size() + kIntroOverhead);
  ASSERT_TRUE(
      seal_intro(recipient->public_key(), SecretKey(ByteView(ephemeral).first<kSecretKeySize>()), plaintext, sealed));
  EXPECT_EQ(to_hex(sealed), to_hex(datagram));
}

void check_intro(const json& vector) {
  const Bytes datagram = bytes_of(vector, "datagram");
  const Bytes plaintext = bytes_of(vector, "plaintext");
  const Bytes secret = bytes_of(vector, "recipient_static_secret");
  expect_intro_opens(datagram, secret, plaintext);
  // Only the reference's own intros come with the ephemeral secret that made them.
  if (vector.contains("ephemeral_secret_before_clamping")) {
    expect_intro_seals(datagram, secret, bytes_of(vector, "ephemeral_secret_before_clamping"), plaintext);
    return;
  }
  const Bytes ephemeral = bytes_of(vector, "ephemeral_public");
  EXPECT_EQ(to_hex(ByteView(datagram).subspan(1, kPublicKeySize)), to_hex(ephemeral));
  std::array<std::uint8_t, kSharedSecretSize> shared{};
  ASSERT_TRUE(x25519(SecretKey(ByteView(secret).first<kSecretKeySize>()),
                     PublicKey(ByteView(ephemeral).first<kPublicKeySize>()), shared));
  EXPECT_EQ(to_hex(shared), text_of(vector, "chacha20poly1305_key_raw_x25519"));
}

void check_file(const std::string& file, std::size_t expected_vectors) {
  const std::vector<json> vectors = vectors_of(file);
  EXPECT_EQ(vectors.size(), expected_vectors);
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    const json& vector = vectors[i];
    SCOPED_TRACE(file + " #" + std::to_string(i) + " " + text_of(vector, "type"));
    EXPECT_EQ(bytes_of(vector, "datagram").size(), vector.at("length").get<std::size_t>());
    if (text_of(vector, "type") == "intro") {
      check_intro(vector);
    } else {
      check_symmetric(vector);
    }
  }
}

TEST(GoldenWire, ReproducesAShortMessageSessionWithAGateway) {
  check_file("gateway_short.json", 10);
}
TEST(GoldenWire, ReproducesAStreamToAGateway) {
  check_file("gateway_stream.json", 8);
}
TEST(GoldenWire, ReproducesASimultaneousOpen) {
  check_file("simultaneous_open.json", 4);
}
TEST(GoldenWire, ReproducesTheReferencePeerAgainstADeployedGateway) {
  check_file("reference_vs_D.json", 16);
}

TEST(GoldenWire, EveryVectorFileIsChecked) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(godwit::test::source_tree()) /
                                                               "testdata" / "vectors")) {
    if (entry.path().extension() == ".json") files.insert(entry.path().filename().string());
  }
  EXPECT_EQ(files, (std::set<std::string>{"gateway_short.json", "gateway_stream.json", "reference_vs_D.json",
                                          "simultaneous_open.json"}));
}

// --- Wire spec appendix A ---

const Bytes kAcceptorSecret(kSecretKeySize, 0x11);
const Bytes kEphemeralSecret(kSecretKeySize, 0x22);
const SocketAddress kInitiator = SocketAddress::ipv4({192, 0, 2, 7}, 31337);
const SocketAddress kAcceptor = SocketAddress::ipv4({203, 0, 113, 9}, 31337);

TEST(GoldenWire, AppendixA1IntroIsOpenedAndReproduced) {
  const auto acceptor = KeyPair::from_secret(kAcceptorSecret);
  ASSERT_TRUE(acceptor);
  EXPECT_EQ(acceptor->public_key().to_hex(), "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13");

  const std::string start = "01 0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20";
  const Bytes current =
      hex(start + "6f341d8b8f6668d0e1f5349e17166be7709da00cad5a3186 b8a9bc1947464f61863d51b1958d3478");
  const Bytes of_0_2_129 =
      hex(start + "6f341d8b946652d0e1f5349e17166be7709da00cad5a3186 a83dd46ac416cb609a02c18741c2c08c");
  const Intro intros[] = {{.version = kAnnouncedVersion, .key = test::key_from(0xb0)},
                          {.version = encode_version({0, 2, 129}, 64), .key = test::key_from(0xb0)}};
  for (const auto& [intro, datagram] : {std::pair{intros[0], current}, std::pair{intros[1], of_0_2_129}}) {
    Bytes plaintext(kIntroPlaintext);
    encode_intro_plaintext(intro, MutableBytes(plaintext).first<kIntroPlaintext>());
    expect_intro_opens(datagram, kAcceptorSecret, plaintext);
    expect_intro_seals(datagram, kAcceptorSecret, kEphemeralSecret, plaintext);
  }
}

struct AppendixVector {
  const char* name;
  std::uint8_t key_from;  // first byte of the counting key
  const char* datagram;
  std::uint32_t packet_id;
  std::vector<std::uint32_t> acks;
  Message message;
};

TEST(GoldenWire, AppendixA2ToA9AreEncodedAndSealedByteForByte) {
  const Bytes vector_of_three = hex("0300000000000000 deadbe");
  const std::vector<AppendixVector> vectors{
      {"A.2 success ack V2",
       0xb0,
       "02 01020304 0000000000000000 908a0844592cea1f15c8f0fec35576e99625e9cf637aced55fbb8b2be3855aa2"
       "e0e7af6d8338b42a22e3c4188ba78f56b90781c6ca211a7bbb9e6dbc10f0f48430ed",
       0,
       {},
       AckOk{test::key_from(0xa0), kInitiator, kAnnouncedVersion}},
      {"A.3 completion ack",
       0xa0,
       "02 0a0b0c0d 0000000000000000 b1d79d44fc00b927306142a7647c6afbc163da91229eb4a224e03af21b2bf8bb"
       "eed1ceec749e9cc6a9476452a13222d7838fe81c4de0245494fdc486b44d",
       0,
       {},
       AckOk{test::key_from(0xb0), kAcceptor, std::nullopt}},
      {"A.4 short message",
       0xa0,
       "02 0a0b0c0d 0100000000000000 dac39a9347494135f64c7c27556075392379594b90f520aa1e972eb325ada6bf"
       "6888c591cdefdf3a18d9a15c595e3cc83cc25d",
       1,
       {},
       ShortMessage{vector_of_three}},
      {"A.5 NoOp with one acknowledgement",
       0xb0,
       "02 01020304 0100000000000000 328230f2f9076d9e0dec2961ad21d32932a8d9a65413d5e2a0e1385cf2b215d4 7854ecbe",
       1,
       {1},
       NoOp{}},
      {"A.6 Ping",
       0xa0,
       "02 0a0b0c0d 0200000000000000 9a3dbee547a5d8aeeda0e7945cfb89d2aa166e654b697bb76af5792f7aaee7cc 317f252a63f23377",
       2,
       {},
       Ping{0}},
      {"A.7 Pong",
       0xb0,
       "02 01020304 0200000000000000 4c09b44cf30602882436c7cddcd5a6fbbdd22784cf13189d48723de75d2175da 8504dd9a2a7b826c",
       2,
       {},
       Pong{0}},
      {"A.8 Upgrade Offer",
       0xb0,
       "02 01020304 0300000000000000 1b6673d26e54e736064eed65bdf8073912a23128cafc8a9a29aa671c3470c9e5"
       "23ece5bc72ec051d44b33127",
       3,
       {},
       UpgradeOffer{1, 0}},
      {"A.9 Upgrade Decline",
       0xa0,
       "02 0a0b0c0d 0300000000000000 750a1e914ba4323f2d06bfc8a6573202585546ca328805ba1cf235492621e43c"
       "460f8db1e016bc19d6",
       3,
       {},
       UpgradeDecline{1, kDeclineDisabled}},
  };
  for (const AppendixVector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Bytes plaintext = test::encoded(vector.packet_id, vector.acks, vector.message);
    expect_opens_and_seals(hex(vector.datagram), test::key_from(vector.key_from), plaintext);
    const auto packet = decode(plaintext);
    ASSERT_TRUE(packet);
    EXPECT_TRUE(same(packet->message, vector.message));
  }
}

}  // namespace
}  // namespace godwit::wire
