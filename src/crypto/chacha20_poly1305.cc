#include "crypto/chacha20_poly1305.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>

namespace godwit {
namespace {

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
};
struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

// Fetching searches the providers by name and costs more than a seal; the fetched object never changes.
const EVP_CIPHER* algorithm() {
  static const std::unique_ptr<EVP_CIPHER, FreeCipher> fetched(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  return fetched.get();
}

// One pass of associated data and text. OpenSSL counts in int; intros are far below that.
bool run(EVP_CIPHER_CTX* context, ByteView associated_data, ByteView text, std::uint8_t* out) {
  int written = 0;
  if (!associated_data.empty() && EVP_CipherUpdate(context, nullptr, &written, associated_data.data(),
                                                   static_cast<int>(associated_data.size())) != 1) {
    return false;
  }
  return text.empty() || EVP_CipherUpdate(context, out, &written, text.data(), static_cast<int>(text.size())) == 1;
}

}  // namespace

bool chacha20_poly1305_seal(ChachaKey key, ChachaNonce nonce, ByteView associated_data, ByteView plaintext,
                            std::uint8_t* out) {
  const Context context(EVP_CIPHER_CTX_new());
  std::array<std::uint8_t, kChachaTagSize> unused{};
  int written = 0;
  return context && EVP_EncryptInit_ex2(context.get(), algorithm(), key.data(), nonce.data(), nullptr) == 1 &&
         run(context.get(), associated_data, plaintext, out) &&
         EVP_EncryptFinal_ex(context.get(), unused.data(), &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kChachaTagSize),
                             out + plaintext.size()) == 1;
}

bool chacha20_poly1305_open(ChachaKey key, ChachaNonce nonce, ByteView associated_data, ByteView ciphertext_and_tag,
                            std::uint8_t* out) {
  if (ciphertext_and_tag.size() < kChachaTagSize) return false;
  const ByteView ciphertext = ciphertext_and_tag.first(ciphertext_and_tag.size() - kChachaTagSize);
  std::array<std::uint8_t, kChachaTagSize> tag{};
  std::memcpy(tag.data(), ciphertext_and_tag.data() + ciphertext.size(), tag.size());
  const Context context(EVP_CIPHER_CTX_new());
  std::array<std::uint8_t, kChachaTagSize> unused{};
  int written = 0;
  const bool opened =
      context && EVP_DecryptInit_ex2(context.get(), algorithm(), key.data(), nonce.data(), nullptr) == 1 &&
      run(context.get(), associated_data, ciphertext, out) &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kChachaTagSize), tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), unused.data(), &written) == 1;
  if (!opened && !ciphertext.empty()) wipe(MutableBytes(out, ciphertext.size()));
  return opened;
}

}  // namespace godwit
