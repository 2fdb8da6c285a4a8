// Ways into a folder that stay in it: one name after the other, and through no symbolic link, whoever else changes the
// folder meanwhile.
#pragma once

#include <unistd.h>

#include <span>
#include <string_view>
#include <utility>

namespace godwit {

// A descriptor that is closed at the end; -1: none.
class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  explicit OwnedDescriptor(int descriptor) : descriptor_(descriptor) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : descriptor_(other.release()) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  OwnedDescriptor(const OwnedDescriptor&) = delete;
  OwnedDescriptor& operator=(const OwnedDescriptor&) = delete;
  ~OwnedDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] explicit operator bool() const { return descriptor_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

// One folder in another. None, and errno, where there is none of this name, or something else. A folder that is only
// passed through need not be readable.
[[nodiscard]] OwnedDescriptor open_folder_in(int folder, std::string_view name);
// What the last of `names` stands for, with `flags` as of open(2), below the folder. None and errno on failure.
// Requires at least one name, none of which holds a "/" or is "..".
[[nodiscard]] OwnedDescriptor open_below(int folder, std::span<const std::string_view> names, int flags);

}  // namespace godwit
