// Any bytes as the beginning of a channel's stream and as a control message: what decodes encodes to something that
// decodes to the same, and encoding is stable; a header that is incomplete stays so or becomes valid with more bytes.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "channel/channel_codec.h"
#include "channel/datagram_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  const ByteView input(data, size);
  if (const auto message = decode_channel_message(input)) {
    GODWIT_ASSERT(is_channel_message(input));
    const auto once = encode_channel_message(*message);
    const auto again = decode_channel_message(once);
    GODWIT_ASSERT(again.has_value() && again->index() == message->index());
    GODWIT_ASSERT(encode_channel_message(*again) == once);
  }
  if (const auto message = decode_datagram_message(input)) {
    GODWIT_ASSERT(!decode_channel_message(input));
    const auto once = encode_datagram_message(*message);
    const auto again = decode_datagram_message(once);
    GODWIT_ASSERT(again.has_value() && again->index() == message->index());
    GODWIT_ASSERT(encode_datagram_message(*again) == once);
    if (const auto* const part = std::get_if<DatagramPart>(&*message)) {
      DatagramAssembler assembler;
      const auto whole = assembler.add(*part);
      GODWIT_ASSERT(whole.has_value() == (part->count == 1));
    }
  }
  const DecodedChannelHeader whole = decode_channel_header(input);
  for (std::size_t count = 0; count < size && count <= kChannelHeader + kMaxChannelText; ++count) {
    const DecodedChannelHeader part = decode_channel_header(input.first(count));
    GODWIT_ASSERT(part.state == HeaderState::kIncomplete || part.state == whole.state);
  }
  if (whole.state != HeaderState::kComplete) return 0;
  GODWIT_ASSERT(whole.bytes <= size && whole.bytes == kChannelHeader + whole.header.text.size());
  const auto again = encode_channel_header(whole.header);
  const DecodedChannelHeader decoded = decode_channel_header(again);
  GODWIT_ASSERT(decoded.state == HeaderState::kComplete);
  GODWIT_ASSERT(decoded.header.channel == whole.header.channel && decoded.header.kind == whole.header.kind);
  return 0;
}
