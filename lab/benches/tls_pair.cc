#include "benches/tls_pair.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <climits>

namespace godwit::bench {
namespace {

bool use_fresh_certificate(SSL_CTX* context) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  if (key == nullptr || certificate == nullptr) return false;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  const bool usable = X509_sign(certificate, key, EVP_sha256()) > 0 &&
                      SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
  X509_free(certificate);
  EVP_PKEY_free(key);
  return usable;
}

}  // namespace

TlsPair::TlsPair() : context_(SSL_CTX_new(TLS_method())) {
  SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context_, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context_, 1);
}

TlsPair::~TlsPair() {
  SSL_free(session_);
  SSL_CTX_free(context_);
}

bool TlsPair::accept(int socket) {
  if (!use_fresh_certificate(context_)) return false;
  session_ = SSL_new(context_);
  return SSL_set_fd(session_, socket) == 1 && SSL_accept(session_) == 1;
}

bool TlsPair::connect(int socket) {
  session_ = SSL_new(context_);
  return SSL_set_fd(session_, socket) == 1 && SSL_connect(session_) == 1;
}

ssize_t TlsPair::read(MutableBytes space) {
  return SSL_read(session_, space.data(), static_cast<int>(std::min<std::size_t>(space.size(), INT_MAX)));
}

ssize_t TlsPair::write(ByteView bytes) {
  return SSL_write(session_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX)));
}

}  // namespace godwit::bench
