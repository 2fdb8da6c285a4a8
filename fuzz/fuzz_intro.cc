// Any bytes as an intro, in one of three places by the first byte: as the plaintext behind the envelope with all that
// is read from it, as a sealed plaintext that must come back unchanged, and as the datagram itself.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "crypto/intro_box.h"
#include "crypto/keypair.h"
#include "wire/datagram.h"
#include "wire/intro.h"
#include "wire/version.h"

namespace {

using namespace godwit;

void check_plaintext(ByteView input) {
  const auto decoded = wire::decode_intro_plaintext(input);
  GODWIT_ASSERT(decoded.has_value() == (input.size() >= wire::kIntroPlaintext));
  if (!decoded) return;
  std::array<std::uint8_t, wire::kIntroPlaintext> again{};
  wire::encode_intro_plaintext(decoded->intro, again);
  GODWIT_ASSERT(std::ranges::equal(again, input.first(wire::kIntroPlaintext)));

  const wire::Version version = wire::parse_version(decoded->intro.version);
  if (version.minimum) {
    const auto bytes = wire::encode_version(version.release, version.minimum->patch);
    GODWIT_ASSERT(wire::parse_version(bytes) == version);
  }
  const bool accepted = wire::compatible(wire::kAnnouncedVersion, decoded->intro.version);
  GODWIT_ASSERT(!accepted || wire::understands_v2_ack(decoded->intro.version));

  // The same bytes as the text of an error ack.
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  if (const auto expected = wire::expected_version_in(text)) {
    if (const auto release = wire::parse_release(*expected)) {
      GODWIT_ASSERT(wire::parse_release(wire::to_string(*release)) == release);
    }
  }
}

KeyPair recipient() {
  static constexpr std::array<std::uint8_t, kSecretKeySize> kSecret{0x11, 0x11, 0x11};
  return *KeyPair::from_secret(ByteView(kSecret));
}

void check_sealed(ByteView input) {
  const KeyPair pair = recipient();
  const SecretKey ephemeral(std::array<std::uint8_t, kSecretKeySize>{0x22});
  std::vector<std::uint8_t> datagram(input.size() + kIntroOverhead);
  GODWIT_ASSERT(seal_intro(pair.public_key(), ephemeral, input, datagram));
  std::vector<std::uint8_t> opened(input.size());
  GODWIT_ASSERT(open_intro(pair, datagram, opened) == input.size());
  GODWIT_ASSERT(std::ranges::equal(opened, input));
}

void check_datagram(ByteView input) {
  std::vector<std::uint8_t> opened(input.size());
  const auto size = open_intro(recipient(), input, opened);
  GODWIT_ASSERT(!size || *size + kIntroOverhead == input.size());
  if (size) check_plaintext(ByteView(opened).first(*size));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  // The curve costs 10^4 times what the rest does: most first bytes stay away from it.
  switch (data[0]) {
    case 0xfe: check_sealed(input); break;
    case 0xff: check_datagram(input); break;
    default: check_plaintext(input); break;
  }
  return 0;
}
