// What backend.cc and the files of single back ends share. Not for other folders: they call make_backend.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "udp/backend.h"

namespace godwit {

// `why`: the reason of the choice, which ends the line of Backend::choice(); empty when it was asked for by name.
[[nodiscard]] Result<std::unique_ptr<Backend>> make_uring_backend(Socket socket, const BackendConfig& config,
                                                                  const std::string& why);

// kUnsupported, with the reason: a kernel without UDP_SEGMENT, or with the defect that kernel_version.h names.
[[nodiscard]] Status check_segmentation_offload(const Socket& socket, const BackendConfig& config);

[[nodiscard]] std::string describe_choice(std::string_view what, bool segmentation_offload, bool receive_offload,
                                          std::string_view why);

}  // namespace godwit
