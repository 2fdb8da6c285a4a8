#include "trace/key_log.h"

#include <string>
#include <utility>

namespace godwit::trace {

KeyLogWriter::KeyLogWriter(Output output) : output_(std::move(output)) {}

void KeyLogWriter::on_key(ByteView key) {
  write("GODWIT_KEY ", key);
}

void KeyLogWriter::on_secret(ByteView secret) {
  write("GODWIT_SECRET ", secret);
}

void KeyLogWriter::write(std::string_view kind, ByteView bytes) const {
  std::string line(kind);
  line.append(to_hex(bytes)).push_back('\n');
  output_(line);
}

}  // namespace godwit::trace
