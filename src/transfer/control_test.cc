#include "transfer/control.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit {
namespace {

template <typename Message>
Message round_trip(const Message& message) {
  static std::vector<std::uint8_t> bytes;  // views of the result point into it
  bytes = encode_control(message);
  const auto decoded = decode_control(bytes);
  EXPECT_TRUE(decoded.has_value());
  const auto* found = std::get_if<Message>(&*decoded);
  EXPECT_NE(found, nullptr);
  return *found;
}

std::array<std::uint8_t, kSha256Size> some_hash() {
  std::array<std::uint8_t, kSha256Size> hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<std::uint8_t>(3 * i);
  return hash;
}

TEST(Control, AFolderAndAResumedFileAreOptionalFieldsAtTheEnd) {
  const FileOffer plain{.transfer = 1, .size = 2, .name = "a"};
  const FileAttributes attributes{.mode = 0640};
  const auto offer = round_trip(
      FileOffer{.transfer = 1, .size = 2, .name = "a/b", .attributes = attributes, .group = 1ull << 60, .resume = 3});
  EXPECT_EQ(offer.group, 1ull << 60);
  EXPECT_EQ(offer.resume, 3U);
  EXPECT_EQ(offer.attributes, attributes);
  EXPECT_EQ(round_trip(FileOffer{.transfer = 1, .size = 2, .name = "a", .resume = 1}).attributes, FileAttributes{});
  // Who sends neither says no more than an older peer did.
  EXPECT_EQ(encode_control(plain).size(), 4U + 1 + 8 + 8 + 2 + 1);
  auto cut = encode_control(FileOffer{.transfer = 1, .size = 2, .name = "a/b", .group = 9});
  cut.pop_back();
  EXPECT_EQ(std::get<FileOffer>(*decode_control(cut)).group, 0U);
  const auto accept = round_trip(FileAccept{.transfer = 1, .window = 2, .held = 1ull << 33, .held_hash = some_hash()});
  EXPECT_EQ(accept.held, 1ull << 33);
  EXPECT_EQ(accept.held_hash, some_hash());
  EXPECT_EQ(accept.files, 0U);
  const std::string path(1024, 'p');
  EXPECT_EQ(round_trip(FileOffer{.transfer = 1, .size = 2, .name = path, .group = 9}).name, path);
}

TEST(Control, EveryMessageSurvivesARoundTrip) {
  const auto offer = round_trip(FileOffer{.transfer = 1, .size = 1ull << 40, .name = "a name.txt"});
  EXPECT_EQ(offer.transfer, 1U);
  EXPECT_EQ(offer.size, 1ull << 40);
  EXPECT_EQ(offer.name, "a name.txt");
  EXPECT_EQ(round_trip(FileAccept{2, 77}).window, 77U);
  const auto refusal = round_trip(FileRefuse{3, RefuseCode::kNoSpace, "full"});
  EXPECT_EQ(refusal.code, RefuseCode::kNoSpace);
  EXPECT_EQ(refusal.text, "full");
  const auto credit = round_trip(StreamCredit{.stream = 0x80000001, .limit = 1ull << 33});
  EXPECT_EQ(credit.stream, 0x80000001U);
  EXPECT_EQ(credit.limit, 1ull << 33);
  EXPECT_EQ(round_trip(FileFinish{4, some_hash()}).hash, some_hash());
  EXPECT_EQ(round_trip(FileConfirm{5, some_hash()}).hash, some_hash());
  EXPECT_EQ(round_trip(FileCancel{6, "why"}).text, "why");
  const auto start = round_trip(PerfStart{.session = 7,
                                          .flags = 5,
                                          .congestion = 3,
                                          .streams = 9,
                                          .stream_bytes = 16 << 20,
                                          .duration_ms = 10'000,
                                          .rate = 100'000'000,
                                          .target_bytes = 12,
                                          .window = 13,
                                          .progress_ms = 14});
  EXPECT_EQ(start.session, 7U);
  EXPECT_EQ(start.flags, 5U);
  EXPECT_EQ(start.congestion, 3U);
  EXPECT_EQ(start.streams, 9U);
  EXPECT_EQ(start.stream_bytes, 16U << 20);
  EXPECT_EQ(start.duration_ms, 10'000U);
  EXPECT_EQ(start.rate, 100'000'000U);
  EXPECT_EQ(start.target_bytes, 12U);
  EXPECT_EQ(start.window, 13U);
  EXPECT_EQ(start.progress_ms, 14U);
  EXPECT_EQ(round_trip(PerfReady{8, 9}).window, 9U);
  EXPECT_EQ(round_trip(PerfEnd{10}).session, 10U);
  EXPECT_EQ(round_trip(PerfEnd{10, 1}).cut, 1U);
  EXPECT_EQ(round_trip(PerfStop{16}).session, 16U);
  const std::vector<PerfCutEntry> entries(kMaxCutEntries, {3, 1ull << 40, PerfCutEntry::kWhole});
  const auto cut = round_trip(PerfCut{.session = 17, .index = 1, .pieces = 2, .entries = entries});
  EXPECT_EQ(cut.pieces, 2U);
  EXPECT_EQ(cut.entries, entries);
  const std::vector<std::uint64_t> of_streams(kMaxProgressStreams, 1ull << 41);
  const auto progress = round_trip(PerfProgress{18, 1ull << 42, 5, 6, of_streams});
  EXPECT_EQ(progress.bytes, 1ull << 42);
  EXPECT_EQ(progress.first_logical, 6U);
  EXPECT_EQ(progress.logical_bytes, of_streams);
  const auto result = round_trip(PerfResult{11, 1, 2, 3, 4, 5});
  EXPECT_EQ(result.received_digest, 4U);
  EXPECT_EQ(result.details, 5U);
  const auto details = round_trip(PerfDetails{11, 6, "{}"});
  EXPECT_EQ(details.index, 6U);
  EXPECT_EQ(details.text, "{}");
  EXPECT_EQ(round_trip(PerfBusy{12, "busy"}).text, "busy");
  EXPECT_EQ(round_trip(PerfRenew{13}).session, 13U);
  const std::array<std::uint8_t, 3> padding = {1, 2, 3};
  EXPECT_EQ(round_trip(EchoRequest{14, padding}).padding.size(), 3U);
  EXPECT_EQ(round_trip(EchoReply{15, {}}).sequence, 15U);
}

TEST(Control, BytesAreThoseOfTheDocument) {
  EXPECT_EQ(to_hex(encode_control(StreamCredit{.stream = 0x01020304, .limit = 5})),
            "475754010404030201"
            "0500000000000000");
  EXPECT_EQ(to_hex(encode_control(FileOffer{.transfer = 1, .size = 2, .name = "ab"})),
            "4757540101"
            "0100000000000000"
            "0200000000000000"
            "0200"
            "6162");
  EXPECT_EQ(to_hex(encode_control(PerfEnd{9})),
            "4757540112"
            "0900000000000000");
}

TEST(Control, OptionalFieldsTravelAndMayBeMissing) {
  const FileAttributes attributes{.mode = 0755, .modified = FileTime{.seconds = -5, .nanoseconds = 999'999'999}};
  const FileOffer offer{.transfer = 1, .size = 2, .name = "ab", .attributes = attributes};
  EXPECT_EQ(round_trip(offer).attributes, attributes);
  EXPECT_EQ(to_hex(encode_control(offer)),
            "4757540101"
            "0100000000000000"
            "0200000000000000"
            "0200"
            "6162"
            "03"
            "ed01"
            "fbffffffffffffff"
            "ffc99a3b");
  const FileOffer mode_alone{.transfer = 1, .size = 2, .name = "ab", .attributes = {.mode = 0600}};
  EXPECT_EQ(round_trip(mode_alone).attributes, mode_alone.attributes);
  // An offer that is cut within them is one without them: an older sender says nothing of the kind.
  std::vector<std::uint8_t> bytes = encode_control(offer);
  while (bytes.size() > encode_control(FileOffer{.transfer = 1, .size = 2, .name = "ab"}).size()) {
    bytes.pop_back();
    const auto decoded = decode_control(bytes);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(std::get<FileOffer>(*decoded).attributes, FileAttributes{});
  }
  EXPECT_EQ(round_trip(FileAccept{.transfer = 1, .window = 2, .files = 64}).files, 64U);
  EXPECT_EQ(round_trip(FileAccept{.transfer = 1, .window = 2}).files, 0U);
}

TEST(Control, NoSpecialPermissionAndNoImpossibleTimeIsRead) {
  const FileOffer offer{.transfer = 1, .size = 2, .name = "ab", .attributes = {.mode = 0, .modified = FileTime{}}};
  std::vector<std::uint8_t> bytes = encode_control(offer);
  const std::size_t mode = bytes.size() - 14;
  bytes[mode] = bytes[mode + 1] = 0xff;  // setuid, setgid, sticky and bits that mean nothing
  for (std::size_t i = 1; i <= 4; ++i) bytes[bytes.size() - i] = 0xff;
  const auto decoded = decode_control(bytes);
  ASSERT_TRUE(decoded.has_value());
  const FileAttributes read = std::get<FileOffer>(*decoded).attributes;
  EXPECT_EQ(read.mode, 0777);
  EXPECT_FALSE(read.modified.has_value());
}

TEST(Control, EveryTruncationIsTruncatedAndNothingElse) {
  const std::vector<ControlMessage> messages = {FileOffer{1, 2, "name"},
                                                FileAccept{1, 2},
                                                FileRefuse{1, RefuseCode::kName, "x"},
                                                StreamCredit{1, 2},
                                                FileFinish{1, some_hash()},
                                                FileCancel{1, "x"},
                                                FileConfirm{1, some_hash()},
                                                PerfStart{},
                                                PerfReady{1, 2},
                                                PerfEnd{1},
                                                PerfResult{1, 2, 3, 4, 5, 6},
                                                PerfDetails{1, 2, ""},
                                                PerfBusy{1, "x"},
                                                PerfRenew{1},
                                                PerfStop{1},
                                                PerfCut{1, 2, 3, {}},
                                                PerfProgress{1, 2, 3, 4, {}},
                                                EchoRequest{1, {}},
                                                EchoReply{1, {}}};
  for (const ControlMessage& message : messages) {
    const std::vector<std::uint8_t> bytes = encode_control(message);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      const auto decoded = decode_control(ByteView(bytes).first(length));
      ASSERT_FALSE(decoded.has_value()) << message.index() << " " << length;
      EXPECT_EQ(decoded.error(), length < 4 ? ControlError::kNotControl : ControlError::kTruncated);
    }
  }
}

TEST(Control, RandomBytesBehindTheMagicAreHarmless) {
  DeterministicRandom random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::uint8_t> bytes(5 + random.below(80));
    random.fill(bytes);
    std::copy(kControlMagic.begin(), kControlMagic.end(), bytes.begin());
    if (const auto decoded = decode_control(bytes)) static_cast<void>(encode_control(*decoded));
  }
}

TEST(Control, AnUnknownTypeIsSaidToBeOne) {
  std::vector<std::uint8_t> bytes(kControlMagic.begin(), kControlMagic.end());
  bytes.push_back(99);
  EXPECT_EQ(decode_control(bytes).error(), ControlError::kUnknownType);
}

TEST(Control, TextsAreCutAndNeverTooLongForOneMessage) {
  const std::string text(5000, 'x');
  EXPECT_LE(encode_control(FileCancel{1, text}).size(), 1106U);
  EXPECT_EQ(round_trip(FileCancel{1, text}).text.size(), kMaxControlText);
  std::string cyrillic = "x";
  while (cyrillic.size() <= kMaxControlText) cyrillic += "\u0436";
  EXPECT_EQ(round_trip(FileCancel{1, cyrillic}).text, std::string_view(cyrillic).substr(0, kMaxControlText - 1));
  EXPECT_LE(encode_control(PerfCut{1, 2, 3, std::vector<PerfCutEntry>(kMaxCutEntries)}).size(), 1106U);
  EXPECT_LE(encode_control(PerfProgress{1, 2, 3, 4, std::vector<std::uint64_t>(kMaxProgressStreams)}).size(), 1106U);
}

}  // namespace
}  // namespace godwit
