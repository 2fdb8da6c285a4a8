#include "support/text_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace godwit::measure {
namespace {

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
  TextFileWriter writer(path);
  writer.append(content);
  return writer.close();
}

TextFileWriter::TextFileWriter(std::string path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "we")) {
  if (!file_) error_ = errno;
}

void TextFileWriter::append(std::string_view text) {
  if (file_ && error_ == 0 && std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) error_ = errno;
}

void TextFileWriter::flush() {
  if (file_ && std::fflush(file_.get()) != 0 && error_ == 0) error_ = errno;
}

Status TextFileWriter::close() {
  if (file_ && std::fclose(file_.release()) != 0 && error_ == 0) error_ = errno;
  if (error_ != 0) return cause(ErrorCode::kSystem, "cannot write ", path_, error_);
  return {};
}

}  // namespace godwit::measure
