// One JSON object with a list that is written as its entries come, for a command that runs for ever: what has been
// written is not kept. Where it goes, OutputOptions say, as for write_json(): standard output, a file, both or neither.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "cli/json_output.h"
#include "cli/network_options.h"
#include "support/text_file.h"

namespace godwit::cli {

class JsonListOutput {
 public:
  // Writes the beginning of the object: its schema, and the name of the list. `output` outlives this object.
  JsonListOutput(const JsonSchema& schema, std::string_view list, const OutputOptions& output);
  // Ends the object with an error when finish() has not been called: what was written is one valid object all the same.
  ~JsonListOutput();
  JsonListOutput(const JsonListOutput&) = delete;
  JsonListOutput& operator=(const JsonListOutput&) = delete;

  // The next entry of the list. Thread-safe. A reader of standard output that is too slow loses whole entries, which is
  // an error when the program ends (close_output).
  void add(const measure::Json& entry);
  // The last call: ends the list, and the object with `members`, an object that is not empty. False, with an error
  // printed, when the file could not be written.
  [[nodiscard]] bool finish(const measure::Json& members);

 private:
  void write(const std::string& text);
  [[nodiscard]] bool close_file();

  const OutputOptions& output_;
  std::mutex mutex_;
  bool empty_ = true;
  bool finished_ = false;
  std::optional<measure::TextFileWriter> file_;
};

}  // namespace godwit::cli
