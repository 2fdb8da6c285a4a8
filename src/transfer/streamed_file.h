// A file that is written to a stream as it comes, such as standard output: in order, each byte once, the SHA-256 in
// passing. What comes before its turn waits in a file without a name, whose room is given back as it is used. The
// stream has received all bytes before anybody knows whether they are the right ones: finish() says so.
#pragma once

#include <functional>
#include <vector>

#include "transfer/ahead_ranges.h"
#include "transfer/digest.h"
#include "transfer/file_target.h"

namespace godwit {

class StreamedFile final : public FileTarget {
 public:
  // Takes all of the bytes, however long that takes. Errors are texts for a person.
  using Output = std::function<Status(ByteView)>;

  // `output` outlives it.
  StreamedFile(std::string name, std::uint64_t size, const Output& output)
      : name_(std::move(name)), size_(size), output_(output) {}
  ~StreamedFile() override;

  [[nodiscard]] Status write(std::uint64_t offset, ByteView bytes) override;
  [[nodiscard]] Result<std::string> finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync) override;
  [[nodiscard]] std::uint64_t set_aside() const override { return front_; }

 private:
  [[nodiscard]] Status keep(std::uint64_t offset, ByteView bytes);
  [[nodiscard]] Status pass_on(ByteView bytes);
  [[nodiscard]] Status pass_on_what_follows();

  const std::string name_;
  const std::uint64_t size_;
  const Output& output_;
  int waiting_ = -1;  // the file of what came early, once something has
  FileHash hash_;
  std::uint64_t front_ = 0;  // bytes passed on
  AheadRanges ahead_;
  std::vector<std::uint8_t> scratch_;
};

}  // namespace godwit
