#include "channel/datagram_codec.h"

#include <algorithm>

#include "wire/fields.h"

namespace godwit {
namespace {

constexpr std::uint8_t kTypeOpen = 5;
constexpr std::uint8_t kTypeEnded = 6;
constexpr std::uint8_t kTypePart = 7;

constexpr std::uint8_t kByOpener = 1;  // flag of kTypeEnded and kTypePart
constexpr std::uint8_t kHasFirst = 1;  // flag of kTypeOpen

using wire::FieldReader;
using wire::FieldWriter;

std::uint8_t flag(bool set, std::uint8_t value) {
  return set ? value : std::uint8_t{0};
}

struct DatagramEncoder {
  std::vector<std::uint8_t> operator()(const AssociationOpen& message) const {
    FieldWriter out(kChannelMagic);
    out.number(kTypeOpen)
        .number(flag(message.has_first, kHasFirst))
        .number(message.association)
        .number(static_cast<std::uint8_t>(message.kind))
        .text(message.text, kMaxChannelText);
    if (message.has_first) out.bytes(message.first.first(std::min(message.first.size(), kMaxFirstBytes)));
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const AssociationEnded& message) const {
    return FieldWriter(kChannelMagic)
        .number(kTypeEnded)
        .number(flag(message.by_opener, kByOpener))
        .number(message.association)
        .number(static_cast<std::uint8_t>(message.code))
        .take();
  }
  std::vector<std::uint8_t> operator()(const DatagramPart& message) const {
    return FieldWriter(kChannelMagic)
        .number(kTypePart)
        .number(flag(message.by_opener, kByOpener))
        .number(message.association)
        .number(message.datagram)
        .number(message.index)
        .number(message.count)
        .bytes(message.bytes.first(std::min(message.bytes.size(), kMaxPartBytes)))
        .take();
  }
};

std::optional<DatagramMessage> read_open(FieldReader& in) {
  const auto flags = in.number<std::uint8_t>();
  AssociationOpen open{.association = in.number<std::uint32_t>(), .kind = ChannelKind{in.number<std::uint8_t>()}};
  open.text = in.text();
  open.has_first = (flags & kHasFirst) != 0;
  if (open.has_first) open.first = in.rest();
  const bool known = open.kind == ChannelKind::kTarget || open.kind == ChannelKind::kArrival;
  if (!known || open.text.size() > kMaxChannelText || open.first.size() > kMaxFirstBytes) in.fail();
  return open;
}

std::optional<DatagramMessage> read_part(FieldReader& in) {
  DatagramPart part;
  part.by_opener = (in.number<std::uint8_t>() & kByOpener) != 0;
  part.association = in.number<std::uint32_t>();
  part.datagram = in.number<std::uint16_t>();
  part.index = in.number<std::uint8_t>();
  part.count = in.number<std::uint8_t>();
  part.bytes = in.rest();
  const bool last = part.index + 1 == part.count;
  const bool fits = last ? part.bytes.size() <= kMaxPartBytes : part.bytes.size() == kMaxPartBytes;
  if (part.count == 0 || part.count > kMaxParts || part.index >= part.count || !fits) in.fail();
  return part;
}

}  // namespace

std::vector<std::uint8_t> encode_datagram_message(const DatagramMessage& message) {
  return std::visit(DatagramEncoder{}, message);
}

std::optional<DatagramMessage> decode_datagram_message(ByteView bytes) {
  if (!is_channel_message(bytes)) return std::nullopt;
  FieldReader in(bytes.subspan(kChannelMagic.size()));
  std::optional<DatagramMessage> result;
  switch (in.number<std::uint8_t>()) {
    case kTypeOpen: result = read_open(in); break;
    case kTypeEnded: {
      AssociationEnded ended;
      ended.by_opener = (in.number<std::uint8_t>() & kByOpener) != 0;
      ended.association = in.number<std::uint32_t>();
      ended.code = channel_code(in.number<std::uint8_t>());
      result = ended;
      break;
    }
    case kTypePart: result = read_part(in); break;
    default: break;
  }
  return in.complete() ? result : std::nullopt;
}

std::optional<ByteView> DatagramAssembler::add(const DatagramPart& part) {
  if (part.count == 1) return part.bytes;
  if (missing_ == 0 || part.datagram != datagram_ || part.count != count_) {
    if (missing_ != 0) ++incomplete_;
    datagram_ = part.datagram;
    count_ = part.count;
    missing_ = (std::uint32_t{1} << part.count) - 1;
    bytes_.resize(part.count * kMaxPartBytes);
  }
  const std::uint32_t bit = std::uint32_t{1} << part.index;
  if ((missing_ & bit) == 0) return std::nullopt;
  missing_ &= ~bit;
  const std::size_t at = part.index * kMaxPartBytes;
  std::ranges::copy(part.bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
  if (part.index + 1 == part.count) size_ = at + part.bytes.size();
  if (missing_ != 0) return std::nullopt;
  return ByteView(bytes_).first(size_);
}

}  // namespace godwit
