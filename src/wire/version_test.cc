#include "wire/version.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "base/random.h"

namespace godwit::wire {
namespace {

bool accepted(const VersionBytes& peer) {
  return compatible(kAnnouncedVersion, peer);
}

TEST(Version, AnnouncesTheCurrentFormatOf_0_2_154_WithMinimum_0_2_122) {  // checklist 20
  EXPECT_EQ(encode_version({0, 2, 154}, 122), kAnnouncedVersion);
  const Version version = parse_version(kAnnouncedVersion);
  EXPECT_EQ(version.release, (Release{0, 2, 154}));
  EXPECT_EQ(version.minimum, (Release{0, 2, 122}));
}

TEST(Version, AnnouncesNothingThatCostsAcksForNoOps) {  // wire spec 3.4
  EXPECT_FALSE(tracks_noops(kAnnouncedVersion));
  EXPECT_LE(*parse_version(kAnnouncedVersion).minimum, (Release{0, 2, 122}));
}

TEST(Version, ReadsEveryNonZeroFormatByteAsTheCurrentFormat) {  // checklist 21
  for (unsigned format = 1; format < 256; ++format) {
    VersionBytes bytes = kAnnouncedVersion;
    bytes[7] = static_cast<std::uint8_t>(format);
    EXPECT_EQ(parse_version(bytes), parse_version(kAnnouncedVersion));
  }
}

TEST(Version, ReadsTheOldFormatFromThreeBytes) {  // checklist 21
  const Version old{.release = {0, 2, 122}, .minimum = std::nullopt};
  EXPECT_EQ(parse_version({0x00, 0x02, 0x7a, 0x00, 0x00, 0x00, 0x00, 0x00}), old);
  EXPECT_EQ(parse_version({0x00, 0x02, 0x7a, 0x01, 0x02, 0x03, 0x04, 0x05}), old);
}

TEST(Version, ReadsAnOldFormatWhenTheFormatByteIsZero) {
  const Version version = parse_version({0xff, 0x01, 0x02, 0x00, 0x9a, 0x00, 0x7a, 0x00});
  EXPECT_EQ(version, (Version{.release = {255, 1, 2}, .minimum = std::nullopt}));
}

TEST(Version, PatchesAreBigEndian) {
  const Version version = parse_version({0xff, 0x01, 0x02, 0x12, 0x34, 0x56, 0x78, 0x01});
  EXPECT_EQ(version.release, (Release{1, 2, 0x1234}));
  EXPECT_EQ(version.minimum, (Release{1, 2, 0x5678}));
  EXPECT_EQ(encode_version({1, 2, 0x1234}, 0x5678), (VersionBytes{0xff, 0x01, 0x02, 0x12, 0x34, 0x56, 0x78, 0x01}));
}

TEST(Version, ChecksCompatibilityOnBothSides) {                              // checklist 22
  EXPECT_TRUE(accepted({0xff, 0x00, 0x02, 0x00, 0x7a, 0x00, 0x40, 0x01}));   // 0.2.122, minimum 0.2.64
  EXPECT_FALSE(accepted({0xff, 0x00, 0x02, 0x00, 0x79, 0x00, 0x40, 0x01}));  // 0.2.121
  EXPECT_TRUE(accepted(encode_version({0, 2, 200}, 154)));
  EXPECT_FALSE(accepted(encode_version({0, 2, 200}, 155)));
  EXPECT_FALSE(accepted(encode_version({0, 3, 0}, 0)));
  EXPECT_TRUE(accepted({0x00, 0x02, 0x7a, 0, 0, 0, 0, 0}));   // old format, 0.2.122
  EXPECT_FALSE(accepted({0x00, 0x02, 0x79, 0, 0, 0, 0, 0}));  // old format, 0.2.121
  EXPECT_FALSE(accepted(encode_version({0, 1, 999}, 0)));
  EXPECT_FALSE(accepted({0x00, 0x01, 0xff, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(accepted(kAnnouncedVersion));
}

TEST(Version, AnOldFormatPeerMayBeNewerBecauseItNamesNoMinimum) {
  EXPECT_TRUE(accepted({0x00, 0x03, 0x00, 0, 0, 0, 0, 0}));
}

TEST(Version, CompatibilityIsSymmetricForCurrentFormats) {
  DeterministicRandom random(20);
  for (int round = 0; round < 10'000; ++round) {
    const auto any = [&] {
      const Release release{0, static_cast<std::uint8_t>(random.below(3)), static_cast<std::uint16_t>(random.below(6))};
      return encode_version(release, static_cast<std::uint16_t>(random.below(6)));
    };
    const VersionBytes a = any();
    const VersionBytes b = any();
    EXPECT_EQ(compatible(a, b), compatible(b, a));
  }
}

TEST(Version, ComparesLexicographically) {
  EXPECT_LT((Release{0, 2, 65535}), (Release{0, 3, 0}));
  EXPECT_LT((Release{0, 255, 65535}), (Release{1, 0, 0}));
  EXPECT_LT((Release{0, 2, 99}), (Release{0, 2, 100}));
}

TEST(Version, TraitsChangeExactlyAtTheirReleases) {  // wire spec 3.4, 3.6
  const auto release = [](std::uint16_t patch) { return std::optional(encode_version({0, 2, patch}, 64)); };
  EXPECT_FALSE(understands_v2_ack(release(119)));
  EXPECT_TRUE(understands_v2_ack(release(120)));
  EXPECT_TRUE(tracks_noops(release(141)));
  EXPECT_FALSE(tracks_noops(release(142)));
  EXPECT_TRUE(may_use_id_zero(release(151)));
  EXPECT_FALSE(may_use_id_zero(release(152)));
}

TEST(Version, AnUnknownVersionIsOlderThanEveryThreshold) {
  EXPECT_FALSE(understands_v2_ack(std::nullopt));
  EXPECT_TRUE(tracks_noops(std::nullopt));
  EXPECT_TRUE(may_use_id_zero(std::nullopt));
}

TEST(Version, WritesTheMismatchTextOfDeployedPeers) {  // wire spec 2.3: 70 bytes
  EXPECT_EQ(version_mismatch_text({0, 2, 154}),
            "remote is using a different protocol version, expected version 0.2.154");
  EXPECT_EQ(version_mismatch_text({0, 2, 154}).size(), 70U);
}

TEST(Version, FindsTheExpectedVersionInAnErrorText) {  // checklist 24
  EXPECT_EQ(expected_version_in(version_mismatch_text({0, 2, 154})), "0.2.154");
  EXPECT_EQ(expected_version_in("expected version \t 0.2.9 \r\n"), "0.2.9");
  EXPECT_EQ(expected_version_in("expected version"), "");
  EXPECT_EQ(expected_version_in("expected version  nonsense "), "nonsense");
  EXPECT_EQ(expected_version_in("closed by the application"), std::nullopt);
  EXPECT_EQ(expected_version_in(""), std::nullopt);
}

TEST(Version, ReadsReleasesFromText) {
  EXPECT_EQ(parse_release("0.2.154"), (Release{0, 2, 154}));
  EXPECT_EQ(parse_release("255.255.65535"), (Release{255, 255, 65535}));
  EXPECT_EQ(parse_release("0.2.154-rc.1"), (Release{0, 2, 154}));
  EXPECT_EQ(parse_release("0.2.154+build"), (Release{0, 2, 154}));
  for (const auto* text : {"", "0", "0.2", "0.2.", ".2.1", "0.2.65536", "256.0.0", "0.2.154 ", "-1.2.3", "0.2.1x",
                           "a.b.c", "0..1", "99999999999999999999.0.0"}) {
    EXPECT_EQ(parse_release(text), std::nullopt) << text;
  }
}

TEST(Version, ReleasesSurviveTheirText) {
  DeterministicRandom random(7);
  for (int round = 0; round < 1'000; ++round) {
    const Release release{static_cast<std::uint8_t>(random.below(256)), static_cast<std::uint8_t>(random.below(256)),
                          static_cast<std::uint16_t>(random.below(65536))};
    EXPECT_EQ(parse_release(to_string(release)), release);
  }
}

}  // namespace
}  // namespace godwit::wire
