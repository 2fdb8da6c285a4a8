// One-time codes: any text as a code, and any steps at either side of an exchange and at the rendezvous between. What
// parses prints as text that parses to the same; whoever does not have the code is never believed; and what the
// rendezvous keeps is bounded.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "fuzz/input.h"
#include "rendezvous/code_exchange.h"
#include "rendezvous/code_slots.h"

namespace {

using namespace godwit;

void check_text(std::string_view text) {
  const auto code = OneTimeCode::parse(text);
  if (!code) {
    GODWIT_ASSERT(!code.error().message.empty());
    return;
  }
  GODWIT_ASSERT(OneTimeCode::parse(code->to_string()) == *code);
}

// Messages of a rendezvous, each with its length in front, to a side that has `code` or makes one.
void check_side(ByteView input, std::optional<OneTimeCode> code) {
  if (!cpace::available()) return;
  DeterministicRandom random(1);
  std::array<std::uint8_t, kPublicKeySize> key{};
  CodeExchange side(random, PublicKey(key), PublicKey(key), code);
  Instant now(1s);
  static_cast<void>(side.begin(now));
  // With a number that inputs can name.
  if (!code) static_cast<void>(side.on_message(now, RendezvousCodeOpened{.nameplate = 1, .lifetime_seconds = 600}));
  while (!input.empty()) {
    const std::size_t size = std::min<std::size_t>(input[0], input.size() - 1);
    const auto message = decode_rendezvous(input.subspan(1, size));
    input = input.subspan(1 + size);
    if (message) static_cast<void>(side.on_message(now, *message));
    now += 1s;
    side.on_turn(now);
    GODWIT_ASSERT(!side.peer() && !side.finished());
  }
}

// Three connections, of which each byte says who does what.
void check_slots(ByteView input) {
  const CodeLimits limits{.codes = 4, .codes_per_prefix = 2, .lifetime = 20s};
  std::uint64_t passed = 0;
  CodeSlots slots(limits, [&](Instant, ConnectionId to, const RendezvousMessage&) {
    GODWIT_ASSERT(to != 0);
    ++passed;
  });
  Instant now(1s);
  for (std::size_t i = 0; i + 1 < input.size(); i += 2) {
    const ConnectionId who = 1 + (input[i] & 7);
    const std::uint32_t nameplate = input[i + 1] >> 4;
    const auto step = static_cast<std::uint8_t>(input[i + 1] & 3);
    now += (input[i] & 0x80) != 0 ? 5s : 0s;
    switch ((input[i] >> 3) & 3) {
      case 0: static_cast<void>(slots.open(now, who, SocketAddress::ipv4({192, 0, 2, step}, 0))); break;
      case 1: slots.on_step(now, who, {.nameplate = nameplate, .step = step, .bytes = {}}); break;
      case 2: slots.on_ended(now, who, {.nameplate = nameplate, .code = RendezvousCode::kWrongCode}); break;
      default: slots.on_closed(now, who); break;
    }
    GODWIT_ASSERT(slots.size() <= limits.codes);
  }
  const CodeStatistics& count = slots.statistics();
  GODWIT_ASSERT(count.joined <= count.opened && count.expired <= count.opened);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] & 3) {
    case 0: check_text({reinterpret_cast<const char*>(input.data()), input.size()}); break;
    case 1: check_side(input, std::nullopt); break;
    case 2: check_side(input, OneTimeCode{.nameplate = 1, .words = {1, 2, 3}}); break;
    default: check_slots(input); break;
  }
  return 0;
}
