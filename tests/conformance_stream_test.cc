// Wire spec section 11, "Application data and streams", at the endpoint with a scripted deployed peer. The rules of
// reassembly alone are tested in src/stream.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/scripted_session.h"

namespace godwit::testing {
namespace {

// The piece of `bytes` that fragment `number` carries.
ByteView piece(const Bytes& bytes, std::uint32_t number) {
  const std::size_t begin = std::size_t{number - 1} * wire::kFragmentPayload;
  return ByteView(bytes).subspan(begin, std::min(wire::kFragmentPayload, bytes.size() - begin));
}

TEST(ConformanceStream, Item53PassesTheSerialisedBytesOnUnchangedBothWays) {
  const Bytes vector = {3, 0, 0, 0, 0, 0, 0, 0, 0xde, 0xad, 0xbe};
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(vector)));
  session.run({});
  const Heard* sent = session.last_heard<wire::ShortMessage>();
  ASSERT_NE(sent, nullptr);
  EXPECT_TRUE(std::ranges::equal(sent->as<wire::ShortMessage>()->payload, vector));
  session.say(1, wire::ShortMessage{vector});
  ASSERT_EQ(session.messages.size(), 1U);
  EXPECT_TRUE(std::ranges::equal(as_bytes(session.messages[0]), vector));
}

TEST(ConformanceStream, Item54SendsAShortMessageUpTo1106BytesAndAStreamAbove) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  const Bytes bytes = pattern(1107);
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(ByteView(bytes).first(1106))));
  session.run({});
  ASSERT_EQ(session.count_heard<wire::ShortMessage>(), 1U);
  EXPECT_EQ(session.count_heard<wire::StreamFragment>(), 0U);
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(bytes)));
  session.run({});
  ASSERT_EQ(session.count_heard<wire::StreamFragment>(), 1U);
  const auto* fragment = session.last_heard<wire::StreamFragment>()->as<wire::StreamFragment>();
  EXPECT_EQ(fragment->number, 1U);
  EXPECT_EQ(fragment->total_length, 1107U);
  EXPECT_EQ(fragment->payload.size(), 1107U);
}

TEST(ConformanceStream, Item54AcceptsShortMessagesUpTo1147BytesAndStreamsOfEveryLength) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  std::uint32_t id = 1;
  for (const std::size_t length : {0U, 1U, 1106U, 1107U, 1147U}) {
    session.say(id++, wire::ShortMessage{pattern(length)});
    ASSERT_FALSE(session.messages.empty());
    EXPECT_EQ(session.messages.back().size(), length);
  }
  std::uint32_t stream = 1;
  for (const std::size_t length : {1U, 2U, 1129U, 1130U, 1131U, 2260U, 2261U}) {
    const Bytes bytes = pattern(length);
    const auto count = static_cast<std::uint32_t>(wire::fragment_count(length));
    for (std::uint32_t n = 1; n <= count; ++n) session.fragment(id++, stream, length, n, piece(bytes, n));
    ++stream;
    ASSERT_TRUE(session.has_event<StreamMessage>());
    EXPECT_EQ(session.last_event<StreamMessage>()->payload, bytes);
  }
  EXPECT_EQ(session.count_events<StreamMessage>(), 7U);
}

TEST(ConformanceStream, Item55CutsStreamsAsTheDeployedPeerDoes) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  const Bytes bytes = pattern(3000);
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(bytes)));
  session.run({});
  ASSERT_EQ(session.count_heard<wire::StreamFragment>(), 3U);
  std::uint32_t number = 1;
  const std::uint32_t stream = session.last_heard<wire::StreamFragment>()->as<wire::StreamFragment>()->stream_id;
  EXPECT_FALSE(wire::is_operations_stream(stream));
  for (const Heard& packet : session.heard) {
    const auto* fragment = packet.as<wire::StreamFragment>();
    if (fragment == nullptr) continue;
    EXPECT_EQ(fragment->stream_id, stream);
    EXPECT_EQ(fragment->total_length, 3000U);
    EXPECT_EQ(fragment->number, number);
    EXPECT_TRUE(std::ranges::equal(fragment->payload, piece(bytes, number)));
    EXPECT_FALSE(fragment->metadata.has_value());
    EXPECT_TRUE(packet.packet.acks.empty());
    ++number;
  }
}

TEST(ConformanceStream, Item56ReassemblesAnyOrderDuplicatesAndInterleaving) {
  for (const DeliveryMode mode : {DeliveryMode::kWhole, DeliveryMode::kChunks}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Config config;
      config.streams.delivery = mode;
      ScriptedSession session(config, wire::kAnnouncedVersion, seed);
      ASSERT_TRUE(session.accept_peer());
      DeterministicRandom random(seed);
      std::map<std::uint32_t, Bytes> streams;
      std::vector<std::pair<std::uint32_t, std::uint32_t>> fragments;  // stream, number
      for (std::uint32_t stream = 1; stream <= 4; ++stream) {
        streams[stream] = pattern(1 + random.below(15'000), stream);
        for (std::uint32_t n = 1; n <= wire::fragment_count(streams[stream].size()); ++n) {
          fragments.emplace_back(stream, n);
          if (random.below(3) == 0) fragments.emplace_back(stream, n);  // the same fragment under another packet id
        }
      }
      for (std::size_t i = fragments.size(); i > 1; --i) std::swap(fragments[i - 1], fragments[random.below(i)]);
      std::uint32_t id = 1;
      for (const auto& [stream, n] : fragments) {
        session.fragment(id++, stream, streams[stream].size(), n, piece(streams[stream], n));
      }
      EXPECT_TRUE(session.open());
      if (mode == DeliveryMode::kWhole) {
        EXPECT_EQ(session.count_events<StreamMessage>(), 4U);
        for (const Event& event : session.events) {
          if (const auto* message = std::get_if<StreamMessage>(&event)) {
            EXPECT_EQ(message->payload, streams[message->stream_id]);
          }
        }
      } else {
        std::map<std::uint32_t, std::uint64_t> arrived;
        for (const Event& event : session.events) {
          const auto* chunk = std::get_if<StreamChunk>(&event);
          if (chunk == nullptr) continue;
          EXPECT_EQ(chunk->offset, arrived[chunk->stream_id]);
          arrived[chunk->stream_id] += chunk->bytes.size();
        }
        for (const auto& [stream, bytes] : streams) EXPECT_EQ(arrived[stream], bytes.size());
      }
    }
  }
}

TEST(ConformanceStream, Item57DropsNumbersOutOfRangeEmptyFragmentsAndBytesBeyondTheTotal) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  const Bytes bytes = pattern(3000);
  std::uint32_t id = 1;
  // ceil(3000 / 1130) + 1 = 4 is the last number that is accepted.
  for (const std::uint32_t number : {0U, 5U, 6U, 0x7fffffffU, 0xffffffffU})
    session.fragment(id++, 1, 3000, number, piece(bytes, 1));
  session.fragment(id++, 1, 3000, 2, {});
  session.fragment(id++, 1, 3000, 1, piece(bytes, 1));
  session.fragment(id++, 1, 3000, 3, piece(bytes, 3));
  session.fragment(id++, 1, 3000, 4, pattern(1200));  // the bytes held would exceed the total
  EXPECT_EQ(session.count_events<StreamMessage>(), 0U);
  session.fragment(id++, 1, 3000, 2, piece(bytes, 2));
  ASSERT_EQ(session.count_events<StreamMessage>(), 1U);
  EXPECT_EQ(session.last_event<StreamMessage>()->payload, bytes);
  // The one more fragment of a stream whose first carries metadata.
  const Bytes short_first = pattern(2000, 5);
  session.fragment(id++, wire::kOperationsBit | 2, 2000, 1, ByteView(short_first).first(800), as_bytes("meta"));
  session.fragment(id++, wire::kOperationsBit | 2, 2000, 2, ByteView(short_first).subspan(800, 1130));
  session.fragment(id++, wire::kOperationsBit | 2, 2000, 3, ByteView(short_first).subspan(1930));
  EXPECT_EQ(session.last_event<StreamMessage>()->payload, short_first);
  session.run(100ms);
  for (std::uint32_t sent = 1; sent < id; ++sent) EXPECT_GE(session.acks_of(sent), 1U) << sent;
}

TEST(ConformanceStream, Item58SurfacesTheMetadataOfAnOperationsStreamOnce) {
  for (const std::size_t first : {0U, 1U, 500U}) {
    ScriptedSession session;
    ASSERT_TRUE(session.accept_peer());
    const Bytes bytes = pattern(1500);
    const Bytes metadata = pattern(1122 - std::min<std::size_t>(first, 1122), 9);
    const std::uint32_t stream = wire::kOperationsBit | 7;
    session.fragment(1, stream, 1500, 1, ByteView(bytes).first(first), metadata);
    session.fragment(2, stream, 1500, 1, ByteView(bytes).first(first), metadata);
    std::uint32_t id = 3;
    std::uint32_t number = 2;
    for (std::size_t at = first; at < bytes.size(); at += 1130) {
      session.fragment(id++, stream, 1500, number++,
                       ByteView(bytes).subspan(at, std::min<std::size_t>(1130, bytes.size() - at)));
    }
    ASSERT_EQ(session.count_events<MetadataReceived>(), 1U);
    EXPECT_EQ(session.last_event<MetadataReceived>()->metadata, metadata);
    EXPECT_EQ(session.last_event<MetadataReceived>()->stream_id, stream);
    ASSERT_EQ(session.count_events<StreamMessage>(), 1U);
    EXPECT_EQ(session.last_event<StreamMessage>()->payload, bytes);
    EXPECT_TRUE(session.messages.empty());
  }
}

TEST(ConformanceStream, Item59TellsOperationsStreamsFromMessages) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  session.fragment(1, 5, 3, 1, as_bytes("abc"));
  ASSERT_EQ(session.count_events<StreamMessage>(), 1U);
  EXPECT_FALSE(session.last_event<StreamMessage>()->operations);
  session.fragment(2, wire::kOperationsBit | 5, 3, 1, as_bytes("xyz"));
  ASSERT_EQ(session.count_events<StreamMessage>(), 2U);
  EXPECT_TRUE(session.last_event<StreamMessage>()->operations);
}

TEST(ConformanceStream, Item60BoundsStreamsWithoutClosingTheConnection) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  std::uint32_t id = 1;
  session.fragment(id++, 1, wire::kMaxStreamBytes, 1, pattern(1130));      // large and legitimate
  session.fragment(id++, 2, wire::kMaxStreamBytes + 1, 1, pattern(1130));  // refused
  session.fragment(id++, 3, ~std::uint64_t{0}, 1, pattern(1130));          // refused
  for (std::uint32_t stream = 4; stream < 1030; ++stream) session.fragment(id++, stream, 10'000, 1, pattern(1130));
  EXPECT_TRUE(session.open());
  EXPECT_EQ(session.statistics().drops.of(trace::DropReason::kStreamRefused), 5U) << "two too long, three too many";
  const Bytes second = pattern(1130);
  session.fragment(id++, 4, 10'000, 2, second);
  session.run(36s);
  // Streams that idle for 30 s are evicted, and the application learns of it.
  EXPECT_EQ(session.count_events<StreamAborted>(), 1024U);
  const Bytes bytes = pattern(1200);
  session.fragment(id++, 5000, 1200, 1, piece(bytes, 1));
  session.fragment(id++, 5000, 1200, 2, piece(bytes, 2));
  EXPECT_EQ(session.count_events<StreamMessage>(), 1U);
}

TEST(ConformanceStream, Item60RefusesFiveThousandStreamsWithoutClosing) {
  // A deployed peer closes at the 4097th remembered refusal (W33); Godwit forgets the oldest.
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  for (std::uint32_t id = 1; id <= 5000; ++id) session.fragment(id, id, ~std::uint64_t{0}, 1, as_bytes("x"));
  EXPECT_TRUE(session.open());
  session.say_text(6000, "x");
  EXPECT_EQ(session.messages.size(), 1U);
}

TEST(ConformanceStream, Item61RefusesEmptyAndTooLongStreamsToItsCaller) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  class Endless final : public BodySource {
    std::optional<ByteView> read(std::uint64_t, std::size_t) override { return std::nullopt; }
  };
  const auto empty = session.endpoint().send(session.now(), session.connection, Body(), {.as = SendAs::kStream});
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, ErrorCode::kInvalidArgument);
  const auto huge = session.endpoint().send(session.now(), session.connection,
                                            Body::from_source(std::make_unique<Endless>(), wire::kMaxStreamBytes + 1));
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, ErrorCode::kTooLarge);
  session.run(1s);
  EXPECT_EQ(session.count_heard<wire::StreamFragment>(), 0U);
  // A received stream of total 0 may be dropped; nothing else happens.
  session.fragment(1, 1, 0, 1, {});
  session.fragment(2, 1, 0, 1, as_bytes("x"));
  EXPECT_TRUE(session.open());
}

TEST(ConformanceStream, Item62NeverEmitsAFirstFragmentThatBreaksARelay) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  const Bytes bytes = pattern(5000);
  const auto too_long = session.endpoint().send(session.now(), session.connection, Body::borrowed(bytes),
                                                {.as = SendAs::kOperationsStream, .metadata = pattern(1121)});
  ASSERT_FALSE(too_long);
  for (std::size_t size = 0; size <= 1120; size += size < 20 || size > 1100 ? 1 : 37) {
    const auto sent = session.endpoint().send(session.now(), session.connection, Body::borrowed(bytes),
                                              {.as = SendAs::kOperationsStream, .metadata = pattern(size)});
    ASSERT_TRUE(sent) << sent.error().message;
    session.run(5ms);
    // Acknowledgement everything, so that the window never closes.
    std::vector<std::uint32_t> acks;
    for (const Heard& packet : session.heard) {
      const auto* fragment = packet.as<wire::StreamFragment>();
      if (fragment == nullptr) continue;
      acks.push_back(packet.id());
      if (fragment->number != 1) {
        EXPECT_FALSE(fragment->metadata.has_value());
        continue;
      }
      ASSERT_TRUE(fragment->metadata.has_value());
      const std::size_t sum = 41 + fragment->payload.size() + fragment->metadata->size();
      EXPECT_FALSE(sum >= 1164 && sum <= 1171) << sum;
      EXPECT_EQ(fragment->payload.size(), 1121 - fragment->metadata->size());
    }
    session.heard.clear();
    for (std::size_t at = 0; at < acks.size(); at += 200) {
      session.say(session.next_answer_id++, wire::NoOp{},
                  std::span(acks).subspan(at, std::min<std::size_t>(200, acks.size() - at)));
    }
  }
}

TEST(ConformanceStream, Item63SendsAFragmentUnderOneIdOnlyAndNoStreamIdTwice) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    ScriptedSession session({}, wire::kAnnouncedVersion, seed);
    ASSERT_TRUE(session.connect_to_peer());
    DeterministicRandom random(seed);
    const Bytes bytes = pattern(30'000);
    std::size_t sent_streams = 0;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> id_of;  // stream and number
    std::map<std::uint32_t, std::pair<std::uint32_t, std::uint32_t>> fragment_of;
    std::size_t copies = 0;
    for (int round = 0; round < 3000; ++round) {
      if (sent_streams < 10) {
        ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(bytes)));
        ++sent_streams;
      }
      session.run(100ms);
      for (const Heard& packet : std::exchange(session.heard, {})) {
        const auto* fragment = packet.as<wire::StreamFragment>();
        if (fragment == nullptr) continue;
        ++copies;
        const std::pair key(fragment->stream_id, fragment->number);
        EXPECT_EQ(id_of.try_emplace(key, packet.id()).first->second, packet.id());
        EXPECT_EQ(fragment_of.try_emplace(packet.id(), key).first->second, key);
        if (random.unit() < 0.3) continue;  // its acknowledgement is lost
        const std::array ack = {packet.id()};
        session.say(session.next_answer_id++, wire::NoOp{}, ack);
      }
      if (session.count_events<MessageConfirmed>() == 10) break;
    }
    EXPECT_EQ(session.count_events<MessageConfirmed>(), 10U);
    EXPECT_GT(copies, id_of.size()) << "nothing was sent again";
    std::set<std::uint32_t> streams;
    for (const auto& [key, id] : id_of) streams.insert(key.first);
    EXPECT_EQ(streams.size(), 10U);
  }
}

}  // namespace
}  // namespace godwit::testing
