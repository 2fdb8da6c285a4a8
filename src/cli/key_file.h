// The file that holds this machine's X25519 secret: one line of 64 hexadecimal digits, readable by its owner only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

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
  // Why there is no file: the key lives as long as this process. Empty for a key with a file.
  std::string ephemeral_because{};
};

// Who can read the file has the key, and who can write it chooses the key.
enum class KeyFileTrust : std::uint8_t {
  kOwnerOnly,  // a file that others may read or write, or replace, is refused
  kAnybody,    // the user has said that it does not matter
};

// Errors name the file and never its content: kNotFound, kPermission (unreadable, or not for its owner only),
// kInvalidArgument.
[[nodiscard]] Result<LoadedKey> load_key(const std::filesystem::path& path,
                                         KeyFileTrust trust = KeyFileTrust::kOwnerOnly);
// Makes a key and writes it, mode 0600, whole or not at all. Never replaces a file unless `replace` is set.
[[nodiscard]] Result<LoadedKey> create_key(const std::filesystem::path& path, RandomSource& random,
                                           bool replace = false);
// Loads `path`, or the default file, which is created on first use. An explicitly named file must exist.
[[nodiscard]] Result<LoadedKey> load_or_create_key(const std::filesystem::path& path, RandomSource& random,
                                                   KeyFileTrust trust = KeyFileTrust::kOwnerOnly);
// The same for a client, whose key proves nothing to anybody who was not told it: where the default file neither exists
// nor can be made, the key is made for this process alone.
[[nodiscard]] Result<LoadedKey> load_or_make_key(const std::filesystem::path& path, RandomSource& random,
                                                 KeyFileTrust trust = KeyFileTrust::kOwnerOnly);

}  // namespace godwit::cli
