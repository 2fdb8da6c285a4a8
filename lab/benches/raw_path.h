// The ceilings that the transport is measured against (decisions 13 to 15): the same payload bytes through the same
// kernel and cipher, in batches of the same size, with no protocol around them. Each run forks a receiver, pins both
// processes to a core each, moves bytes from a working set beyond the cache for a while, and reports what the receiver
// verified.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "crypto/packet_cipher.h"

namespace godwit::bench {

enum class RawPath : std::uint8_t {
  kCeiling,     // seal -> UDP_SEGMENT -> UDP_GRO -> open: all that a packet needs, nothing that a protocol adds
  kSealSendto,  // seal -> one sendto a datagram -> open: the ceiling of the analysed system's shape
  kUdpGso,      // the same calls without a cipher
  kUdpSendto,
  kTcp,  // kernel TCP with 1200-byte segments, plaintext, CUBIC
  kTls,  // TLS 1.3, AES-128-GCM, over that
};
[[nodiscard]] std::string_view to_string(RawPath path);
[[nodiscard]] std::vector<RawPath> all_raw_paths();
// Whether its datagrams pass through RawConfig::cipher.
[[nodiscard]] bool is_sealed(RawPath path);

struct RawConfig {
  RawPath path = RawPath::kCeiling;
  double seconds = 2;
  bool digest = true;  // XXH3 over the payload on both sides, where the transport has it
  std::size_t working_set_bytes = std::size_t{64} << 20;  // of either side
  std::optional<CipherKind> cipher;  // absent: the preferred one of this processor, as the transport has it
  SocketAddress receiver;            // where the receiver binds; port 0 for loopback
  std::string receiver_namespace;    // network namespace of the receiver; empty: this one
  int sender_core = 1;
  int receiver_core = 0;
};

struct RawResult {
  std::uint64_t delivered_bytes = 0;  // payload: 1130 a datagram; for TCP and TLS the bytes of the stream
  std::uint64_t datagrams = 0;
  double seconds = 0;
  double goodput_bits_per_second = 0;
  double nanoseconds_per_packet = 0;  // of 1130 payload bytes
  std::uint64_t failures = 0;         // tags that did not verify, digests that did not match
  std::uint64_t kernel_drops = 0;
  double sender_cpu_seconds = 0;
  double receiver_cpu_seconds = 0;
};

[[nodiscard]] Result<RawResult> run_raw_path(const RawConfig& config);

}  // namespace godwit::bench
