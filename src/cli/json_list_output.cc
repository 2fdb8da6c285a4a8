#include "cli/json_list_output.h"

#include <cerrno>
#include <cstring>

#include "cli/console.h"

namespace godwit::cli {

JsonListOutput::JsonListOutput(const JsonSchema& schema, std::string_view list, const OutputOptions& output)
    : output_(output) {
  if (!output_.json_file.empty()) {
    file_.reset(std::fopen(output_.json_file.c_str(), "we"));
    if (!file_) file_error_ = errno;
  }
  if (output_.json) note_json_written();
  const measure::Json head = {{"schema", schema.name}, {"schema_version", schema.version}};
  std::string text = measure::print_json(head);
  text.resize(text.rfind("\n}"));
  write(text + ",\n  " + measure::Json(list).dump() + ": [");
}

JsonListOutput::~JsonListOutput() {
  if (!finished_) static_cast<void>(finish({{"error", first_error().value_or("ended before its end was written")}}));
}

void JsonListOutput::add(const measure::Json& entry) {
  if (!output_.json && !file_) return;
  const std::string line = "\n    " + entry.dump(-1, ' ', false, measure::Json::error_handler_t::replace);
  const std::lock_guard lock(mutex_);
  write(empty_ ? line : "," + line);
  empty_ = false;
}

bool JsonListOutput::finish(const measure::Json& members) {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  // Without the brace that opens it: the object has been open since the beginning.
  write((empty_ ? "]," : "\n  ],") + measure::print_json(members).substr(1));
  return close_file();
}

void JsonListOutput::write(const std::string& text) {
  if (output_.json) print_text(text);
  if (!file_) return;
  // At once, so that whoever reads the file sees every entry that has ended.
  const bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
  if ((!written || std::fflush(file_.get()) != 0) && file_error_ == 0) file_error_ = errno;
}

bool JsonListOutput::close_file() {
  if (file_ && std::fclose(file_.release()) != 0 && file_error_ == 0) file_error_ = errno;
  if (file_error_ == 0) return true;
  print_error("cannot write " + output_.json_file + ": " + std::strerror(file_error_));
  return false;
}

}  // namespace godwit::cli
