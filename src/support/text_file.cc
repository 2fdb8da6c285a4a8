#include "support/text_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace godwit::measure {
namespace {

struct Close {
  void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
};
using File = std::unique_ptr<std::FILE, Close>;

std::unexpected<Error> cause(ErrorCode code, const char* what, const std::string& path, int error) {
  return failure(code, std::string(what) + path + ": " + std::strerror(error));
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return cause(ErrorCode::kNotFound, "cannot read ", path, errno);
  std::string content;
  std::array<char, 65536> block;
  while (const std::size_t got = std::fread(block.data(), 1, block.size(), file.get()))
    content.append(block.data(), got);
  if (std::ferror(file.get()) != 0) return cause(ErrorCode::kNotFound, "cannot read ", path, errno);
  return content;
}

Status write_text_file(const std::string& path, std::string_view content) {
  File file(std::fopen(path.c_str(), "we"));
  if (!file) return cause(ErrorCode::kSystem, "cannot write ", path, errno);
  const bool written = std::fwrite(content.data(), 1, content.size(), file.get()) == content.size();
  const int error = errno;
  const bool closed = std::fclose(file.release()) == 0;
  if (!written || !closed) return cause(ErrorCode::kSystem, "cannot write ", path, written ? errno : error);
  return {};
}

}  // namespace godwit::measure
