// Any bytes as a message of a rendezvous: what decodes encodes to something that decodes to the same, and encoding is
// stable.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "rendezvous/rendezvous_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  const ByteView input(data, size);
  const auto message = decode_rendezvous(input);
  if (!message) return 0;
  GODWIT_ASSERT(is_rendezvous_message(input));
  const auto once = encode_rendezvous(*message);
  const auto again = decode_rendezvous(once);
  GODWIT_ASSERT(again.has_value() && again->index() == message->index());
  GODWIT_ASSERT(encode_rendezvous(*again) == once);
  return 0;
}
