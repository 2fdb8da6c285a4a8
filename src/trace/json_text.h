// JSON written member by member into one line that is reused: what the qlog sink needs and no more. Numbers never pass
// through a locale; text is escaped, because some of it comes from peers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::trace {

// Decimal digits; `decimals` digits behind the point.
void append_number(std::string& out, std::uint64_t value);
void append_fixed(std::string& out, std::int64_t units, int decimals);
// The text in quotes, control characters and bytes beyond ASCII as escapes.
void append_quoted(std::string& out, std::string_view text);

// One object. Members are separated as they come; nested objects are begun and ended by name.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }

  JsonObject& text(std::string_view name, std::string_view value) {
    key(name);
    append_quoted(out_, value);
    return *this;
  }
  JsonObject& number(std::string_view name, std::uint64_t value) {
    key(name);
    append_number(out_, value);
    return *this;
  }
  // `units` of 10^-decimals.
  JsonObject& fixed(std::string_view name, std::int64_t units, int decimals) {
    key(name);
    append_fixed(out_, units, decimals);
    return *this;
  }
  // Bytes that are JSON already.
  JsonObject& verbatim(std::string_view name, std::string_view json) {
    key(name);
    out_ += json;
    return *this;
  }
  JsonObject& begin(std::string_view name) {
    key(name);
    out_ += '{';
    first_ = true;
    return *this;
  }
  JsonObject& end() {
    out_ += '}';
    first_ = false;
    return *this;
  }

 private:
  void key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_quoted(out_, name);
    out_ += ':';
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace godwit::trace
