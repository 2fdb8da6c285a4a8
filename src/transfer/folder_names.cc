#include "transfer/folder_names.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "transfer/file_name.h"

namespace godwit {
namespace {

// Names whose numbers are remembered. Without its entry a name costs a few more look-ups.
constexpr std::size_t kMostRemembered = 1024;

}  // namespace

std::string FolderNames::reserve(const std::string& name) {
  if (is_free(name)) {
    reserved_.insert(name);
    return name;
  }
  const auto known = next_.find(name);
  const std::uint64_t number = free_number(name, known == next_.end() ? 1 : known->second);
  if (known == next_.end() && next_.size() >= kMostRemembered) next_.clear();
  next_[name] = number + 1;
  std::string numbered = numbered_file_name(name, number);
  reserved_.insert(numbered);
  return numbered;
}

// Doubles the step until a number is free, then halves the distance to the last one that is taken. Numbers below may be
// free where files were removed: any free one will do.
std::uint64_t FolderNames::free_number(const std::string& name, std::uint64_t from) {
  const auto free = [this, &name](std::uint64_t number) { return is_free(numbered_file_name(name, number)); };
  if (free(from)) return from;
  std::uint64_t taken = from;
  std::uint64_t step = 1;
  while (!free(taken + step)) {
    taken += step;
    step *= 2;
  }
  std::uint64_t open = taken + step;
  while (open - taken > 1) {
    const std::uint64_t middle = taken + (open - taken) / 2;
    (free(middle) ? open : taken) = middle;
  }
  return open;
}

void FolderNames::release(const std::string& reserved) {
  reserved_.erase(reserved);
}

bool FolderNames::is_free(const std::string& name) {
  if (reserved_.contains(name)) return false;
  ++lookups_;
  // What keeps the look-up from telling will be met again when the file gets its name, which replaces nothing.
  struct stat ignored{};
  return ::fstatat(folder_, name.c_str(), &ignored, AT_SYMLINK_NOFOLLOW) != 0;
}

}  // namespace godwit
