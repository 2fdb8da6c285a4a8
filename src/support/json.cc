#include "support/json.h"

#include <cmath>
#include <utility>

namespace godwit::measure {

namespace {

// A null that lives as long as the program: what a reader of a missing object reads from.
const Json& absent() {
  static const Json kAbsent;
  return kAbsent;
}

bool is_plain(const Json& value) {
  for (const Json& element : value) {
    if (element.is_structured() || element.is_string()) return false;
  }
  return true;
}

// nlohmann prints either everything on one line or every number on a line of its own: neither suits a file of samples
// that people read and diff.
void print_value(const Json& value, std::size_t indentation, std::string& out) {
  const std::string inner(indentation + 2, ' ');
  const std::string outer(indentation, ' ');
  if (value.is_object() && !value.empty()) {
    out += "{\n";
    bool first = true;
    for (const auto& [key, member] : value.items()) {
      if (!first) out += ",\n";
      first = false;
      out += inner + Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      print_value(member, indentation + 2, out);
    }
    out += "\n" + outer + "}";
  } else if (value.is_array() && !value.empty() && !is_plain(value)) {
    out += "[\n";
    bool first = true;
    for (const Json& element : value) {
      if (!first) out += ",\n";
      first = false;
      out += inner;
      print_value(element, indentation + 2, out);
    }
    out += "\n" + outer + "]";
  } else {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

// Whether `text`, if it is JSON, stays within the limits: brackets and commas outside of strings are counted.
bool is_within(std::string_view text, const JsonLimits& limits) {
  std::size_t depth = 0;
  std::size_t elements = 1;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++elements;
      if (++depth > limits.depth) return false;
    } else if (c == ']' || c == '}') {
      if (depth > 0) --depth;
    } else if (c == ',') {
      ++elements;
    }
  }
  return elements <= limits.elements;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (!is_within(text, limits)) return failure(ErrorCode::kTooLarge, "the JSON text is nested too deeply or too large");
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return failure(ErrorCode::kInvalidArgument, "the text is not JSON");
  return value;
}

std::string print_json(const Json& value) {
  std::string out;
  print_value(value, 0, out);
  out += '\n';
  return out;
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json number_or_null(const std::optional<double>& value) {
  return value ? number_or_null(*value) : Json(nullptr);
}

double number_or_zero(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

JsonReader::JsonReader(const Json& value, std::string path, std::vector<std::string>& problems)
    : value_(&value), path_(std::move(path)), problems_(&problems) {}

std::string JsonReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void JsonReader::problem(std::string_view key, std::string_view what) {
  problems_->push_back((key.empty() ? path_ : path_of(key)) + ": " + std::string(what));
}

const Json* JsonReader::find(std::string_view key) const {
  if (!value_->is_object()) return nullptr;
  const auto found = value_->find(std::string(key));
  return found == value_->end() ? nullptr : &*found;
}

const Json* JsonReader::require(std::string_view key, std::string_view kind) {
  const Json* member = find(key);
  if (member == nullptr) problem(key, "missing, expected " + std::string(kind));
  return member;
}

bool JsonReader::has(std::string_view key) const {
  return find(key) != nullptr;
}

std::string JsonReader::text(std::string_view key) {
  const Json* member = require(key, "a string");
  if (member == nullptr) return {};
  if (!member->is_string()) {
    problem(key, "expected a string");
    return {};
  }
  return member->get<std::string>();
}

std::string JsonReader::text_or(std::string_view key, std::string_view otherwise) {
  return has(key) ? text(key) : std::string(otherwise);
}

double JsonReader::number(std::string_view key) {
  const Json* member = require(key, "a number");
  if (member == nullptr) return 0;
  if (!member->is_number()) {
    problem(key, "expected a number");
    return 0;
  }
  return member->get<double>();
}

std::optional<double> JsonReader::optional_number(std::string_view key) {
  const Json* member = find(key);
  if (member == nullptr || member->is_null()) return std::nullopt;
  return number(key);
}

std::uint64_t JsonReader::count(std::string_view key) {
  const Json* member = require(key, "a whole number");
  if (member == nullptr) return 0;
  if (!member->is_number_unsigned() && !(member->is_number_integer() && member->get<std::int64_t>() >= 0)) {
    problem(key, "expected a whole number of at least 0");
    return 0;
  }
  return member->get<std::uint64_t>();
}

bool JsonReader::flag(std::string_view key) {
  const Json* member = require(key, "true or false");
  if (member == nullptr) return false;
  if (!member->is_boolean()) {
    problem(key, "expected true or false");
    return false;
  }
  return member->get<bool>();
}

std::vector<double> JsonReader::numbers(std::string_view key) {
  std::vector<double> values;
  const Json* member = require(key, "an array of numbers");
  if (member == nullptr) return values;
  if (!member->is_array()) {
    problem(key, "expected an array of numbers");
    return values;
  }
  values.reserve(member->size());
  for (const Json& element : *member) {
    if (!element.is_number()) {
      problem(key, "expected numbers only");
      return {};
    }
    values.push_back(element.get<double>());
  }
  return values;
}

std::vector<std::string> JsonReader::texts(std::string_view key) {
  std::vector<std::string> values;
  const Json* member = require(key, "an array of strings");
  if (member == nullptr) return values;
  if (!member->is_array()) {
    problem(key, "expected an array of strings");
    return values;
  }
  for (const Json& element : *member) {
    if (!element.is_string()) {
      problem(key, "expected strings only");
      return {};
    }
    values.push_back(element.get<std::string>());
  }
  return values;
}

JsonReader JsonReader::object(std::string_view key) {
  const Json* member = require(key, "an object");
  if (member != nullptr && !member->is_object()) {
    problem(key, "expected an object");
    member = nullptr;
  }
  return {member == nullptr ? absent() : *member, path_of(key), *problems_};
}

std::vector<JsonReader> JsonReader::objects(std::string_view key, bool required) {
  std::vector<JsonReader> readers;
  const Json* member = required ? require(key, "an array of objects") : find(key);
  if (member == nullptr) return readers;
  if (!member->is_array()) {
    problem(key, "expected an array of objects");
    return readers;
  }
  for (std::size_t i = 0; i < member->size(); ++i) {
    const std::string place = path_of(key) + "[" + std::to_string(i) + "]";
    if (!(*member)[i].is_object()) {
      problems_->push_back(place + ": expected an object");
      continue;
    }
    readers.emplace_back((*member)[i], place, *problems_);
  }
  return readers;
}

std::vector<std::pair<std::string, std::string>> JsonReader::text_map(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const Json* member = require(key, "an object of strings");
  if (member == nullptr) return pairs;
  if (!member->is_object()) {
    problem(key, "expected an object of strings");
    return pairs;
  }
  for (const auto& [name, value] : member->items()) {
    if (!value.is_string()) {
      problem(key, "expected strings only");
      continue;
    }
    pairs.emplace_back(name, value.get<std::string>());
  }
  return pairs;
}

}  // namespace godwit::measure
