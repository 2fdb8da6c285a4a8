#include "transfer/control.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "transfer/file_name.h"
#include "wire/fields.h"

namespace godwit {
namespace {

using wire::FieldReader;
using wire::FieldWriter;

FieldWriter begin(ControlType type) {
  FieldWriter out(kControlMagic);
  out.number(static_cast<std::uint8_t>(type));
  return out;
}

std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::uint8_t kHasMode = 1;
constexpr std::uint8_t kHasTime = 2;
constexpr std::size_t kAttributeBytes = 1 + 2 + 8 + 4;

// Behind the fields of an offer, all or nothing. Values that make no sense are left out: they are the peer's mistake.
FileAttributes read_attributes(FieldReader& in) {
  FileAttributes result;
  if (!in.has(kAttributeBytes)) return result;
  const auto present = in.number<std::uint8_t>();
  const auto mode = in.number<std::uint16_t>();
  const FileTime time{.seconds = static_cast<std::int64_t>(in.number<std::uint64_t>()),
                      .nanoseconds = in.number<std::uint32_t>()};
  if ((present & kHasMode) != 0) result.mode = mode & FileAttributes::kPermissionBits;
  if ((present & kHasTime) != 0 && time.nanoseconds < 1'000'000'000) result.modified = time;
  return result;
}

// Each member is read in its turn.
FileOffer read_offer(FieldReader& in) {
  FileOffer offer{.transfer = in.number<std::uint64_t>(), .size = in.number<std::uint64_t>(), .name = in.text()};
  offer.attributes = read_attributes(in);
  if (!in.has(sizeof(std::uint64_t) + 1)) return offer;
  offer.group = in.number<std::uint64_t>();
  offer.resume = in.number<std::uint8_t>();
  return offer;
}

FileAccept read_accept(FieldReader& in) {
  FileAccept accept{.transfer = in.number<std::uint64_t>(), .window = in.number<std::uint64_t>()};
  accept.files = in.optional_number<std::uint16_t>();
  if (!in.has(sizeof(std::uint64_t) + kSha256Size)) return accept;
  accept.held = in.number<std::uint64_t>();
  accept.held_hash = in.array<kSha256Size>();
  return accept;
}

PerfCut read_cut(FieldReader& in) {
  constexpr std::size_t kEntryBytes = 18;
  PerfCut cut{.session = in.number<std::uint64_t>(),
              .index = in.number<std::uint16_t>(),
              .pieces = in.number<std::uint16_t>(),
              .entries = {}};
  while (in.left() >= kEntryBytes && cut.entries.size() < kMaxCutEntries) {
    cut.entries.push_back({in.number<std::uint16_t>(), in.number<std::uint64_t>(), in.number<std::uint64_t>()});
  }
  return cut;
}

PerfProgress read_progress(FieldReader& in) {
  PerfProgress progress{.session = in.number<std::uint64_t>(),
                        .bytes = in.number<std::uint64_t>(),
                        .elapsed_ns = in.number<std::uint64_t>(),
                        .first_logical = in.number<std::uint16_t>(),
                        .logical_bytes = {}};
  while (in.left() >= sizeof(std::uint64_t) && progress.logical_bytes.size() < kMaxProgressStreams) {
    progress.logical_bytes.push_back(in.number<std::uint64_t>());
  }
  return progress;
}

// Braced initialisation evaluates left to right, so members are read in the order of the format.
std::optional<ControlMessage> read_fields(ControlType type, FieldReader& in) {
  using U8 = std::uint8_t;
  using U16 = std::uint16_t;
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  switch (type) {
    case ControlType::kOffer: return read_offer(in);
    case ControlType::kAccept: return read_accept(in);
    case ControlType::kRefuse: return FileRefuse{in.number<U64>(), static_cast<RefuseCode>(in.number<U8>()), in.text()};
    case ControlType::kCredit: return StreamCredit{in.number<U32>(), in.number<U64>()};
    case ControlType::kFinish: return FileFinish{in.number<U64>(), in.array<kSha256Size>()};
    case ControlType::kConfirm: return FileConfirm{in.number<U64>(), in.array<kSha256Size>()};
    case ControlType::kCancel: return FileCancel{in.number<U64>(), in.text()};
    case ControlType::kPerfStart:
      return PerfStart{in.number<U64>(), in.number<U8>(),          in.number<U8>(),  in.number<U16>(),
                       in.number<U64>(), in.number<U32>(),         in.number<U64>(), in.number<U64>(),
                       in.number<U64>(), in.optional_number<U32>()};
    case ControlType::kPerfReady: return PerfReady{in.number<U64>(), in.number<U64>()};
    case ControlType::kPerfEnd: return PerfEnd{in.number<U64>(), in.optional_number<U8>()};
    case ControlType::kPerfResult:
      return PerfResult{in.number<U64>(), in.number<U64>(), in.number<U64>(),
                        in.number<U64>(), in.number<U64>(), in.number<U16>()};
    case ControlType::kPerfBusy: return PerfBusy{in.number<U64>(), in.text()};
    case ControlType::kPerfRenew: return PerfRenew{in.number<U64>()};
    case ControlType::kPerfDetails: return PerfDetails{in.number<U64>(), in.number<U16>(), as_text(in.rest())};
    case ControlType::kPerfStop: return PerfStop{in.number<U64>()};
    case ControlType::kPerfCut: return read_cut(in);
    case ControlType::kPerfProgress: return read_progress(in);
    case ControlType::kEchoRequest: return EchoRequest{in.number<U64>(), in.rest()};
    case ControlType::kEchoReply: return EchoReply{in.number<U64>(), in.rest()};
  }
  return std::nullopt;
}

struct Encoder {
  using Bytes = std::vector<std::uint8_t>;

  Bytes operator()(const FileOffer& m) const {
    FieldWriter out = begin(ControlType::kOffer);
    out.number(m.transfer).number(m.size).text(m.name, kMaxFilePath);
    const FileAttributes& attributes = m.attributes;
    const bool more = m.group > 0 || m.resume > 0;
    if (!attributes.mode && !attributes.modified && !more) return out.take();
    const FileTime time = attributes.modified.value_or(FileTime{});
    out.number(static_cast<std::uint8_t>((attributes.mode ? kHasMode : 0) | (attributes.modified ? kHasTime : 0)));
    out.number(static_cast<std::uint16_t>(attributes.mode.value_or(0) & FileAttributes::kPermissionBits));
    out.number(static_cast<std::uint64_t>(time.seconds)).number(time.nanoseconds);
    if (more) out.number(m.group).number(m.resume);
    return out.take();
  }
  Bytes operator()(const FileAccept& m) const {
    FieldWriter out = begin(ControlType::kAccept);
    out.number(m.transfer).number(m.window);
    if (m.files > 0 || m.held > 0) out.number(m.files);
    if (m.held > 0) out.number(m.held).bytes(m.held_hash);
    return out.take();
  }
  Bytes operator()(const FileRefuse& m) const {
    FieldWriter out = begin(ControlType::kRefuse);
    return out.number(m.transfer).number(static_cast<std::uint8_t>(m.code)).text(m.text, kMaxControlText).take();
  }
  Bytes operator()(const StreamCredit& m) const {
    return begin(ControlType::kCredit).number(m.stream).number(m.limit).take();
  }
  Bytes operator()(const FileFinish& m) const {
    return begin(ControlType::kFinish).number(m.transfer).bytes(m.hash).take();
  }
  Bytes operator()(const FileConfirm& m) const {
    return begin(ControlType::kConfirm).number(m.transfer).bytes(m.hash).take();
  }
  Bytes operator()(const FileCancel& m) const {
    return begin(ControlType::kCancel).number(m.transfer).text(m.text, kMaxControlText).take();
  }
  Bytes operator()(const PerfStart& m) const {
    FieldWriter out = begin(ControlType::kPerfStart);
    out.number(m.session).number(m.flags).number(m.congestion).number(m.streams).number(m.stream_bytes);
    out.number(m.duration_ms).number(m.rate).number(m.target_bytes).number(m.window);
    if (m.progress_ms > 0) out.number(m.progress_ms);
    return out.take();
  }
  Bytes operator()(const PerfReady& m) const {
    return begin(ControlType::kPerfReady).number(m.session).number(m.window).take();
  }
  Bytes operator()(const PerfEnd& m) const {
    FieldWriter out = begin(ControlType::kPerfEnd);
    out.number(m.session);
    if (m.cut > 0) out.number(m.cut);
    return out.take();
  }
  Bytes operator()(const PerfResult& m) const {
    FieldWriter out = begin(ControlType::kPerfResult);
    out.number(m.session).number(m.sent_bytes).number(m.sent_digest).number(m.received_bytes).number(m.received_digest);
    return out.number(m.details).take();
  }
  Bytes operator()(const PerfBusy& m) const {
    return begin(ControlType::kPerfBusy).number(m.session).text(m.text, kMaxControlText).take();
  }
  Bytes operator()(const PerfRenew& m) const { return begin(ControlType::kPerfRenew).number(m.session).take(); }
  Bytes operator()(const PerfDetails& m) const {
    return begin(ControlType::kPerfDetails).number(m.session).number(m.index).bytes(as_bytes(m.text)).take();
  }
  Bytes operator()(const PerfStop& m) const { return begin(ControlType::kPerfStop).number(m.session).take(); }
  Bytes operator()(const PerfCut& m) const {
    FieldWriter out = begin(ControlType::kPerfCut);
    out.number(m.session).number(m.index).number(m.pieces);
    for (const PerfCutEntry& entry : m.entries) out.number(entry.logical).number(entry.sequence).number(entry.bytes);
    return out.take();
  }
  Bytes operator()(const PerfProgress& m) const {
    FieldWriter out = begin(ControlType::kPerfProgress);
    out.number(m.session).number(m.bytes).number(m.elapsed_ns).number(m.first_logical);
    for (const std::uint64_t bytes : m.logical_bytes) out.number(bytes);
    return out.take();
  }
  Bytes operator()(const EchoRequest& m) const {
    return begin(ControlType::kEchoRequest).number(m.sequence).bytes(m.padding).take();
  }
  Bytes operator()(const EchoReply& m) const {
    return begin(ControlType::kEchoReply).number(m.sequence).bytes(m.padding).take();
  }
};

}  // namespace

bool is_control(ByteView bytes) {
  return bytes.size() >= kControlMagic.size() && std::equal(kControlMagic.begin(), kControlMagic.end(), bytes.begin());
}

std::expected<ControlMessage, ControlError> decode_control(ByteView bytes) {
  if (!is_control(bytes)) return std::unexpected(ControlError::kNotControl);
  FieldReader in(bytes.subspan(kControlMagic.size()));
  const auto type = static_cast<ControlType>(in.number<std::uint8_t>());
  if (!in.complete()) return std::unexpected(ControlError::kTruncated);
  const auto message = read_fields(type, in);
  if (!message) return std::unexpected(ControlError::kUnknownType);
  if (!in.complete()) return std::unexpected(ControlError::kTruncated);
  return *message;
}

std::vector<std::uint8_t> encode_control(const ControlMessage& message) {
  return std::visit(Encoder{}, message);
}

Status send_control(Instant now, Endpoint& endpoint, ConnectionId connection, const ControlMessage& message) {
  const auto sent = endpoint.send(now, connection, Body::owned(encode_control(message)));
  if (!sent) return std::unexpected(sent.error());
  return {};
}

}  // namespace godwit
