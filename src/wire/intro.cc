#include "wire/intro.h"

#include <algorithm>

namespace godwit::wire {

void encode_intro_plaintext(const Intro& intro, std::span<std::uint8_t, kIntroPlaintext> out) {
  std::ranges::copy(intro.version, out.begin());
  std::ranges::copy(intro.key.bytes(), out.begin() + kVersionSize);
}

std::optional<DecodedIntro> decode_intro_plaintext(ByteView plaintext) {
  if (plaintext.size() < kIntroPlaintext) return std::nullopt;
  VersionBytes version{};
  std::ranges::copy(plaintext.first(kVersionSize), version.begin());
  return DecodedIntro{
      .intro = {.version = version, .key = SymmetricKey(plaintext.subspan<kVersionSize, kSymmetricKeySize>())},
      .trailing = plaintext.subspan(kIntroPlaintext)};
}

}  // namespace godwit::wire
