#include "crypto/hkdf.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <vector>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::array<std::uint8_t, 1> kFirstBlock{0x01};
constexpr std::array<std::uint8_t, 1> kSecondBlock{0x02};

// The pieces end to end, wiped afterwards: some of them are secrets.
class Joined {
 public:
  explicit Joined(std::initializer_list<ByteView> pieces) {
    std::size_t size = 0;
    for (const ByteView piece : pieces) size += piece.size();
    bytes_.reserve(size);
    for (const ByteView piece : pieces) bytes_.insert(bytes_.end(), piece.begin(), piece.end());
  }
  ~Joined() { wipe(bytes_); }
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

std::array<std::uint8_t, kHashSize> sha256(std::initializer_list<ByteView> pieces) {
  const Joined joined(pieces);
  std::array<std::uint8_t, kHashSize> digest{};
  SHA256(joined.bytes().data(), joined.bytes().size(), digest.data());
  return digest;
}

Secret hmac_sha256(ByteView key, std::initializer_list<ByteView> pieces) {
  const Joined joined(pieces);
  Secret result;
  unsigned int size = 0;
  const unsigned char* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), joined.bytes().data(),
                                   joined.bytes().size(), result.bytes.data(), &size);
  // Nothing but a lack of memory makes it fail, and no key may come of that.
  GODWIT_ASSERT(done != nullptr && size == kHashSize);
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
