// Everything in a folder that is to be sent, found before anything is sent. Regular files and folders are; links lead
// out of the folder, and pipes, sockets and devices are no files: each is a problem by itself, and so is what cannot be
// read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "transfer/control.h"

namespace godwit {

struct FolderListing {
  struct File {
    std::filesystem::path below;  // its path in the folder
    std::uint64_t size = 0;
  };
  struct Folder {
    std::filesystem::path below;  // empty: the folder itself
    FileAttributes attributes;
    bool empty = false;  // nothing in it is sent
  };
  struct Problem {
    std::filesystem::path below;
    std::string why;  // one line
  };
  std::vector<File> files;      // sorted within each folder
  std::vector<Folder> folders;  // each behind those that are in it
  std::vector<Problem> problems;
};

// Errors name the folder: it cannot be read.
[[nodiscard]] Result<FolderListing> list_folder(const std::filesystem::path& folder);

// The folder's own name, also where the path ends with "/", "." or "..".
[[nodiscard]] std::string name_of_folder(const std::filesystem::path& folder);

// Why the folder is not what was listed any more; nothing where it is.
[[nodiscard]] std::optional<std::string> folder_change(const std::filesystem::path& folder,
                                                       const FileAttributes& attributes);

}  // namespace godwit
