// The eight version bytes of an intro and a V2 ack (wire spec 3), the two-sided check that decides whether two peers
// may talk, and the traits that depend on a peer's version. A version is an unauthenticated hint (wire spec W31): a
// wrong one may cost superfluous packets, never correctness.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::wire {

using VersionBytes = std::array<std::uint8_t, 8>;

// A release as it compares: lexicographically by major, minor, patch (wire spec 3.3).
struct Release {
  std::uint8_t major = 0;
  std::uint8_t minor = 0;
  std::uint16_t patch = 0;

  friend constexpr auto operator<=>(const Release&, const Release&) = default;
};

struct Version {
  Release release;
  std::optional<Release> minimum;  // the oldest peer it talks to; the old format has none

  friend constexpr bool operator==(const Version&, const Version&) = default;
};

// What a Godwit announces: 0.2.154 with minimum 0.2.122 (wire spec 3.4).
inline constexpr VersionBytes kAnnouncedVersion{0xff, 0x00, 0x02, 0x00, 0x9a, 0x00, 0x7a, 0x01};

// Thresholds of the deployed history (wire spec 3.4, 3.6).
inline constexpr Release kFirstWithV2Ack{0, 2, 120};
inline constexpr Release kFirstWithUntrackedNoOps{0, 2, 142};
inline constexpr Release kFirstWithIdsFromOne{0, 2, 152};

// Reads either format; every eight bytes are a version (wire spec 3.2).
[[nodiscard]] Version parse_version(const VersionBytes& bytes);

// The current format. The minimum shares major and minor with the release: only its patch is encoded.
[[nodiscard]] VersionBytes encode_version(Release release, std::uint16_t minimum_patch);

// Two-sided (wire spec 3.3): the peer is new enough for us, and we are new enough for it. A side without a minimum
// (the old format) refuses nobody.
[[nodiscard]] bool compatible(const Version& local, const Version& remote);
[[nodiscard]] bool compatible(const VersionBytes& local, const VersionBytes& remote);

// --- Traits of a peer; nothing = version unknown, which counts as older than every threshold (wire spec 3.4) ---

// Decodes AckConnectionV2, so that the first success ack to it carries our version (wire spec 3.4).
[[nodiscard]] bool understands_v2_ack(const std::optional<VersionBytes>& peer);
// Tracks its NoOps, and so needs acknowledgements for them (wire spec 5.2, 5.7).
[[nodiscard]] bool tracks_noops(const std::optional<VersionBytes>& peer);
// May give packet id 0 to data and retransmits its success ack under it (wire spec 5.9).
[[nodiscard]] bool may_use_id_zero(const std::optional<VersionBytes>& peer);

// --- Texts (wire spec 3.5) ---

// "0.2.154".
[[nodiscard]] std::string to_string(Release release);
// Text of the error ack that refuses a peer: "… expected version 0.2.154".
[[nodiscard]] std::string version_mismatch_text(Release own);
// What follows "expected version", trimmed, as a view of `text`; nothing when the words do not occur, which makes the
// error an ordinary refusal. The view may be empty or any text at all: see parse_release.
[[nodiscard]] std::optional<std::string_view> expected_version_in(std::string_view text);
// Reads "0.2.154", a pre-release or build suffix ("-rc.1", "+x") dropped. Nothing if the text is no such version.
[[nodiscard]] std::optional<Release> parse_release(std::string_view text);

}  // namespace godwit::wire
