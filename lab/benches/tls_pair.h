// One end of a TLS 1.3 connection over a socket, AES-128-GCM, with a certificate made on the spot: the comparison that
// engineers reach for first. Nothing of it is used by the transport.
#pragma once

#include <sys/types.h>

#include <memory>

#include "base/bytes.h"

struct ssl_st;
struct ssl_ctx_st;

namespace godwit::bench {

class TlsPair {
 public:
  TlsPair();
  ~TlsPair();
  TlsPair(const TlsPair&) = delete;
  TlsPair& operator=(const TlsPair&) = delete;

  [[nodiscard]] bool accept(int socket);
  [[nodiscard]] bool connect(int socket);
  // Like read(2) and write(2).
  [[nodiscard]] ssize_t read(MutableBytes space);
  [[nodiscard]] ssize_t write(ByteView bytes);

 private:
  ssl_ctx_st* context_ = nullptr;
  ssl_st* session_ = nullptr;
};

}  // namespace godwit::bench
