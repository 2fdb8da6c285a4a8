// Names of one output folder: reserves a name before the first byte of its file arrives, so that a file that has been
// received and verified always gets one. A name that exists or is reserved gets the next free number; finding it takes
// a logarithmic number of look-ups, and one or two where the same name comes again and again. Used by FileStore's
// thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace godwit {

class FolderNames {
 public:
  // `folder` is a descriptor that outlives the object.
  explicit FolderNames(int folder) : folder_(folder) {}
  FolderNames(const FolderNames&) = delete;
  FolderNames& operator=(const FolderNames&) = delete;

  // A name that nothing in the folder has and that nobody else holds: `name` or a numbered one. Requires an acceptable
  // name (file_name.h). Held until release().
  [[nodiscard]] std::string reserve(const std::string& name);
  void release(const std::string& reserved);

  [[nodiscard]] int folder() const { return folder_; }
  // Names that were looked for in the folder so far.
  [[nodiscard]] std::uint64_t lookups() const { return lookups_; }

 private:
  [[nodiscard]] bool is_free(const std::string& name);
  [[nodiscard]] std::uint64_t free_number(const std::string& name, std::uint64_t from);

  const int folder_;
  std::set<std::string> reserved_;
  std::map<std::string, std::uint64_t> next_;  // numbers to try first, of names that came before
  std::uint64_t lookups_ = 0;
};

}  // namespace godwit
