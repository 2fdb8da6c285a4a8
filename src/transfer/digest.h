// The two hashes of the transfer layer. StreamDigest: XXH3, 64 bits, cheap enough to stand in the data path of a
// performance run. FileHash: SHA-256, computed in the threads that read and write files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "transfer/control.h"

namespace godwit {

// XXH3_64bits of a stream of bytes. Allocates once; reset() makes it new.
class StreamDigest {
 public:
  StreamDigest();
  ~StreamDigest();
  StreamDigest(StreamDigest&&) noexcept;
  StreamDigest& operator=(StreamDigest&&) noexcept;

  void reset();
  void update(ByteView bytes);
  [[nodiscard]] std::uint64_t value() const;
  // "xxh3-64", with the instruction set's dispatch where the library has one.
  [[nodiscard]] static const char* name();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-256 of a stream of bytes.
class FileHash {
 public:
  FileHash();
  ~FileHash();
  FileHash(const FileHash&) = delete;
  FileHash& operator=(const FileHash&) = delete;

  void update(ByteView bytes);
  // Of what has come so far; the computation goes on.
  [[nodiscard]] std::array<std::uint8_t, kSha256Size> so_far() const;
  // Ends the computation: update() may not follow.
  [[nodiscard]] std::array<std::uint8_t, kSha256Size> finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace godwit
