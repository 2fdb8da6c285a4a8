// Control messages of Godwit's own protocol above the transport (docs/file_transfer.md section 1): offers, credit,
// performance runs, echoes. Each is one short message, or a small stream where it does not fit one. Values <-> bytes;
// used by the senders and receivers of this folder. Views of a decoded message point into its bytes.
// Invariant: decoding is total: any bytes yield a message or the reason why not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "transport/endpoint.h"

namespace godwit {

inline constexpr std::array<std::uint8_t, 4> kControlMagic = {0x47, 0x57, 0x54, 0x01};  // "GWT", version 1
// A message that is longer is truncated text, or a protocol error.
inline constexpr std::size_t kMaxControlBytes = 64 * 1024;
// Most bytes of a text for a person in a refusal or a cancellation.
inline constexpr std::size_t kMaxControlText = 512;
inline constexpr std::size_t kSha256Size = 32;
// The details of a performance run's result travel as short messages: a stream would need a key below its soft limit.
inline constexpr std::size_t kPerfDetailBytes = 1000;
inline constexpr std::uint16_t kMaxPerfDetails = 16;
// Of one message each, which has to stay short for the same reason.
inline constexpr std::size_t kMaxCutEntries = 55;
inline constexpr std::size_t kMaxProgressStreams = 128;

enum class ControlType : std::uint8_t {
  kOffer = 1,
  kAccept = 2,
  kRefuse = 3,
  kCredit = 4,
  kFinish = 5,
  kConfirm = 6,
  kCancel = 7,
  kPerfStart = 16,
  kPerfReady = 17,
  kPerfEnd = 18,
  kPerfResult = 19,
  kPerfBusy = 20,
  kPerfRenew = 21,
  kPerfDetails = 22,
  kPerfStop = 23,
  kPerfCut = 24,
  kPerfProgress = 25,
  kEchoRequest = 32,
  kEchoReply = 33,
};

enum class RefuseCode : std::uint8_t {
  kName = 1,
  kTooLarge = 2,
  kNoSpace = 3,
  kTooMany = 4,
  kNotAllowed = 5,
  kOther = 6,
};

// A file's time of modification, since 1970; nanoseconds below 1e9.
struct FileTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;

  friend bool operator==(const FileTime&, const FileTime&) = default;
};
// What a file has beside its name and its bytes. Optional on the wire: absent where the sender does not say it.
struct FileAttributes {
  static constexpr std::uint16_t kPermissionBits = 0777;

  std::optional<std::uint16_t> mode{};  // kPermissionBits alone
  std::optional<FileTime> modified{};

  friend bool operator==(const FileAttributes&, const FileAttributes&) = default;
};

struct FileOffer {
  static constexpr std::uint8_t kResume = 1;  // what the receiver holds of the file may be gone on from
  static constexpr std::uint8_t kAnew = 2;    // with kResume: what it holds is to be forgotten

  std::uint64_t transfer = 0;
  std::uint64_t size = 0;
  std::string_view name;  // of something in a folder: a path (refuse_file_path)
  FileAttributes attributes{};
  // What belongs to one folder has the same number, which is hard to guess; 0: a file by itself. Optional on the wire.
  std::uint64_t group = 0;
  std::uint8_t resume = 0;
};
struct FileAccept {
  std::uint64_t transfer = 0;
  std::uint64_t window = 0;  // of each of its streams, bytes
  // Files that this receiver lets one connection have unfinished; 0 where it does not say (optional on the wire).
  std::uint16_t files = 0;
  // The beginning of the file that the receiver holds already, and its SHA-256 (optional on the wire).
  std::uint64_t held = 0;
  std::array<std::uint8_t, kSha256Size> held_hash{};
};
struct FileRefuse {
  std::uint64_t transfer = 0;
  RefuseCode code = RefuseCode::kOther;
  std::string_view text;
};
struct StreamCredit {
  std::uint32_t stream = 0;  // the wire's id
  std::uint64_t limit = 0;   // bytes of it that may have been sent
};
struct FileFinish {
  std::uint64_t transfer = 0;
  std::array<std::uint8_t, kSha256Size> hash{};
};
struct FileConfirm {
  std::uint64_t transfer = 0;
  std::array<std::uint8_t, kSha256Size> hash{};
};
struct FileCancel {
  std::uint64_t transfer = 0;
  std::string_view text;
};
struct PerfStart {
  static constexpr std::uint8_t kClientSends = 1;
  static constexpr std::uint8_t kServerSends = 2;
  static constexpr std::uint8_t kDigest = 4;

  std::uint64_t session = 0;
  std::uint8_t flags = 0;
  std::uint8_t congestion = 0;     // 0: the server's own choice, else a CongestionKind
  std::uint16_t streams = 0;       // logical streams a direction
  std::uint64_t stream_bytes = 0;  // of each transport stream, without its header
  std::uint32_t duration_ms = 0;
  std::uint64_t rate = 0;          // application bits per second a direction; 0: no limit
  std::uint64_t target_bytes = 0;  // a direction; 0: by time
  std::uint64_t window = 0;        // of streams to the client
  std::uint32_t progress_ms = 0;   // between PerfProgress messages that the client wants; 0: none
};
struct PerfReady {
  std::uint64_t session = 0;
  std::uint64_t window = 0;  // of streams to the server
};
struct PerfEnd {
  std::uint64_t session = 0;
  // Streams were given up in the middle: the receiver counts nothing more, and says in PerfCut what it has of each.
  std::uint8_t cut = 0;
};
struct PerfResult {
  std::uint64_t session = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t sent_digest = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t received_digest = 0;
  std::uint16_t details = 0;  // number of PerfDetails
};
// A piece of the JSON text that goes with a result; pieces may overtake each other and the result.
struct PerfDetails {
  std::uint64_t session = 0;
  std::uint16_t index = 0;
  std::string_view text;
};
struct PerfBusy {
  std::uint64_t session = 0;
  std::string_view text;
};
// The client wants the server to stop sending now.
struct PerfStop {
  std::uint64_t session = 0;
};
// What the receiver has of the streams of each logical stream: all of those before the first that is named, `bytes` of
// one that is named, nothing of the others. Pieces may overtake each other.
struct PerfCutEntry {
  static constexpr std::uint64_t kWhole = UINT64_MAX;

  std::uint16_t logical = 0;
  std::uint64_t sequence = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const PerfCutEntry&, const PerfCutEntry&) = default;
};
struct PerfCut {
  std::uint64_t session = 0;
  std::uint16_t index = 0;
  std::uint16_t pieces = 0;
  std::vector<PerfCutEntry> entries;
};
// What a server has received so far: in all, in which time since the first byte, and of a number of logical streams.
struct PerfProgress {
  std::uint64_t session = 0;
  std::uint64_t bytes = 0;
  std::uint64_t elapsed_ns = 0;
  std::uint16_t first_logical = 0;
  std::vector<std::uint64_t> logical_bytes;
};
struct PerfRenew {
  std::uint64_t session = 0;
};
struct EchoRequest {
  std::uint64_t sequence = 0;
  ByteView padding;
};
struct EchoReply {
  std::uint64_t sequence = 0;
  ByteView padding;
};

using ControlMessage = std::variant<FileOffer, FileAccept, FileRefuse, StreamCredit, FileFinish, FileConfirm,
                                    FileCancel, PerfStart, PerfReady, PerfEnd, PerfResult, PerfBusy, PerfRenew,
                                    PerfDetails, PerfStop, PerfCut, PerfProgress, EchoRequest, EchoReply>;

enum class ControlError : std::uint8_t {
  kNotControl,  // no magic: an application's own message
  kUnknownType,
  kTruncated,  // shorter than its fields
};

[[nodiscard]] std::expected<ControlMessage, ControlError> decode_control(ByteView bytes);
// Texts above kMaxControlText are cut, not inside a character.
[[nodiscard]] std::vector<std::uint8_t> encode_control(const ControlMessage& message);
[[nodiscard]] bool is_control(ByteView bytes);

// The bytes of an echo before its padding.
inline constexpr std::size_t kEchoHeader = 4 + 1 + 8;

// Encodes and queues; errors are those of Endpoint::send.
Status send_control(Instant now, Endpoint& endpoint, ConnectionId connection, const ControlMessage& message);

}  // namespace godwit
