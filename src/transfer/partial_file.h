// One file that is being received: a reserved name, a temporary one until it is complete, pieces in any order, a
// SHA-256 that follows the contiguous front and reads back what came before its turn. Room on the disk is set aside
// ahead of the bytes, in proportion to those that have come: an offer alone occupies nothing. Lives in FileStore's
// thread. Removes itself unless it was finished, or what has come may be gone on from later: then the contiguous front
// of it stays, under a temporary name that is found again.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/ahead_ranges.h"
#include "transfer/digest.h"
#include "transfer/file_target.h"
#include "transfer/folder_names.h"
#include "transfer/received_folders.h"

namespace godwit {

class PartialFile final : public FileTarget {
 public:
  struct Description {
    std::string name;  // acceptable (file_name.h); a number is added where it is taken
    std::uint64_t size = 0;
    FileAttributes attributes{};
    mode_t mask = 022;  // permissions that nobody gets, as umask(2)
    // The folder in which it gets its name, asked for when it is complete; null: that of `names`.
    std::function<Result<ReceivedFolders::Opened>()> open_folder{};
    // The temporary name's own part, by which what has come is found again; empty: it is a random one, and nothing is
    // kept.
    std::string kept_as{};
    bool anew = false;  // with kept_as: what was kept is not gone on from
  };
  // What is kept is a multiple of it, which makes up for what is not known of a file that nobody could close.
  static constexpr std::uint64_t kKeptUnit = std::uint64_t{1} << 20;
  // `names` outlives the file. The error is kWouldBlock where other files have every descriptor: nothing was made, and
  // it may be tried again.
  [[nodiscard]] static Result<std::unique_ptr<PartialFile>> create(FolderNames& names, Description description);
  ~PartialFile() override;

  [[nodiscard]] Status write(std::uint64_t offset, ByteView bytes) override;
  // Compares, sets mode and time, and names the file; returns the name it got: the reserved one, or another number
  // where somebody else took that.
  [[nodiscard]] Result<std::string> finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync) override;
  [[nodiscard]] std::uint64_t set_aside() const override { return std::max(set_aside_, written_); }
  void discard() override { worthless_ = true; }

  // Reads on in what was kept; true when all of it has been read and hashed. Nothing may be written before.
  [[nodiscard]] Result<bool> read_kept();
  [[nodiscard]] std::uint64_t kept() const { return kept_; }
  // Of what was kept, once it has been read.
  [[nodiscard]] std::array<std::uint8_t, kSha256Size> kept_hash() const { return hash_.so_far(); }

 private:
  PartialFile(FolderNames& names, int descriptor, Description description, std::string reserved, std::string temporary);
  [[nodiscard]] static std::unique_ptr<PartialFile> open_kept(FolderNames& names, Description& description);
  void measure_kept();
  [[nodiscard]] Status write_at(std::uint64_t offset, ByteView bytes);
  [[nodiscard]] Status hash_until(std::uint64_t end);
  [[nodiscard]] Status set_space_aside(std::uint64_t end);
  [[nodiscard]] Status hash_what_follows();
  [[nodiscard]] Result<std::string> complete(const std::array<std::uint8_t, kSha256Size>& expected, bool sync);
  [[nodiscard]] Result<std::string> give_name(bool sync);
  [[nodiscard]] Result<std::string> give_name_in_folder(bool sync);
  void apply_attributes() const;

  FolderNames& names_;
  int descriptor_;  // -1 once it is finished
  const Description description_;
  std::string reserved_;
  const std::string temporary_;
  bool named_ = false;
  bool worthless_ = false;  // it is not kept
  std::uint64_t kept_ = 0;  // of it, from an earlier time
  bool can_set_aside_ = true;
  std::uint64_t set_aside_ = 0;
  std::uint64_t written_ = 0;
  FileHash hash_;
  std::uint64_t hashed_ = 0;
  AheadRanges ahead_;  // written beyond hashed_
  std::vector<std::uint8_t> scratch_;
};

}  // namespace godwit
