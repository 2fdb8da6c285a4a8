// One file that is being received: a temporary name, pieces in any order, a SHA-256 that follows the contiguous front
// and reads back what came before its turn. Lives in FileStore's thread. Removes itself unless it was finished.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/digest.h"

namespace godwit {

class PartialFile {
 public:
  // `folder` is a descriptor that outlives the file.
  [[nodiscard]] static Result<std::unique_ptr<PartialFile>> create(int folder, std::string name, std::uint64_t size);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // Errors are texts for a person, without the name.
  [[nodiscard]] Status write(std::uint64_t offset, ByteView bytes);
  // Compares and names the file; returns the name it got.
  [[nodiscard]] Result<std::string> finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync);

 private:
  PartialFile(int folder, int descriptor, std::string name, std::string temporary, std::uint64_t size);
  [[nodiscard]] Status hash_what_follows();
  [[nodiscard]] Result<std::string> give_name();

  const int folder_;
  int descriptor_;
  const std::string name_;
  const std::string temporary_;
  const std::uint64_t size_;
  bool named_ = false;
  FileHash hash_;
  std::uint64_t hashed_ = 0;
  std::map<std::uint64_t, std::uint64_t> ahead_;  // written beyond hashed_: begin to end
  std::vector<std::uint8_t> scratch_;
};

}  // namespace godwit
