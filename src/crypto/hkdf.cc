#include "crypto/hkdf.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::array<std::uint8_t, 1> kFirstBlock{0x01};
constexpr std::array<std::uint8_t, 1> kSecondBlock{0x02};

struct FreeDigest {
  void operator()(EVP_MD* digest) const noexcept { EVP_MD_free(digest); }
};
// Freeing a context wipes what it holds.
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

// Fetching searches the providers by name, which costs more than a digest; the fetched object never changes. SHA256()
// and HMAC() of the library fetch at each call.
const EVP_MD* algorithm() {
  static const std::unique_ptr<EVP_MD, FreeDigest> fetched(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  return fetched.get();
}

// One digest after another. Nothing but a lack of memory makes the library fail, and no key may come of that.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { GODWIT_ASSERT(context_ != nullptr); }

  void begin() { GODWIT_ASSERT(EVP_DigestInit_ex2(context_.get(), algorithm(), nullptr) == 1); }
  void add(ByteView piece) { GODWIT_ASSERT(EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) == 1); }
  void end(std::array<std::uint8_t, kHashSize>& digest) {
    GODWIT_ASSERT(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
};

}  // namespace

std::array<std::uint8_t, kHashSize> sha256(std::initializer_list<ByteView> pieces) {
  std::array<std::uint8_t, kHashSize> digest{};
  Sha256 sha;
  sha.begin();
  for (const ByteView piece : pieces) sha.add(piece);
  sha.end(digest);
  return digest;
}

// RFC 2104.
Secret hmac_sha256(ByteView key, std::initializer_list<ByteView> pieces) {
  constexpr std::size_t kBlock = 64;
  std::array<std::uint8_t, kBlock> padded{};
  if (key.size() <= kBlock) {
    std::ranges::copy(key, padded.begin());
  } else {
    std::ranges::copy(Secret(sha256({key})).bytes, padded.begin());
  }
  Secret result;
  Sha256 sha;
  for (std::uint8_t& byte : padded) byte ^= 0x36;
  sha.begin();
  sha.add(padded);
  for (const ByteView piece : pieces) sha.add(piece);
  sha.end(result.bytes);
  for (std::uint8_t& byte : padded) byte ^= 0x36 ^ 0x5c;
  sha.begin();
  sha.add(padded);
  sha.add(result.bytes);
  sha.end(result.bytes);
  wipe(padded);
  return result;
}

SecretPair hkdf_two(const Secret& salt, ByteView input) {
  const Secret extracted = hmac_sha256(salt.bytes, {input});
  SecretPair result;
  result.first = hmac_sha256(extracted.bytes, {kFirstBlock});
  result.second = hmac_sha256(extracted.bytes, {result.first.bytes, kSecondBlock});
  return result;
}

void hkdf_expand(const Secret& secret, std::string_view label, MutableBytes out) {
  GODWIT_ASSERT(out.size() <= kHashSize);
  const Secret block = hmac_sha256(secret.bytes, {as_bytes(label), kFirstBlock});
  std::copy_n(block.bytes.begin(), out.size(), out.begin());
}

}  // namespace godwit
