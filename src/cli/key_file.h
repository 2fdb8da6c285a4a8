// The file that holds this machine's X25519 secret: one line of 64 hexadecimal digits, readable by its owner only.
#pragma once

#include <filesystem>

#include "base/random.h"
#include "base/result.h"
#include "crypto/keypair.h"

namespace godwit::cli {

// $XDG_CONFIG_HOME/godwit/key, or ~/.config/godwit/key. kNotFound where there is neither variable nor home.
[[nodiscard]] Result<std::filesystem::path> default_key_path();

struct LoadedKey {
  KeyPair keys;
  std::filesystem::path path;
  bool created = false;
  bool loose = false;  // others than its owner may read it: worth a warning
};

// Errors name the file and never its content: kNotFound, kPermission, kInvalidArgument.
[[nodiscard]] Result<LoadedKey> load_key(const std::filesystem::path& path);
// Makes a key and writes it, mode 0600, whole or not at all. Never replaces a file unless `replace` is set.
[[nodiscard]] Result<LoadedKey> create_key(const std::filesystem::path& path, RandomSource& random,
                                           bool replace = false);
// Loads `path`, or the default file, which is created on first use. An explicitly named file must exist.
[[nodiscard]] Result<LoadedKey> load_or_create_key(const std::filesystem::path& path, RandomSource& random);

}  // namespace godwit::cli
