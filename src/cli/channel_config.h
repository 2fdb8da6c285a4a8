// How a node is set up for channels: extended sessions only, streams in chunks that are consumed by hand, and windows
// that bound what waits for a slow reader.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cli/network_options.h"

namespace godwit::cli {

// `window_bytes` of each channel may wait on either side, and those of `channels` of them together.
[[nodiscard]] NodeConfig make_channel_config(const NetworkOptions& options, std::uint64_t window_bytes,
                                             std::size_t channels);
// Takes away what commands with channels do not have: the form of the session is the extended one. `window`: what
// --help says of --window.
void adapt_network_options(CLI::App& app, const char* window);

}  // namespace godwit::cli
