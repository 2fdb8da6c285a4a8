// `godwit report`: one self-contained HTML file from stored results, and the tables inside documents.

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "commands/lab_commands.h"
#include "measure/results.h"
#include "report/html.h"
#include "report/screen.h"
#include "report/sections.h"
#include "report/tables.h"
#include "report/terminal.h"
#include "support/text_file.h"

namespace godwit::cli {
namespace {

struct ReportOptions {
  std::vector<std::string> results;
  std::string output = "godwit-report.html";
  std::vector<std::string> documents;
  std::string folder = "docs/results";
  bool check = false;
  bool text = false;
  bool screen = false;
};

bool write_file(const std::string& path, const std::string& content) {
  const Status written = measure::write_text_file(path, content);
  if (!written) print_error(written.error().message);
  return written.has_value();
}

int update_documents(const ReportOptions& options) {
  report::SectionRenderer renderer(options.folder);
  int exit_code = kSuccess;
  for (const std::string& path : options.documents) {
    const auto document = measure::read_text_file(path);
    if (!document) {
      print_error(document.error().message);
      return kUsage;
    }
    if (options.check) {
      for (const std::string& problem : report::check_document(*document, renderer.function())) {
        print_error(path + ": " + problem);
        exit_code = kFailure;
      }
      continue;
    }
    const auto updated = report::update_document(*document, renderer.function());
    if (!updated) {
      print_error(path + ": " + updated.error().message);
      return kFailure;
    }
    if (*updated != *document && !write_file(path, *updated)) return kFailure;
    print_line(path + (*updated == *document ? ": up to date" : ": updated"));
  }
  return exit_code;
}

int run_report(const ReportOptions& options) {
  if (!options.documents.empty()) return update_documents(options);
  std::vector<report::ReportRun> runs;
  for (const std::string& path : options.results) {
    auto results = measure::load_results(path);
    if (!results) {
      print_error(path + ": " + results.error().message);
      return kUsage;
    }
    runs.push_back({.label = std::filesystem::path(path).stem().string(), .results = std::move(*results)});
  }
  if (runs.empty()) {
    print_error("name at least one result file, or documents with --markdown");
    return kUsage;
  }
  if (options.text) {
    const measure::Results& last = runs.back().results;
    const report::TerminalOptions terminal = report::terminal_options(STDOUT_FILENO);
    print_line(report::print_table(report::benchmark_table(last), terminal));
    for (const measure::Breakdown& breakdown : last.breakdowns) {
      print_line(report::print_table(report::breakdown_table(breakdown), terminal));
    }
    for (const measure::Ablation& ablation : last.ablations)
      print_line(report::print_table(report::ablation_table(ablation), terminal));
    return kSuccess;
  }
  if (!write_file(options.output, report::html_report(runs))) return kFailure;
  if (options.screen) {
    print_text(report::print_screen(runs.back().results,
                                    {.terminal = report::terminal_options(STDOUT_FILENO), .page = options.output}));
  } else {
    print_line("report written to " + options.output);
  }
  return kSuccess;
}

}  // namespace

void add_report_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* const command =
      app.add_subcommand("report", "Makes one HTML file from result files, or renews the tables inside documents");
  command->add_option("results", options->results,
                      "result files, oldest first: the last is reported, the others are history");
  command->add_option("-o,--output", options->output, "the HTML file")->capture_default_str();
  command->add_flag("--text", options->text, "print the last result's tables instead")->excludes("--output");
  command->add_flag("--screen", options->screen, "also print the last result on one screen")->excludes("--text");
  command->add_option("--markdown", options->documents, "documents whose generated tables are renewed")
      ->excludes("--output")
      ->excludes("--text");
  command->add_option("--results-folder", options->folder, "where the documents' result files are")
      ->needs("--markdown")
      ->capture_default_str();
  command->add_flag("--check", options->check, "only say which tables do not come from their result file")
      ->needs("--markdown");
  command->callback([options, &exit_code] { exit_code = run_report(*options); });
}

}  // namespace godwit::cli
