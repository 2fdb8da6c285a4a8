// Text that people and other programs hand over: addresses, keys, versions in error texts, file names that a stranger
// chose, scenarios and result files. Nothing throws or aborts, and what was read prints as text that reads the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.h"
#include "cli/perf_side.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"
#include "fuzz/input.h"
#include "support/json.h"
#include "measure/results.h"
#include "sim/scenario_toml.h"
#include "transfer/file_name.h"
#include "wire/utf8.h"
#include "wire/version.h"

namespace godwit::fuzz {
namespace {

void check_scenario(std::string_view text) {
  const auto scenario = sim::parse_scenario(text);
  if (!scenario) {
    GODWIT_ASSERT(!scenario.error().message.empty());
    return;
  }
  // What is derived from any numbers at all neither overflows nor runs backwards.
  GODWIT_ASSERT(scenario->bound() > 0s);
  for (std::uint32_t flow = 0; flow < scenario->flows.size(); ++flow) {
    GODWIT_ASSERT(scenario->message_bound(flow) > 0s);
    static_cast<void>(scenario->longest_round_trip(scenario->flows[flow].from, scenario->flows[flow].to));
  }
  static_cast<void>(scenario->gentle());
  const std::string once = sim::print_scenario(*scenario);
  const auto again = sim::parse_scenario(once);
  GODWIT_ASSERT(again.has_value());
  GODWIT_ASSERT(sim::print_scenario(*again) == once);
}

void check_results(std::string_view text) {
  const auto json = measure::parse_json(text);
  if (!json) return;
  static_cast<void>(measure::validate_results(*json));
  const auto results = measure::results_from_json(*json);
  if (!results) {
    GODWIT_ASSERT(!results.error().message.empty());
    return;
  }
  const std::string once = measure::print_json(measure::to_json(*results));
  const auto again = measure::parse_json(once);
  GODWIT_ASSERT(again.has_value());
  GODWIT_ASSERT(measure::results_from_json(*again).has_value());
}

void check_acceptable(std::string_view name) {
  GODWIT_ASSERT(!name.empty() && name.size() <= kMaxFileName && name != "." && name != "..");
  GODWIT_ASSERT(name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos);
  GODWIT_ASSERT(wire::is_valid_utf8(as_bytes(name)));
  GODWIT_ASSERT(!refuse_file_name(name).has_value());
}

void check_file_name(std::string_view offered) {
  const std::string name = acceptable_file_name(offered);
  check_acceptable(name);
  GODWIT_ASSERT(acceptable_file_name(name) == name);
  for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{77}, UINT64_MAX}) {
    check_acceptable(numbered_file_name(name, number));
  }
  GODWIT_ASSERT(partial_file_name(name, "abcdef").size() <= kMaxFileName);
  static_cast<void>(refuse_file_name(offered));
}

// What a performance server says about itself, printed and read again.
void check_side(std::string_view text) {
  const auto side = cli::perf_side_from_json(text);
  if (!side) return;
  const std::string once = measure::print_json(cli::to_json(*side));
  GODWIT_ASSERT(once.size() < 64 * 1024 + 64 * text.size());
  GODWIT_ASSERT(cli::perf_side_from_json(once).has_value());
}

void check_words(std::string_view text) {
  if (const auto address = SocketAddress::parse(text)) {
    GODWIT_ASSERT(SocketAddress::parse(address->to_string()) == address);
    GODWIT_ASSERT(address->is_specified());
  }
  if (const auto key = PublicKey::from_hex(text)) GODWIT_ASSERT(PublicKey::from_hex(key->to_hex()) == key);
  if (const auto release = wire::parse_release(text))
    GODWIT_ASSERT(wire::parse_release(to_string(*release)) == release);
  static_cast<void>(wire::expected_version_in(text));
  if (const auto cipher = parse_cipher_name(text)) GODWIT_ASSERT(cipher_name(*cipher) == text);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::fuzz;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 5) {
    case 0: check_words(text); break;
    case 1: check_file_name(text); break;
    case 2: check_scenario(text); break;
    case 3: check_results(text); break;
    default: check_side(text); break;
  }
  return 0;
}
