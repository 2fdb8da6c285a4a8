// Everything that the program says: standard output for results, standard error for errors, warnings, progress and what
// is said beside results. Nothing else of the program writes to them (tools/check_output.py). No function here throws
// or fails: a line on standard error that cannot be written is dropped, and one on standard output is an error at the
// exit (close_output). Colour appears on a terminal only, and not where NO_COLOR is set (no-color.org). Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/progress_bar.h"
#include "cli/text_format.h"

namespace godwit::cli {

// "godwit: error: TEXT" on standard error, one line whatever the text holds. The first one is first_error().
void print_error(std::string_view text);
// The same about what a peer did, which is no error of this command.
void print_peer_error(std::string_view text);
void print_warning(std::string_view text);
// A line on standard output, not buffered, so that whoever reads a pipe sees it at once.
void print_line(std::string_view text);
// Text on standard output as it is: tables, JSON.
void print_text(std::string_view text);
// A line on standard error, for what is said beside results.
void print_note(std::string_view text);
// Text on standard error as it is, for progress that redraws itself.
void print_progress_text(std::string_view text);

// What --json names as the reason when a command failed.
[[nodiscard]] std::optional<std::string> first_error();

// Begins every line of print_line(), print_note(), print_warning() and print_error() with the time in this format of
// strftime(3).
void set_timestamps(const std::string& format);

// Everything that follows is appended to this file.
[[nodiscard]] Status redirect_output(const std::string& path);

// A result could not be written: whoever would go on for ever may as well stop.
[[nodiscard]] bool output_lost();
// While it exists, no line waits for a slow reader: an event loop prints. What the descriptors do not take at once is
// kept, within a bound, until flush_ready_output() or the end.
class PromptOutput {
 public:
  PromptOutput();
  ~PromptOutput();
  PromptOutput(const PromptOutput&) = delete;
  PromptOutput& operator=(const PromptOutput&) = delete;
};
// Writes what was kept, as far as it goes without waiting; true when something is left.
bool flush_ready_output();

// The last call: writes what is left and closes standard output. Returns `exit_code`, or kOutputLost in place of
// kSuccess when a result could not be written; says so on standard error unless the reader has simply gone (EPIPE).
[[nodiscard]] int close_output(int exit_code);

// The first call: opens /dev/null in place of descriptors 0 to 2 that are closed, before a socket can take their
// number, and ignores SIGPIPE and SIGXFSZ, which become errors of the calls that cause them. What is printed to a
// descriptor that was closed is lost, and an error as above.
void prepare_output();
// Undoes what prepare_output() did to signals, for a program that is executed in place of this one.
void restore_signals();

}  // namespace godwit::cli
