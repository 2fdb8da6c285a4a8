// Without libsodium there is no CPace.
#include "base/assert.h"
#include "code/cpace.h"

namespace godwit::cpace {

bool available() {
  return false;
}

Point generator(ByteView, ByteView, ByteView) {
  GODWIT_ASSERT(available());
  return {};
}
Scalar scalar_of(const std::array<std::uint8_t, kScalarSize>&) {
  GODWIT_ASSERT(available());
  return {};
}
std::optional<Point> multiply(const Scalar&, const Point&) {
  GODWIT_ASSERT(available());
  return std::nullopt;
}
Key session_key(ByteView, const Point&, const Share&, const Share&) {
  GODWIT_ASSERT(available());
  return {};
}
Key confirmation(ByteView, const Key&, const Share&) {
  GODWIT_ASSERT(available());
  return {};
}
bool equal(ByteView, ByteView) {
  GODWIT_ASSERT(available());
  return false;
}
void wipe(MutableBytes) {}

}  // namespace godwit::cpace
