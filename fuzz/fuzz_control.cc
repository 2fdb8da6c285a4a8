// Any bytes as a control message: what decodes encodes to something that decodes to the same kind, and encoding is
// stable.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "transfer/control.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  const ByteView input(data, size);
  const auto message = decode_control(input);
  if (!message) {
    GODWIT_ASSERT(is_control(input) || message.error() == ControlError::kNotControl);
    return 0;
  }
  GODWIT_ASSERT(is_control(input));
  const auto once = encode_control(*message);
  const auto again = decode_control(once);
  GODWIT_ASSERT(again.has_value() && again->index() == message->index());
  GODWIT_ASSERT(encode_control(*again) == once);
  return 0;
}
