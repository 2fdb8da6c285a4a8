// Any bytes as the plaintext of a symmetric datagram: what decodes must lie within the input and encode to the same
// bytes, and the short path for fragments must agree with the complete decoder.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/datagram.h"
#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  const ByteView input(data, size);
  const auto packet = wire::decode(input);
  if (packet) GODWIT_ASSERT(wire::test::is_sound(*packet, input));
  GODWIT_ASSERT(wire::test::peek_agrees_with_decode(input));
  GODWIT_ASSERT(!wire::worth_opening(wire::classify(input)) || size >= wire::kDatagramOverhead);
  return 0;
}
