// Level 0: plaintext to bytes and back, for every kind of message.

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <numeric>

#include "base/random.h"
#include "benches/suite.h"
#include "wire/fragment.h"
#include "wire/limits.h"
#include "wire/message_codec.h"
#include "wire/version.h"

namespace godwit::bench {
namespace {

using wire::Message;

std::vector<std::uint8_t> random_bytes(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  DeterministicRandom(3).fill(bytes);
  return bytes;
}

// The analysed original's shape: every element appended to a growing vector by itself.
class ElementWise {
 public:
  explicit ElementWise(std::vector<std::uint8_t>& out) : out_(out) {}

  void packet(std::uint32_t packet_id, wire::Acks acks, const Message& message) {
    out_.clear();
    number(packet_id, 4);
    number(acks.size(), 8);
    for (const std::uint32_t ack : acks) number(ack, 4);
    std::visit(*this, message);
  }
  void operator()(const wire::NoOp&) { number(3, 4); }
  void operator()(const wire::AckOk& ack) {
    number(ack.version ? 6 : 0, 4);
    if (!ack.version) number(0, 4);
    bytes(ack.key.bytes());
    number(0, 4);  // an IPv4 address
    bytes(ByteView(ack.remote_address.octets()).first(4));
    number(ack.remote_address.port(), 2);
    if (ack.version) bytes(*ack.version);
  }
  void operator()(const wire::AckError& ack) {
    number(0, 4);
    number(1, 4);
    number(ack.text.size(), 8);
    for (const char character : ack.text) byte(static_cast<std::uint8_t>(character));
  }
  void operator()(const wire::ShortMessage& message) {
    number(1, 4);
    number(message.payload.size(), 8);
    bytes(message.payload);
  }
  void operator()(const wire::StreamFragment& fragment) {
    number(wire::kStreamFragmentVariant, 4);
    number(fragment.stream_id, 4);
    number(fragment.total_length, 8);
    number(fragment.number, 4);
    number(fragment.payload.size(), 8);
    bytes(fragment.payload);
    byte(fragment.metadata ? 1 : 0);
    if (!fragment.metadata) return;
    number(fragment.metadata->size(), 8);
    bytes(*fragment.metadata);
  }
  void operator()(const wire::Ping& ping) { sequence(4, ping.sequence); }
  void operator()(const wire::Pong& pong) { sequence(5, pong.sequence); }
  void operator()(const wire::UpgradeOffer& offer) {
    upgrade(0, offer.attempt);
    number(offer.capabilities, 4);
  }
  void operator()(const wire::UpgradeAccept& accept) { upgrade(1, accept.attempt); }
  void operator()(const wire::UpgradeDecline& decline) {
    upgrade(2, decline.attempt);
    byte(decline.reason);
  }

 private:
  void byte(std::uint8_t value) {
    out_.push_back(value);
    benchmark::ClobberMemory();  // one element at a time, as a serialiser without a bulk path writes them
  }
  void number(std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void bytes(ByteView values) {
    for (const std::uint8_t value : values) byte(value);
  }
  void sequence(std::uint32_t variant, std::uint64_t value) {
    number(variant, 4);
    number(value, 8);
  }
  void upgrade(std::uint32_t step, std::uint32_t attempt) {
    number(7, 4);
    number(step, 4);
    number(attempt, 4);
  }

  std::vector<std::uint8_t>& out_;
};

// What packets are written into: how many instructions a copy takes depends on the alignment of its target, which a
// vector would draw anew with every change of the program.
struct alignas(64) Target : std::array<std::uint8_t, wire::kMaxPlaintext> {};

struct FragmentCase {
  std::vector<std::uint8_t> payload = random_bytes(wire::kFragmentPayload);
  wire::StreamFragment fragment{.stream_id = 9, .total_length = 1'000'000, .number = 3, .payload = payload};
  Target out{};
  wire::FragmentTemplate header{9, 1'000'000};

  // What the shipped codec writes is what all ways must write.
  std::vector<std::uint8_t> expected() const {
    std::vector<std::uint8_t> bytes(wire::kMaxPlaintext);
    static_cast<void>(wire::encode(bytes, 7, {}, fragment));
    return bytes;
  }
  bool is_right() const {
    const std::vector<std::uint8_t> bytes = expected();
    return std::equal(out.begin(), out.end(), bytes.begin(), bytes.end());
  }
};

Case fragment_case(std::string way, std::string title, std::function<void(Bench&, FragmentCase&)> body) {
  return {.name = "level0/serialise/fragment/" + way,
          .title = std::move(title),
          .parameters = {{"bytes", "1130"}},
          .body = [body = std::move(body)](Bench& bench) {
            FragmentCase work;
            bench.outcome.bytes = static_cast<double>(wire::kFragmentPayload);
            bench.outcome.proof = "the bytes of the shipped codec";
            body(bench, work);
          }};
}

void fragment_cases(Cases& cases) {
  cases.push_back(fragment_case("original",
                                "a full fragment, element by element into a vector (the analysed system's shape)",
                                [](Bench& bench, FragmentCase& work) {
                                  std::vector<std::uint8_t> out;
                                  ElementWise(out).packet(7, {}, work.fragment);
                                  bench.outcome.verified = out == work.expected();
                                  bench.outcome.marks.emplace_back("original's shape");
                                  bench.measure([&] { ElementWise(out).packet(7, {}, work.fragment); });
                                }));
  cases.push_back(fragment_case("codec", "a full fragment by the general codec", [](Bench& bench, FragmentCase& work) {
    bench.outcome.verified = wire::encode(work.out, 7, {}, work.fragment) == wire::kMaxPlaintext && work.is_right();
    bench.measure([&] { benchmark::DoNotOptimize(wire::encode(work.out, 7, {}, work.fragment)); });
  }));
  cases.push_back(fragment_case(
      "template", "a full fragment: prepared header, one copy of the payload", [](Bench& bench, FragmentCase& work) {
        const auto write = [&work] {
          work.header.write(work.out.data(), 7, 3, work.payload.size());
          std::memcpy(work.out.data() + wire::kFragmentHeader, work.payload.data(), work.payload.size());
          work.out.back() = wire::kFragmentTail[0];
          benchmark::ClobberMemory();
        };
        write();
        bench.outcome.verified = work.is_right();
        bench.measure(write);
      }));
  cases.push_back(fragment_case("in-place", "a full fragment: prepared header, the payload stays where it is",
                                [](Bench& bench, FragmentCase& work) {
                                  std::array<std::uint8_t, wire::kFragmentHeader> head;
                                  const auto write = [&] {
                                    work.header.write(head.data(), 7, 3, work.payload.size());
                                    benchmark::DoNotOptimize(head);
                                  };
                                  write();
                                  const auto expected = work.expected();
                                  bench.outcome.verified = std::equal(head.begin(), head.end(), expected.begin());
                                  bench.measure(write);
                                }));
  cases.push_back(fragment_case("peek", "read a full fragment by the short path", [](Bench& bench, FragmentCase& work) {
    const auto bytes = work.expected();
    const auto seen = wire::peek_fragment(bytes);
    bench.outcome.verified =
        seen && seen->packet_id == 7 && seen->number == 3 && seen->payload.size() == wire::kFragmentPayload;
    bench.outcome.proof = "reads what was written";
    bench.measure([&] {
      benchmark::ClobberMemory();
      benchmark::DoNotOptimize(wire::peek_fragment(bytes));
    });
  }));
}

struct Kind {
  std::string name;
  Message message;
  std::size_t acks = 0;
};

enum class Way { kOriginal, kTemplate, kCodec };

// Element by element; a packet prepared once, of which only the id changes; and the shipped codec, which writes
// straight to where the packet is sealed.
Case serialise_case(const Kind& kind, Way way, const std::vector<std::uint32_t>& ids) {
  constexpr const char* kNames[] = {"original", "template", "codec"};
  constexpr const char* kTitles[] = {"element by element into a vector (the analysed system's shape)",
                                     "from a packet prepared once", "by the codec, to where it is sealed"};
  const auto index = static_cast<std::size_t>(way);
  return {.name = fmt::format("level0/serialise/{}/{}", kind.name, kNames[index]),
          .title = fmt::format("write a packet, {}, {}", kind.name, kTitles[index]),
          .parameters = {{"kind", kind.name}, {"way", kNames[index]}},
          .body = [kind, way, &ids](Bench& bench) {
            const wire::Acks acks = wire::Acks(ids).first(kind.acks);
            std::vector<std::uint8_t> expected(wire::kMaxPlaintext);
            expected.resize(wire::encode(expected, 7, acks, kind.message));
            const auto packet = wire::decode(expected);
            const bool decodes = !expected.empty() && packet && packet->packet_id == 7 &&
                                 packet->acks.size() == kind.acks && packet->message.index() == kind.message.index();
            Target out{};
            bench.outcome.proof = "the bytes of the shipped codec, which decode to the same kind";
            bench.outcome.bytes = static_cast<double>(expected.size());
            bench.outcome.counts.emplace_back("wire_bytes", static_cast<double>(expected.size()));
            if (way == Way::kOriginal) {
              std::vector<std::uint8_t> grown;
              ElementWise(grown).packet(7, acks, kind.message);
              bench.outcome.verified = decodes && grown == expected;
              bench.outcome.marks.emplace_back("original's shape");
              bench.measure([&] { ElementWise(grown).packet(7, acks, kind.message); });
            } else if (way == Way::kTemplate) {
              std::vector<std::uint8_t> prepared = expected;
              prepared[0] = 99;
              const auto write = [&] {
                std::memcpy(out.data(), prepared.data(), prepared.size());
                store_le<std::uint32_t>(out.data(), 7);
                benchmark::ClobberMemory();
              };
              write();
              bench.outcome.verified = decodes && std::equal(expected.begin(), expected.end(), out.begin());
              bench.outcome.marks.emplace_back("not shipped: for comparison");
              bench.measure(write);
            } else {
              bench.outcome.verified = decodes && wire::encode(out, 7, acks, kind.message) == expected.size() &&
                                       std::equal(expected.begin(), expected.end(), out.begin());
              bench.measure([&] { benchmark::DoNotOptimize(wire::encode(out, 7, acks, kind.message)); });
            }
          }};
}

Case decode_case(const Kind& kind, const std::vector<std::uint32_t>& ids) {
  return {.name = "level0/decode/" + kind.name,
          .title = "read a packet and each of its acknowledgements: " + kind.name,
          .body = [kind, &ids](Bench& bench) {
            const wire::Acks acks = wire::Acks(ids).first(kind.acks);
            std::vector<std::uint8_t> bytes(wire::kMaxPlaintext);
            bytes.resize(wire::encode(bytes, 7, acks, kind.message));
            const auto read = [&bytes] {
              const auto packet = wire::decode(bytes);
              std::uint64_t sum = 0;
              if (packet) {
                for (const std::uint32_t ack : packet->acks) sum += ack;
              }
              return sum;
            };
            const auto packet = wire::decode(bytes);
            bench.outcome.verified = packet && packet->message.index() == kind.message.index() &&
                                     read() == std::accumulate(acks.begin(), acks.end(), std::uint64_t{0});
            bench.outcome.proof = "decodes to the same kind with the same acknowledgements";
            bench.outcome.bytes = static_cast<double>(bytes.size());
            bench.measure([&] {
              benchmark::ClobberMemory();
              benchmark::DoNotOptimize(read());
            });
          }};
}

void message_cases(Cases& cases) {
  static const std::vector<std::uint8_t> kPayload = random_bytes(wire::kShortMessageLimit);
  static const std::array<std::uint8_t, 16> kKey{1, 2, 3};
  static const std::vector<std::uint32_t> kAcks = [] {
    std::vector<std::uint32_t> ids(wire::kMaxAcksPerNoOp);
    std::iota(ids.begin(), ids.end(), 1000U);
    return ids;
  }();
  const SocketAddress address = SocketAddress::ipv4({192, 0, 2, 1}, 31337);
  const std::vector<Kind> kinds = {
      {"short-64", wire::ShortMessage{ByteView(kPayload).first(64)}},
      {"short-1106", wire::ShortMessage{ByteView(kPayload).first(wire::kShortMessageLimit)}},
      {"acks-1", wire::NoOp{}, 1},
      {"acks-32", wire::NoOp{}, 32},
      {"acks-288", wire::NoOp{}, wire::kMaxAcksPerNoOp},
      {"ping", wire::Ping{5}},
      {"pong", wire::Pong{5}},
      {"ack", wire::AckOk{.key = SymmetricKey(std::span<const std::uint8_t, 16>(kKey)),
                          .remote_address = address,
                          .version = wire::kAnnouncedVersion}},
      {"refusal", wire::AckError{"no room for another connection"}},
      {"fragment-1000",
       wire::StreamFragment{
           .stream_id = 9, .total_length = 1'000'000, .number = 3, .payload = ByteView(kPayload).first(1000)}},
      {"fragment-metadata", wire::StreamFragment{.stream_id = 9,
                                                 .total_length = 1'000'000,
                                                 .number = 1,
                                                 .payload = ByteView(kPayload).first(500),
                                                 .metadata = ByteView(kPayload).first(200)}},
      {"upgrade-offer", wire::UpgradeOffer{1, 2}},
      {"upgrade-accept", wire::UpgradeAccept{1}},
      {"upgrade-decline", wire::UpgradeDecline{1, wire::kDeclineDisabled}},
  };
  for (const Kind& kind : kinds) {
    for (const Way way : {Way::kOriginal, Way::kTemplate, Way::kCodec})
      cases.push_back(serialise_case(kind, way, kAcks));
    cases.push_back(decode_case(kind, kAcks));
  }
  cases.push_back(
      {.name = "level0/serialise/short-1106/in-place",
       .title = "write the head of a short message of 1106 bytes, the payload stays where it is",
       .body = [](Bench& bench) {
         std::array<std::uint8_t, wire::kShortMessageOverhead> head{};
         std::vector<std::uint8_t> whole(wire::kMaxPlaintext);
         const ByteView bytes = ByteView(kPayload).first(wire::kShortMessageLimit);
         static_cast<void>(wire::encode(whole, 7, {}, wire::ShortMessage{bytes}));
         bench.outcome.verified = wire::encode_short_message_head(head, 7, {}, bytes.size()) == head.size() &&
                                  std::equal(head.begin(), head.end(), whole.begin());
         bench.outcome.proof = "the bytes of the shipped codec";
         bench.outcome.bytes = static_cast<double>(bytes.size());
         bench.measure([&] { benchmark::DoNotOptimize(wire::encode_short_message_head(head, 7, {}, bytes.size())); });
       }});
}

}  // namespace

void add_level0_wire(Cases& cases) {
  fragment_cases(cases);
  message_cases(cases);
}

}  // namespace godwit::bench
