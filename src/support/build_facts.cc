#include "support/build_facts.h"

#include <string_view>

namespace godwit::measure {

namespace {

#if defined(__has_feature)
#define GODWIT_HAS_FEATURE(name) __has_feature(name)
#else
#define GODWIT_HAS_FEATURE(name) 0
#endif

std::string sanitizers_in_use() {
  std::string names;
  const auto add = [&names](std::string_view name) {
    if (!names.empty()) names += ',';
    names += name;
  };
#if defined(__SANITIZE_ADDRESS__) || GODWIT_HAS_FEATURE(address_sanitizer)
  add("address");
#endif
#if defined(__SANITIZE_THREAD__) || GODWIT_HAS_FEATURE(thread_sanitizer)
  add("thread");
#endif
#if GODWIT_HAS_FEATURE(memory_sanitizer)
  add("memory");
#endif
#if GODWIT_HAS_FEATURE(undefined_behavior_sanitizer)
  add("undefined");
#endif
  static_cast<void>(add);
  return names;
}

// g++ defines no macro for -fsanitize=undefined; the flags tell.
bool flags_name_undefined_sanitizer(std::string_view flags) {
  const std::size_t at = flags.find("-fsanitize=");
  return at != std::string_view::npos && flags.substr(at).find("undefined") != std::string_view::npos;
}

std::string instruction_set_in_use() {
#if defined(__x86_64__)
  std::string set = "x86-64";
#if defined(__AVX512F__)
  set += " +avx512f";
#elif defined(__AVX2__)
  set += " +avx2";
#endif
#if defined(__VAES__)
  set += " +vaes";
#elif defined(__AES__)
  set += " +aes";
#endif
  return set;
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "other";
#endif
}

std::map<std::string, std::string> parse_libraries(std::string_view text) {
  std::map<std::string, std::string> libraries;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    const std::size_t equals = item.find('=');
    if (equals != std::string_view::npos && equals + 1 < item.size()) {
      libraries.emplace(item.substr(0, equals), item.substr(equals + 1));
    }
    text.remove_prefix(std::min(text.size(), item.size() + 1));
  }
  return libraries;
}

}  // namespace

BuildFacts build_facts() {
  const GeneratedBuildFacts generated = generated_build_facts();
  BuildFacts facts;
  facts.commit = generated.commit;
  facts.commit_known = generated.commit_known;
  facts.dirty = generated.dirty;
  facts.compiler = generated.compiler;
  facts.flags = generated.flags;
  facts.build_type = generated.build_type;
  facts.version = generated.version;
  facts.libraries = parse_libraries(generated.libraries);
#if defined(__OPTIMIZE__)
  facts.optimised = true;
#endif
#if defined(NDEBUG)
  facts.assertions_off = true;
#endif
  facts.sanitizers = sanitizers_in_use();
  if (facts.sanitizers.find("undefined") == std::string::npos && flags_name_undefined_sanitizer(facts.flags)) {
    facts.sanitizers += facts.sanitizers.empty() ? "undefined" : ",undefined";
  }
  facts.instruction_set = instruction_set_in_use();
  return facts;
}

}  // namespace godwit::measure
