#include "cli/trace_file.h"

#include <unistd.h>

#include <filesystem>
#include <string_view>
#include <utility>

#include "cli/console.h"
#include "support/text_file.h"
#include "trace/qlog_sink.h"

namespace godwit::cli {
namespace {

class QlogFile final : public TraceFile {
 public:
  explicit QlogFile(const std::string& path)
      : file_(path), qlog_([this](std::string_view record) { file_.append(record); }, {.title = "godwit"}) {}
  ~QlogFile() override {
    if (const Status closed = file_.close(); !closed) print_error(closed.error().message);
  }
  [[nodiscard]] trace::Sink& sink() override { return qlog_; }

 private:
  measure::TextFileWriter file_;
  trace::QlogSink qlog_;
};

}  // namespace

Result<std::unique_ptr<TraceFile>> TraceFile::open(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    return failure(ErrorCode::kSystem, "cannot write traces to " + folder);
  }
  const std::filesystem::path path =
      std::filesystem::path(folder) / ("godwit-" + std::to_string(::getpid()) + ".sqlog");
  return std::make_unique<QlogFile>(path.string());
}

}  // namespace godwit::cli
