// Where received files go unless the user says otherwise: a folder of their own, so that no name that a stranger
// chooses means anything to another program.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::cli {

// The folder "godwit" in the user's download folder: $XDG_DOWNLOAD_DIR, else what user-dirs.dirs names (in
// $XDG_CONFIG_HOME or ~/.config), else ~/Downloads. Not made here. kNotFound where there is no home.
[[nodiscard]] Result<std::filesystem::path> default_output_folder();

// The value of XDG_DOWNLOAD_DIR in the text of a user-dirs.dirs file, with $HOME replaced; empty where it is not set or
// not absolute.
[[nodiscard]] std::string download_folder_of(std::string_view user_dirs, std::string_view home);

// $HOME, else the home of the password file; empty where there is neither.
[[nodiscard]] std::string home_folder();

}  // namespace godwit::cli
