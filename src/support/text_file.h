// Whole text files, with errors that name their cause.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::measure {

// Errors: kNotFound, "cannot read PATH: cause".
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);
// Makes or replaces the file. Errors: kSystem, "cannot write PATH: cause"; part of `content` may be there then.
[[nodiscard]] Status write_text_file(const std::string& path, std::string_view content);

struct CloseFile {
  void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// A text file that is written piece by piece. What fails first is told at the end, as by write_text_file().
class TextFileWriter {
 public:
  explicit TextFileWriter(std::string path);
  void append(std::string_view text);
  // Lets readers see what has been appended.
  void flush();
  // What is appended after it is lost.
  [[nodiscard]] Status close();

 private:
  std::string path_;
  File file_;
  int error_ = 0;  // errno of what failed first
};

}  // namespace godwit::measure
