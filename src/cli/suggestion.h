// "Did you mean": the command or option that is nearest to one that does not exist.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::cli {

// Single-character insertions, removals, replacements and swaps of neighbours that lead from one word to the other.
[[nodiscard]] std::size_t edit_distance(std::string_view one, std::string_view other);
// The nearest candidate that is near enough to be meant: within a third of its length, and at least two shared
// characters.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// For arguments that `app` could not parse, in place of the parser's own words: "there is no 'lisen': did you mean
// 'listen'?", for an option of iperf3 after `perf` "-b of iperf3 is '--rate'", or nothing when all words are known or
// none is near.
[[nodiscard]] std::string suggest(const CLI::App& app, int count, const char* const* arguments);

}  // namespace godwit::cli
