// Names of JSON for headers that only declare conversions; json.h brings the types themselves.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace godwit::measure {

using Json = nlohmann::ordered_json;
class JsonReader;

}  // namespace godwit::measure
