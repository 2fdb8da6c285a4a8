#include "cli/json_list_output.h"

#include "cli/console.h"

namespace godwit::cli {

JsonListOutput::JsonListOutput(const JsonSchema& schema, std::string_view list, const OutputOptions& output)
    : output_(output) {
  if (!output_.json_file.empty()) file_.emplace(output_.json_file);
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
  file_->append(text);
  file_->flush();
}

bool JsonListOutput::close_file() {
  const Status closed = file_ ? file_->close() : Status();
  if (!closed) print_error(closed.error().message);
  return closed.has_value();
}

}  // namespace godwit::cli
