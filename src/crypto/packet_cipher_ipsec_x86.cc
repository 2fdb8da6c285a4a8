#include <intel-ipsec-mb.h>

#include <cstring>

#include "base/assert.h"
#include "crypto/keyed_cipher.h"
#include "crypto/packet_cipher_ipsec.h"

namespace godwit {
namespace {

// What the library's manager says about one kind: the entry points that fit this processor. The manager itself is a
// 51 KiB job queue that the direct GCM calls never touch, so that it is freed as soon as they are copied out of it.
struct Implementation {
  bool available = false;
  aes_gcm_pre_t expand = nullptr;
  aes_gcm_enc_dec_t encrypt = nullptr;
  aes_gcm_enc_dec_t decrypt = nullptr;
  std::string description;
};

struct FreeManager {
  void operator()(IMB_MGR* manager) const noexcept { free_mb_mgr(manager); }
};

// The forced kinds need what the library itself assumes of them; it would execute an illegal instruction otherwise.
std::uint64_t required_features(CipherKind kind) {
  switch (kind) {
    case CipherKind::kIpsecMbAvx2: return IMB_CPUFLAGS_AVX2;
    case CipherKind::kIpsecMbAvx512: return IMB_CPUFLAGS_AVX512;
    default: return IMB_CPUFLAGS_SSE;
  }
}

void initialise(CipherKind kind, IMB_MGR* manager) {
  switch (kind) {
    case CipherKind::kIpsecMbSse: init_mb_mgr_sse(manager); return;
    case CipherKind::kIpsecMbAvx2: init_mb_mgr_avx2(manager); return;
    case CipherKind::kIpsecMbAvx512: init_mb_mgr_avx512(manager); return;
    default: init_mb_mgr_auto(manager, nullptr); return;
  }
}

std::string instructions(const IMB_MGR& manager) {
  switch (manager.used_arch) {
    case IMB_ARCH_SSE: return "SSE";
    case IMB_ARCH_AVX: return "AVX";
    case IMB_ARCH_AVX2: return "AVX2";
    case IMB_ARCH_AVX512:
      return (manager.features & IMB_CPUFLAGS_AVX512_T2) == IMB_CPUFLAGS_AVX512_T2 ? "AVX-512 with VAES" : "AVX-512";
    default: return "no known instructions";
  }
}

Implementation load(CipherKind kind) {
  Implementation loaded;
  loaded.description = std::string("IPsec-MB ") + imb_get_version_str();
  const std::unique_ptr<IMB_MGR, FreeManager> manager(alloc_mb_mgr(0));
  const std::uint64_t required = required_features(kind);
  if (!manager || (manager->features & required) != required) {
    loaded.description += ", needs instructions that this processor lacks";
    return loaded;
  }
  initialise(kind, manager.get());
  if (imb_get_errno(manager.get()) != 0) {  // among others, the library's self-test has failed
    loaded.description += std::string(", refused: ") + imb_get_strerror(imb_get_errno(manager.get()));
    return loaded;
  }
  loaded.available = true;
  loaded.expand = manager->gcm128_pre;
  loaded.encrypt = manager->gcm128_enc;
  loaded.decrypt = manager->gcm128_dec;
  loaded.description += ", " + instructions(*manager);
  return loaded;
}

// Loading runs the library's self-test (about 0.3 ms), hence once a kind and process. The values never change after.
template <CipherKind kKind>
const Implementation& loaded_once() {
  static const Implementation loaded = load(kKind);
  return loaded;
}

const Implementation& implementation(CipherKind kind) {
  switch (kind) {
    case CipherKind::kIpsecMbSse: return loaded_once<CipherKind::kIpsecMbSse>();
    case CipherKind::kIpsecMbAvx2: return loaded_once<CipherKind::kIpsecMbAvx2>();
    case CipherKind::kIpsecMbAvx512: return loaded_once<CipherKind::kIpsecMbAvx512>();
    default: return loaded_once<CipherKind::kIpsecMb>();
  }
}

// The key's expansion with the scratch of a call, which holds key stream: wiped together.
struct ExpandedKey {
  explicit ExpandedKey(const Implementation& with) : implementation(with) {}
  ~ExpandedKey() {
    wipe(MutableBytes(reinterpret_cast<std::uint8_t*>(&key), sizeof key));
    wipe(MutableBytes(reinterpret_cast<std::uint8_t*>(&context), sizeof context));
  }
  ExpandedKey(const ExpandedKey&) = delete;
  ExpandedKey& operator=(const ExpandedKey&) = delete;
  gcm_key_data key;
  gcm_context_data context;
  const Implementation& implementation;
};

bool tags_equal(const std::uint8_t* left, const std::uint8_t* right) noexcept {
  const std::uint64_t low = load_le<std::uint64_t>(left) ^ load_le<std::uint64_t>(right);
  const std::uint64_t high = load_le<std::uint64_t>(left + 8) ^ load_le<std::uint64_t>(right + 8);
  return (low | high) == 0;
}

class IpsecCipher final : public KeyedCipher {
 public:
  IpsecCipher(CipherKind kind, const SymmetricKey& key) : KeyedCipher(kind, key) {
    GODWIT_ASSERT(implementation(kind).available);
  }

  void seal(const Nonce& nonce, ByteView plaintext, std::uint8_t* out) override {
    if (!expanded_) expand();
    expanded_->implementation.encrypt(&expanded_->key, &expanded_->context, out, input(plaintext, out),
                                      plaintext.size(), nonce.bytes.data(), nullptr, 0, out + plaintext.size(),
                                      kTagSize);
  }

 private:
  bool decrypt(const Nonce& nonce, ByteView ciphertext_and_tag, std::uint8_t* out) override {
    if (!expanded_) expand();
    const ByteView ciphertext = ciphertext_and_tag.first(ciphertext_and_tag.size() - kTagSize);
    std::array<std::uint8_t, kTagSize> tag;
    expanded_->implementation.decrypt(&expanded_->key, &expanded_->context, out, ciphertext.data(), ciphertext.size(),
                                      nonce.bytes.data(), nullptr, 0, tag.data(), kTagSize);
    return tags_equal(tag.data(), ciphertext_and_tag.data() + ciphertext.size());
  }

  void rest_single() override { expanded_.reset(); }

  void expand() {
    expanded_ = std::make_unique<ExpandedKey>(implementation(kind()));
    expanded_->implementation.expand(key().bytes().data(), &expanded_->key);
  }
  // An empty view may have a null pointer, which the library takes for a mistake.
  [[nodiscard]] static const std::uint8_t* input(ByteView plaintext, const std::uint8_t* instead) {
    return plaintext.empty() ? instead : plaintext.data();
  }

  std::unique_ptr<ExpandedKey> expanded_;
};

}  // namespace

bool ipsec_cipher_available(CipherKind kind) {
  return implementation(kind).available;
}

std::unique_ptr<PacketCipher> make_ipsec_cipher(CipherKind kind, const SymmetricKey& key) {
  return std::make_unique<IpsecCipher>(kind, key);
}

std::string describe_ipsec_cipher(CipherKind kind) {
  return implementation(kind).description;
}

}  // namespace godwit
