// Where the bytes of one file go that is being received: a file in the output folder (partial_file.h), a folder
// (received_folders.h), or a stream (streamed_file.h). Lives in FileStore's thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/control.h"

namespace godwit {

class FileTarget {
 public:
  FileTarget() = default;
  virtual ~FileTarget() = default;
  FileTarget(const FileTarget&) = delete;
  FileTarget& operator=(const FileTarget&) = delete;

  // Bytes that no other write covers, in any order. Errors are texts for a person, without the name.
  [[nodiscard]] virtual Status write(std::uint64_t offset, ByteView bytes) = 0;
  // After the last write: compares with the sender's hash and makes the file final; returns the name that it got.
  // `sync`: it is on the disk then.
  [[nodiscard]] virtual Result<std::string> finish(const std::array<std::uint8_t, kSha256Size>& expected,
                                                   bool sync) = 0;
  // It is of no use to anybody: nothing of it is kept.
  virtual void discard() {}
  // Bytes of its size that the disk has set aside or holds already.
  [[nodiscard]] virtual std::uint64_t set_aside() const = 0;
};

}  // namespace godwit
