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
void append_element_wise(std::vector<std::uint8_t>& out, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
void encode_element_wise(std::vector<std::uint8_t>& out, std::uint32_t packet_id,
                         const wire::StreamFragment& fragment) {
  out.clear();
  append_element_wise(out, packet_id, 4);
  append_element_wise(out, 0, 8);
  append_element_wise(out, wire::kStreamFragmentVariant, 4);
  append_element_wise(out, fragment.stream_id, 4);
  append_element_wise(out, fragment.total_length, 8);
  append_element_wise(out, fragment.number, 4);
  append_element_wise(out, fragment.payload.size(), 8);
  for (const std::uint8_t byte : fragment.payload) {
    out.push_back(byte);
    benchmark::ClobberMemory();  // one element at a time, as a serialiser without a bulk path writes them
  }
  out.push_back(0);
}

struct FragmentCase {
  std::vector<std::uint8_t> payload = random_bytes(wire::kFragmentPayload);
  wire::StreamFragment fragment{.stream_id = 9, .total_length = 1'000'000, .number = 3, .payload = payload};
  std::vector<std::uint8_t> out = std::vector<std::uint8_t>(wire::kMaxPlaintext);
  wire::FragmentTemplate header{9, 1'000'000};

  // What the shipped codec writes is what all ways must write.
  std::vector<std::uint8_t> expected() const {
    std::vector<std::uint8_t> bytes(wire::kMaxPlaintext);
    static_cast<void>(wire::encode(bytes, 7, {}, fragment));
    return bytes;
  }
};

Row fragment_row(std::string way, std::string title, std::function<void(Bench&, FragmentCase&)> body) {
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

void fragment_rows(Rows& rows) {
  rows.push_back(fragment_row("original",
                              "a full fragment, element by element into a vector (the analysed system's shape)",
                              [](Bench& bench, FragmentCase& work) {
                                std::vector<std::uint8_t> out;
                                encode_element_wise(out, 7, work.fragment);
                                bench.outcome.verified = out == work.expected();
                                bench.outcome.marks.emplace_back("original's shape");
                                bench.measure([&] { encode_element_wise(out, 7, work.fragment); });
                              }));
  rows.push_back(fragment_row("codec", "a full fragment by the general codec", [](Bench& bench, FragmentCase& work) {
    bench.outcome.verified =
        wire::encode(work.out, 7, {}, work.fragment) == wire::kMaxPlaintext && work.out == work.expected();
    bench.measure([&] { benchmark::DoNotOptimize(wire::encode(work.out, 7, {}, work.fragment)); });
  }));
  rows.push_back(fragment_row(
      "template", "a full fragment: prepared header, one copy of the payload", [](Bench& bench, FragmentCase& work) {
        const auto write = [&work] {
          work.header.write(work.out.data(), 7, 3, work.payload.size());
          std::memcpy(work.out.data() + wire::kFragmentHeader, work.payload.data(), work.payload.size());
          work.out.back() = wire::kFragmentTail[0];
          benchmark::ClobberMemory();
        };
        write();
        bench.outcome.verified = work.out == work.expected();
        bench.measure(write);
      }));
  rows.push_back(fragment_row("in-place", "a full fragment: prepared header, the payload stays where it is",
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
  rows.push_back(fragment_row("peek", "read a full fragment by the short path", [](Bench& bench, FragmentCase& work) {
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
  std::size_t receipts = 0;
};

void message_rows(Rows& rows) {
  static const std::vector<std::uint8_t> kPayload = random_bytes(wire::kShortMessageLimit);
  static const std::array<std::uint8_t, 16> kKey{1, 2, 3};
  static const std::vector<std::uint32_t> kReceipts = [] {
    std::vector<std::uint32_t> ids(wire::kMaxReceiptsPerNoOp);
    std::iota(ids.begin(), ids.end(), 1000U);
    return ids;
  }();
  const SocketAddress address = SocketAddress::ipv4({192, 0, 2, 1}, 31337);
  const std::vector<Kind> kinds = {
      {"short-64", wire::ShortMessage{ByteView(kPayload).first(64)}},
      {"short-1106", wire::ShortMessage{ByteView(kPayload).first(wire::kShortMessageLimit)}},
      {"receipts-1", wire::NoOp{}, 1},
      {"receipts-288", wire::NoOp{}, wire::kMaxReceiptsPerNoOp},
      {"ping", wire::Ping{5}},
      {"pong", wire::Pong{5}},
      {"ack", wire::AckOk{.key = SymmetricKey(std::span<const std::uint8_t, 16>(kKey)),
                          .remote_address = address,
                          .version = wire::kAnnouncedVersion}},
      {"refusal", wire::AckError{"no room for another connection"}},
      {"fragment",
       wire::StreamFragment{
           .stream_id = 9, .total_length = 1'000'000, .number = 3, .payload = ByteView(kPayload).first(1000)}},
      {"fragment-metadata", wire::StreamFragment{.stream_id = 9,
                                                 .total_length = 1'000'000,
                                                 .number = 1,
                                                 .payload = ByteView(kPayload).first(500),
                                                 .metadata = ByteView(kPayload).first(200)}},
      {"upgrade-offer", wire::UpgradeOffer{1, 2}},
      {"upgrade-decline", wire::UpgradeDecline{1, wire::kDeclineDisabled}},
  };
  for (const Kind& kind : kinds) {
    const auto receipts = [count = kind.receipts] { return wire::Receipts(kReceipts).first(count); };
    rows.push_back({.name = "level0/serialise/" + kind.name,
                    .title = "write a packet: " + kind.name,
                    .body = [kind, receipts](Bench& bench) {
                      std::vector<std::uint8_t> out(wire::kMaxPlaintext);
                      const std::size_t size = wire::encode(out, 7, receipts(), kind.message);
                      const auto packet = wire::decode(ByteView(out).first(size));
                      bench.outcome.verified = size > 0 && packet && packet->packet_id == 7 &&
                                               packet->receipts.size() == kind.receipts &&
                                               packet->message.index() == kind.message.index();
                      bench.outcome.proof = "decodes to the same kind";
                      bench.outcome.counts.emplace_back("wire_bytes", static_cast<double>(size));
                      bench.measure([&] { benchmark::DoNotOptimize(wire::encode(out, 7, receipts(), kind.message)); });
                    }});
    rows.push_back({.name = "level0/decode/" + kind.name,
                    .title = "read a packet: " + kind.name,
                    .body = [kind, receipts](Bench& bench) {
                      std::vector<std::uint8_t> out(wire::kMaxPlaintext);
                      out.resize(wire::encode(out, 7, receipts(), kind.message));
                      const auto packet = wire::decode(out);
                      bench.outcome.verified = packet && packet->message.index() == kind.message.index();
                      bench.outcome.proof = "decodes to the same kind";
                      bench.measure([&] {
                        benchmark::ClobberMemory();
                        benchmark::DoNotOptimize(wire::decode(out));
                      });
                    }});
  }
}

}  // namespace

void add_level0_wire(Rows& rows) {
  fragment_rows(rows);
  message_rows(rows);
}

}  // namespace godwit::bench
