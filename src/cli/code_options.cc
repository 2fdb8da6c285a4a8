#include "cli/code_options.h"

#include "cli/console.h"

namespace godwit::cli {
namespace {

std::string check_text(const std::string& text) {
  const auto code = OneTimeCode::parse(text);
  return code ? std::string() : code.error().message;
}

}  // namespace

void add_code_options(CLI::App& app, CodeOptions& options) {
  CLI::Option* const make = app.add_flag("--new-code", options.make,
                                         "print a one-time code for the other side, in place of keys: a number and "
                                         "three words, for one try within minutes");
  app.add_option("--code", options.code, "the one-time code that the other side has made with --new-code")
      ->check(CLI::Validator(check_text, ""))
      ->excludes(make)
      ->type_name("CODE");
}

Status check_code(const CodeOptions& options, const std::string& via) {
  if (!options.given()) return {};
  if (via.empty()) return failure(ErrorCode::kInvalidArgument, "a one-time code needs a rendezvous: --via");
  if (cpace::available()) return {};
  return failure(ErrorCode::kUnsupported, "this program was built without libsodium, and has no one-time codes");
}

CodeExchange make_exchange(const CodeOptions& options, Node& node, const PublicKey& rendezvous) {
  std::optional<OneTimeCode> typed;
  if (!options.make) typed = *OneTimeCode::parse(options.code);
  return {node.random(), node.endpoint().public_key(), rendezvous, typed};
}

void announce_code(CodeExchange& exchange) {
  if (const auto code = exchange.poll_code()) print_note("code " + *code);
}

}  // namespace godwit::cli
