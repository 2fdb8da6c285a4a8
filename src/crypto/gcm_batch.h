// AES-128-GCM over a batch of packets under one key, in this project's own code: the fast path behind
// PacketCipher::seal_batch() and open_batch() on x86. It produces bit for bit what every other implementation does.
//
// How it works. GCM (NIST SP 800-38D) encrypts with AES in counter mode and authenticates the ciphertext with GHASH, a
// polynomial in the key H = AES(0) over GF(2^128): tag = AES(J0) ^ (C1 H^n ^ C2 H^(n-1) ^ ... ^ Cm H^2 ^ L H), where L
// holds the lengths. A library that is called once per packet pays for what lies between two calls: the first rounds of
// AES have nothing to overlap with, the last multiplications of GHASH wait for the last ciphertext, and every packet
// is reduced several times. A batch avoids this:
//
// 1. GHASH of one packet runs between the rounds of AES of the next packet, so that neither unit of the processor waits
//    for the other. When opening, the ciphertext is known beforehand and both work on the same packet.
// 2. Each packet is reduced once. The products of all its blocks with the powers of H are added unreduced (McGrew and
//    Viega, "The Galois/Counter Mode of Operation", section 4.1; Gueron and Kounavis, "Intel Carry-Less Multiplication
//    Instruction and its Usage for Computing the GCM Mode", Intel white paper, aggregated reduction; Gueron's reflected
//    reduction by two multiplications). This takes a table with as many powers as the longest packet has blocks.
// 3. A product takes three multiplications instead of four (Karatsuba, as in the same white paper); low ^ high of each
//    power stands in a second table.
// 4. The counter block is nonce ‖ 32-bit counter, and up to 254 blocks only its last byte changes within a packet. The
//    first round of AES maps one changed byte to a difference that depends on the key alone. These differences are
//    tabulated, and the first round is computed once per packet (Bernstein and Schwabe, "New AES software speed
//    records", section 3, counter-mode caching).
// 5. The blocks AES(J0) of all packets of a batch are computed together, and the product L H once per length.
// 6. The body of a packet is read from where the application keeps it; ciphertext goes directly into the datagram.
//
// The same loops (gcm_batch_loops_x86.h) are instantiated for vectors of 64, 32 and 16 bytes. No branch and no address
// depends on key, plaintext or tag: branches follow from lengths, and the indices of all tables from block numbers.
// tests/constant_time.cc checks this for the instantiation that valgrind can execute.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "crypto/packet_cipher.h"

namespace godwit {

// What a key is expanded into, about 5 KiB. The destructor wipes it. Once filled it is only read, by any number of
// threads.
struct alignas(64) GcmTables {
  // The powers that the blocks of one packet can take: its text and the block of lengths. With 95 the powers of a full
  // fragment (74 blocks of text) begin at the start of a cache line.
  static constexpr std::size_t kPowers = 95;
  // Most bytes of text of one packet; a longer one is sealed and opened by the implementation for single packets.
  static constexpr std::size_t kMaxText = (kPowers - 1) * 16;
  static constexpr std::size_t kFirstRounds = 96;

  using Block = std::array<std::uint8_t, 16>;
  using FourBlocks = std::array<std::uint8_t, 64>;

  GcmTables() = default;
  ~GcmTables();
  GcmTables(const GcmTables&) = delete;
  GcmTables& operator=(const GcmTables&) = delete;

  std::array<FourBlocks, 11> round_keys;  // each four times
  // H^95 to H^1 in the reflected form of the reduction, then zeros, which a vector may reach beyond the last power.
  alignas(64) std::array<Block, 100> powers;
  // Of each power low ^ high, in both halves.
  alignas(64) std::array<Block, 100> folded_powers;
  // What the counter 2 + i changes in the state after the first round, against the counter 0.
  alignas(64) std::array<Block, kFirstRounds> first_rounds;
};
static_assert(GcmTables::kMaxText >= 1471, "the longest packet that is received (wire/limits.h)");

struct GcmKernel {
  // Most packets of one call.
  static constexpr std::size_t kMaxPackets = 64;

  void (*expand)(const SymmetricKey& key, GcmTables& tables);
  // At most kMaxPackets packets of at most GcmTables::kMaxText bytes, as PacketCipher::seal_batch() describes them.
  void (*seal)(const GcmTables& tables, std::span<const PacketToSeal> packets);
  // The same for opening. Sets `authentic` of each packet, and writes the plaintext of all of them: whoever calls wipes
  // the output of those that are not authentic.
  void (*open)(const GcmTables& tables, std::span<PacketToOpen> packets);
};

// The kernel of a kBatch kind; null for every other kind, and where this build or this processor lacks it.
[[nodiscard]] const GcmKernel* gcm_kernel(CipherKind kind);

}  // namespace godwit
