#include "wire/version.h"

#include <charconv>
#include <cstddef>
#include <limits>
#include <system_error>

#include "base/bytes.h"

namespace godwit::wire {
namespace {

constexpr std::uint8_t kCurrentFormatMark = 0xff;
constexpr std::uint8_t kCurrentFormat = 1;

// The words that a deployed initiator looks for (wire spec 3.5); the rest of the text is free.
constexpr std::string_view kExpectedVersion = "expected version";
constexpr std::string_view kMismatchText = "remote is using a different protocol version, expected version ";

bool at_least(const std::optional<VersionBytes>& peer, Release threshold) {
  return peer.has_value() && parse_version(*peer).release >= threshold;
}

// Takes a decimal number of at most `limit` from the front of `text`.
template <typename T>
std::optional<T> take_number(std::string_view& text) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || value > std::numeric_limits<T>::max()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stopped - text.data()));
  return static_cast<T>(value);
}

bool take_dot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

}  // namespace

Version parse_version(const VersionBytes& bytes) {
  // A byte 7 other than 1 still is the current format: a later format keeps these fields (wire spec 3.2).
  if (bytes[0] == kCurrentFormatMark && bytes[7] != 0) {
    return Version{.release = {bytes[1], bytes[2], load_be<std::uint16_t>(&bytes[3])},
                   .minimum = Release{bytes[1], bytes[2], load_be<std::uint16_t>(&bytes[5])}};
  }
  return Version{.release = {bytes[0], bytes[1], bytes[2]}, .minimum = std::nullopt};
}

VersionBytes encode_version(Release release, std::uint16_t minimum_patch) {
  const auto high = [](std::uint16_t value) { return static_cast<std::uint8_t>(value >> 8); };
  const auto low = [](std::uint16_t value) { return static_cast<std::uint8_t>(value & 0xff); };
  return {kCurrentFormatMark, release.major,       release.minor,      high(release.patch),
          low(release.patch), high(minimum_patch), low(minimum_patch), kCurrentFormat};
}

bool compatible(const Version& local, const Version& remote) {
  if (local.minimum && remote.release < *local.minimum) return false;
  return !remote.minimum || local.release >= *remote.minimum;
}

bool compatible(const VersionBytes& local, const VersionBytes& remote) {
  return compatible(parse_version(local), parse_version(remote));
}

bool understands_v2_ack(const std::optional<VersionBytes>& peer) {
  return at_least(peer, kFirstWithV2Ack);
}

bool tracks_noops(const std::optional<VersionBytes>& peer) {
  return !at_least(peer, kFirstWithUntrackedNoOps);
}

bool may_use_id_zero(const std::optional<VersionBytes>& peer) {
  return !at_least(peer, kFirstWithIdsFromOne);
}

std::string to_string(Release release) {
  return std::to_string(release.major) + '.' + std::to_string(release.minor) + '.' + std::to_string(release.patch);
}

std::string version_mismatch_text(Release own) {
  return std::string(kMismatchText) + to_string(own);
}

std::optional<std::string_view> expected_version_in(std::string_view text) {
  const std::size_t at = text.find(kExpectedVersion);
  if (at == std::string_view::npos) return std::nullopt;
  return trimmed(text.substr(at + kExpectedVersion.size()));
}

std::optional<Release> parse_release(std::string_view text) {
  const auto major = take_number<std::uint8_t>(text);
  if (!major || !take_dot(text)) return std::nullopt;
  const auto minor = take_number<std::uint8_t>(text);
  if (!minor || !take_dot(text)) return std::nullopt;
  const auto patch = take_number<std::uint16_t>(text);
  if (!patch) return std::nullopt;
  if (!text.empty() && text[0] != '-' && text[0] != '+') return std::nullopt;
  return Release{*major, *minor, *patch};
}

}  // namespace godwit::wire
