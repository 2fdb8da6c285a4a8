// The two forms of a session: the deployed one, and the extended one between two Godwits (docs/extended_sessions.md).
// Which one a connection uses is settled by its handshake and reported with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace godwit {

// Whether this side offers and answers the extended form.
enum class ExtendedPolicy : std::uint8_t {
  kOff,     // neither
  kAuto,    // both, and a peer that has no extended form gets the deployed one
  kRequire  // both, and a peer that has no extended form is not connected to
};

// "off", "auto" or "require", as options name it.
[[nodiscard]] constexpr std::optional<ExtendedPolicy> parse_extended_policy(std::string_view name) {
  if (name == "off") return ExtendedPolicy::kOff;
  if (name == "auto") return ExtendedPolicy::kAuto;
  if (name == "require") return ExtendedPolicy::kRequire;
  return std::nullopt;
}

enum class SessionForm : std::uint8_t { kLegacy, kExtended };

// Why a session has the deployed form.
enum class FallbackReason : std::uint8_t {
  kNone,         // it has the extended form
  kDisabled,     // this side does not offer the other one
  kNotOffered,   // the peer's intro carries no extension
  kNotAnswered,  // the peer's acknowledgement carries none, or the peer has said nothing but ordinary packets
  kMalformed,    // the peer's extension cannot be read, or does not authenticate
  kLaterVersion  // the peer's extension has a version that this side does not know
};

[[nodiscard]] constexpr std::string_view session_form_name(SessionForm form) {
  return form == SessionForm::kExtended ? "extended" : "legacy";
}

[[nodiscard]] constexpr std::string_view fallback_reason_name(FallbackReason reason) {
  switch (reason) {
    case FallbackReason::kNone: return "";
    case FallbackReason::kDisabled: return "disabled";
    case FallbackReason::kNotOffered: return "not offered by the peer";
    case FallbackReason::kNotAnswered: return "not answered by the peer";
    case FallbackReason::kMalformed: return "malformed extension";
    case FallbackReason::kLaterVersion: return "later version";
  }
  return "";
}

}  // namespace godwit
