#include "cli/suggestion.h"

#include <algorithm>
#include <iterator>

namespace godwit::cli {
namespace {

std::vector<std::string> subcommands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;  // not for everyone
    names.push_back(command->get_name());
  }
  return names;
}

// Every spelling of the options of `app`, with their dashes.
std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* const option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_group().empty()) continue;  // not for everyone
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

struct Translation {
  std::string_view theirs;
  std::string_view ours;
};
// What iperf3 3.12 calls its options, where `godwit perf` has another word.
constexpr Translation kOfIperf3[] = {
    {"-s", "the command 'godwit perf server'"},
    {"--server", "the command 'godwit perf server'"},
    {"-c", "'godwit perf client --to ADDR:PORT --peer-key HEX'"},
    {"--client", "'godwit perf client --to ADDR:PORT --peer-key HEX'"},
    {"-p", "the port in '--to ADDR:PORT' or '--bind ADDR:PORT'"},
    {"--port", "the port in '--to ADDR:PORT' or '--bind ADDR:PORT'"},
    {"-B", "'--bind ADDR:PORT'"},
    {"--cport", "'--bind ADDR:PORT'"},
    {"-b", "'--rate'"},
    {"--bitrate", "'--rate'"},
    {"--bandwidth", "'--rate'"},
    {"-C", "'--congestion'"},
    {"-J", "'--json'"},
    {"-w", "'--window'"},
    {"-l", "'--stream-bytes', and '--size' of --ping-pong"},
    {"--len", "'--stream-bytes', and '--size' of --ping-pong"},
    {"--length", "'--stream-bytes', and '--size' of --ping-pong"},
    {"-1", "'--once'"},
    {"--one-off", "'--once'"},
    {"-u", "what every run does"},
    {"--udp", "what every run does"},
    {"--get-server-output", "part of every result"},
    {"-k", "'--bytes'"},
    {"--blockcount", "'--bytes'"},
    {"-M", "'--max-datagram'"},
    {"--set-mss", "'--max-datagram'"},
    {"-N", "what every run does"},
    {"--no-delay", "what every run does"},
    {"--dont-fragment", "what every run does"},
    {"--udp-counters-64bit", "what every run does"},
    {"--forceflush", "what every run does"},
    {"-Z", "what '--backend' chooses"},
    {"--zerocopy", "what '--backend' chooses"},
    {"-F", "'godwit send FILE'"},
    {"--file", "'godwit send FILE'"},
    {"-V", "'-v'"},
    {"-f", "'--json', whose units are fixed"},
    {"--format", "'--json', whose units are fixed"},
    {"-T", "'--timestamps', whose format may hold a title"},
    {"--title", "'--timestamps', whose format may hold a title"},
    {"--dscp", "'--tos', four times the number"},
    {"--fq-rate", "'--rate'"},
    {"--nstreams", "'--parallel'"},
    {"--rcv-timeout", "'--idle-timeout'"},
    {"--snd-timeout", "'--idle-timeout'"},
    {"--repeating-payload", "'--working-set', the size of the payload"},
    {"-I", "without a counterpart"},
    {"--pidfile", "without a counterpart"},
    {"-L", "without a counterpart"},
    {"--flowlabel", "without a counterpart"},
    {"--sctp", "without a counterpart"},
    {"-X", "without a counterpart"},
    {"--xbind", "without a counterpart"},
    {"--pacing-timer", "without a counterpart"},
    {"--extra-data", "without a counterpart"},
    {"--username", "the key of '--key'"},
    {"--rsa-public-key-path", "the key of '--peer-key'"},
};

std::optional<std::string> translation(const CLI::App& command, const std::string& name) {
  const CLI::App* const parent = command.get_parent();
  const bool measures = command.get_name() == "perf" || (parent != nullptr && parent->get_name() == "perf");
  const auto* const found = std::ranges::find(kOfIperf3, name, &Translation::theirs);
  if (!measures || found == std::end(kOfIperf3)) return std::nullopt;
  return name + " of iperf3 is " + std::string(found->ours);
}

}  // namespace

std::size_t edit_distance(std::string_view one, std::string_view other) {
  std::vector<std::vector<std::size_t>> costs(one.size() + 1, std::vector<std::size_t>(other.size() + 1));
  for (std::size_t i = 0; i <= one.size(); ++i) costs[i][0] = i;
  for (std::size_t j = 0; j <= other.size(); ++j) costs[0][j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t replaced = costs[i - 1][j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
      costs[i][j] = std::min({replaced, costs[i - 1][j] + 1, costs[i][j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
      if (swapped) costs[i][j] = std::min(costs[i][j], costs[i - 2][j - 2] + 1);
    }
  }
  return costs[one.size()][other.size()];
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 64;  // of a word that is compared
  std::optional<std::string> best;
  std::size_t least = 0;
  if (word.size() > kLongest) return best;
  for (const std::string& candidate : candidates) {
    const std::size_t letters = candidate.size() - std::min(candidate.find_first_not_of('-'), candidate.size());
    const std::size_t distance = edit_distance(word, candidate);
    // The start of a long name is as good as a misspelling.
    const bool begins = letters > 3 && word.size() >= 4 && candidate.starts_with(word);
    if (!begins && (distance > std::max<std::size_t>(letters / 3, 1) || letters < 3)) continue;
    const std::size_t rank = begins ? 1 : distance;
    if (best && rank >= least) continue;
    best = candidate;
    least = rank;
  }
  return best;
}

std::string suggest(const CLI::App& app, int count, const char* const* arguments) {
  const CLI::App* command = &app;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "--") break;
    const bool option = word.size() > 1 && word[0] == '-';
    const std::vector<std::string> names = option ? options_of(*command) : subcommands_of(*command);
    const std::string name = option ? word.substr(0, word.find('=')) : word;
    if (std::ranges::find(names, name) != names.end()) {
      if (!option) command = command->get_subcommand(name);
      continue;
    }
    if (!option && names.empty()) continue;  // a value, or a file
    if (const auto meant = option ? translation(*command, name) : std::nullopt) return *meant;
    if (option && (name.size() < 3 || name[1] != '-')) continue;
    if (const auto meant = nearest(name, names)) return "there is no '" + name + "': did you mean '" + *meant + "'?";
    if (!option) break;
  }
  return {};
}

}  // namespace godwit::cli
