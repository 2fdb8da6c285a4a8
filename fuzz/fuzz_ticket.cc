// Any text as a ticket: what parses is made into a text that parses to the same ticket, and one wrong letter in that is
// found. And any elements behind a checksum that fits, as nobody types them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "fuzz/input.h"
#include "ticket/bech32.h"
#include "ticket/ticket.h"

namespace {

using namespace godwit;

void check(std::string_view text, std::size_t place, char letter) {
  const auto ticket = parse_ticket(text);
  if (!ticket) return;
  GODWIT_ASSERT(looks_like_ticket(text));
  auto again = format_ticket(*ticket);
  GODWIT_ASSERT(again.has_value());
  GODWIT_ASSERT(parse_ticket(*again) == *ticket);
  char& typed = (*again)[place % again->size()];
  if (typed == letter) return;
  typed = letter;
  GODWIT_ASSERT(!parse_ticket(*again));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kLetters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  fuzz::Input input(data, size);
  const bool as_typed = input.coin();
  const std::size_t place = input.u16();
  const char letter = kLetters[input.below(kLetters.size())];
  const ByteView rest = input.take_rest();
  if (as_typed) {
    check({reinterpret_cast<const char*>(rest.data()), rest.size()}, place, letter);
    return 0;
  }
  if (rest.size() > 600) return 0;
  std::vector<std::uint8_t> values = to_five_bits(rest);
  values.insert(values.begin(), 1);
  check(encode_bech32("godwit", values), place, letter);
  return 0;
}
