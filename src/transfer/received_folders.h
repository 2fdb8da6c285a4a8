// The folders of a receiver's output folder that are received as a whole (docs/file_transfer.md section 4). Each gets a
// name of its own when the first thing in it comes, so that nothing that was there is touched or added to; what belongs
// to it is known by the sender's number. Folders within it are made when something in them is complete. Used by
// FileStore's thread alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "transfer/file_target.h"
#include "transfer/folder_names.h"
#include "transfer/folder_path.h"

namespace godwit {

class ReceivedFolders {
 public:
  // Outlives the object. `mask`: permissions that nobody gets, as umask(2).
  ReceivedFolders(FolderNames& names, mode_t mask) : names_(names), mask_(mask) {}

  struct Opened {
    OwnedDescriptor folder;
    std::string path;  // within the output folder, as its names are there, with a "/" behind each
  };
  // The folder that holds the last name of an acceptable path (file_name.h), or with `itself` the folder that the path
  // names: made as far as it is not there. Errors are texts for a person.
  [[nodiscard]] Result<Opened> open(std::uint64_t group, std::string_view path, bool itself);
  // Folders made so far.
  [[nodiscard]] std::uint64_t made() const { return made_; }
  [[nodiscard]] mode_t mask() const { return mask_; }

 private:
  struct Group {
    std::string name;  // of its folder
    std::uint64_t used = 0;
  };
  [[nodiscard]] Result<std::string> name_of(std::uint64_t group, std::string_view wanted);
  [[nodiscard]] OwnedDescriptor make_folder(int folder, std::string_view name);

  FolderNames& names_;
  const mode_t mask_;
  std::map<std::uint64_t, Group> groups_;
  std::uint64_t uses_ = 0;
  std::uint64_t made_ = 0;
};

// A folder as something to receive: it is made, and gets its mode and its time, when all that is in it has come.
class ReceivedFolder final : public FileTarget {
 public:
  // `folders` outlives it.
  ReceivedFolder(ReceivedFolders& folders, std::uint64_t group, std::string path, const FileAttributes& attributes)
      : folders_(folders), group_(group), path_(std::move(path)), attributes_(attributes) {}

  [[nodiscard]] Status write(std::uint64_t offset, ByteView bytes) override;
  [[nodiscard]] Result<std::string> finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync) override;
  [[nodiscard]] std::uint64_t set_aside() const override { return 0; }

 private:
  ReceivedFolders& folders_;
  const std::uint64_t group_;
  const std::string path_;
  const FileAttributes attributes_;
};

}  // namespace godwit
