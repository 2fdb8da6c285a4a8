#include "transfer/folder_path.h"

#include <fcntl.h>

#include <string>

namespace godwit {

OwnedDescriptor open_folder_in(int folder, std::string_view name) {
  return OwnedDescriptor(::openat(folder, std::string(name).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

OwnedDescriptor open_below(int folder, std::span<const std::string_view> names, int flags) {
  OwnedDescriptor passed;
  for (; names.size() > 1; names = names.subspan(1)) {
    passed = open_folder_in(passed ? passed.get() : folder, names.front());
    if (!passed) return {};
  }
  return OwnedDescriptor(
      ::openat(passed ? passed.get() : folder, std::string(names.front()).c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace godwit
