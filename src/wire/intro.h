// The plaintext of an intro (wire spec 1.2): raw bytes, no bincode. Sealing and opening it is crypto/intro_box.h.
// An intro is anonymous: nothing in it says who sent it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "crypto/keypair.h"
#include "wire/limits.h"
#include "wire/version.h"

namespace godwit::wire {

// `key` is what the recipient must use to send to the intro's sender.
struct Intro {
  VersionBytes version{};
  SymmetricKey key;
};

// A decoded intro and what follows its 24 bytes: ignored by deployed peers, reachable for later extensions.
// `trailing` is a view of the plaintext.
struct DecodedIntro {
  Intro intro;
  ByteView trailing;
};

void encode_intro_plaintext(const Intro& intro, std::span<std::uint8_t, kIntroPlaintext> out);

// Nothing below 24 bytes; every other plaintext is an intro.
[[nodiscard]] std::optional<DecodedIntro> decode_intro_plaintext(ByteView plaintext);

}  // namespace godwit::wire
