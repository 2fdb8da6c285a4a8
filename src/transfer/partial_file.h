// One file that is being received: a reserved name, a temporary one until it is complete, pieces in any order, a
// SHA-256 that follows the contiguous front and reads back what came before its turn. Room on the disk is set aside
// ahead of the bytes, in proportion to those that have come: an offer alone occupies nothing. Lives in FileStore's
// thread. Removes itself unless it was finished.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/control.h"
#include "transfer/digest.h"
#include "transfer/folder_names.h"

namespace godwit {

class PartialFile {
 public:
  struct Description {
    std::string name;  // acceptable (file_name.h); a number is added where it is taken
    std::uint64_t size = 0;
    FileAttributes attributes{};
    mode_t mask = 022;  // permissions that nobody gets, as umask(2)
  };
  // `names` outlives the file. The error is kWouldBlock where other files have every descriptor: nothing was made, and
  // it may be tried again.
  [[nodiscard]] static Result<std::unique_ptr<PartialFile>> create(FolderNames& names, Description description);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // Errors are texts for a person, without the name.
  [[nodiscard]] Status write(std::uint64_t offset, ByteView bytes);
  // Compares, sets mode and time, and names the file; returns the name it got: the reserved one, or another number
  // where somebody else took that.
  [[nodiscard]] Result<std::string> finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync);

  // Bytes of its size that the disk has set aside or holds already.
  [[nodiscard]] std::uint64_t set_aside() const { return std::max(set_aside_, written_); }

 private:
  PartialFile(FolderNames& names, int descriptor, Description description, std::string reserved, std::string temporary);
  [[nodiscard]] Status set_space_aside(std::uint64_t end);
  [[nodiscard]] Status hash_what_follows();
  [[nodiscard]] Result<std::string> give_name();
  void apply_attributes() const;

  FolderNames& names_;
  int descriptor_;  // -1 once it is finished
  const Description description_;
  std::string reserved_;
  const std::string temporary_;
  bool named_ = false;
  bool can_set_aside_ = true;
  std::uint64_t set_aside_ = 0;
  std::uint64_t written_ = 0;
  FileHash hash_;
  std::uint64_t hashed_ = 0;
  std::map<std::uint64_t, std::uint64_t> ahead_;  // written beyond hashed_: begin to end
  std::vector<std::uint8_t> scratch_;
};

}  // namespace godwit
