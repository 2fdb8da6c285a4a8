#include "cli/records.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <optional>
#include <utility>

#include "cli/connection_log.h"
#include "cli/console.h"
#include "cli/line_file.h"
#include "cli/trace_file.h"
#include "trace/tee_sink.h"

namespace godwit::cli {
namespace {

constexpr const char* kGroup = "Observation";
// Two million lines of a listener that strangers keep busy; then there is a warning.
constexpr std::uint64_t kMostKeyLogBytes = std::uint64_t{128} << 20;
constexpr std::uint64_t kMostLogBytes = std::uint64_t{1} << 40;

// "2026-11-30T18:09:10.123Z".
std::string utc_now() {
  using namespace std::chrono;
  const auto now = floor<milliseconds>(system_clock::now());
  const std::time_t seconds = system_clock::to_time_t(floor<std::chrono::seconds>(now));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), now.time_since_epoch().count() % 1000);
}

class OpenRecords final : public Records {
 public:
  [[nodiscard]] Status open(const RecordOptions& options) {
    if (!options.qlog.empty()) {
      auto file = TraceFile::open(options.qlog);
      if (!file) return std::unexpected(file.error());
      qlog_ = std::move(*file);
      sinks_.add(qlog_->sink());
    }
    if (options.verbosity > 0 || !options.log.empty()) {
      if (const Status opened = open_log(options); !opened) return opened;
    }
    return options.key_log.empty() ? Status() : open_key_log(options.key_log);
  }

  [[nodiscard]] trace::Sink* sink() override { return sinks_.empty() ? nullptr : &sinks_; }
  [[nodiscard]] const std::shared_ptr<trace::KeyLog>& key_log() const override { return key_log_; }

 private:
  [[nodiscard]] Status open_log(const RecordOptions& options) {
    using Level = ConnectionLog::Level;
    ConnectionLog::Output output = [](std::string_view line) { print_note(fmt::format("godwit: {}", line)); };
    if (!options.log.empty()) {
      auto file = LineFile::open(options.log, {.most_bytes = kMostLogBytes});
      if (!file) return std::unexpected(file.error());
      log_file_ = std::move(*file);
      output = [this](std::string_view line) { log_file_->append(fmt::format("{} {}\n", utc_now(), line)); };
    }
    log_.emplace(options.verbosity > 1 ? Level::kSteps : Level::kConnections, std::move(output));
    sinks_.add(*log_);
    return {};
  }

  [[nodiscard]] Status open_key_log(const std::string& path) {
    auto file = LineFile::open(path, {.mode = 0600, .private_only = true, .most_bytes = kMostKeyLogBytes});
    if (!file) return std::unexpected(file.error());
    print_warning("--keylog writes every key to " + path + ": whoever reads that file can read these connections");
    const std::shared_ptr<LineFile> keys = std::move(*file);
    key_log_ = std::make_shared<trace::KeyLogWriter>([keys](std::string_view line) { keys->append(line); });
    return {};
  }

  trace::TeeSink sinks_;
  std::unique_ptr<TraceFile> qlog_;
  std::unique_ptr<LineFile> log_file_;
  std::optional<ConnectionLog> log_;
  std::shared_ptr<trace::KeyLog> key_log_;
};

}  // namespace

const char* RecordOptions::single_threaded() const {
  if (!qlog.empty()) return "--qlog";
  if (!log.empty()) return "--log";
  return verbosity > 0 ? "--verbose" : nullptr;
}

void add_record_options(CLI::App& app, RecordOptions& options) {
  app.add_flag("-v,--verbose", options.verbosity,
               "say what connections come to be and how they end; -vv: handshakes and losses too")
      ->group(kGroup);
  app.add_option("--log", options.log,
                 "append what -v says to this file, in place of standard error; alone: as with -v")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--qlog", options.qlog, "write a trace of every packet to a file in this folder (docs/trace.md)")
      ->type_name("DIR")
      ->group(kGroup);
  app.add_option("--keylog", options.key_log,
                 "append every key to this file, for Wireshark: whoever reads it can read the connections")
      ->type_name("FILE")
      ->group(kGroup);
}

Result<std::unique_ptr<Records>> Records::open(const RecordOptions& options) {
  auto records = std::make_unique<OpenRecords>();
  if (const Status opened = records->open(options); !opened) return std::unexpected(opened.error());
  return records;
}

}  // namespace godwit::cli
