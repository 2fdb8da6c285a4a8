// A file streamed to a slow reader in flat memory. The reader keeps at most one window of bytes that it has not used
// yet; the sender may send a stream up to SendOptions::send_limit, and each time the reader has used some bytes it says
// how far the sender may go on.
//
//   stream_file OUTPUT [RATE]       prints its address and public key, and writes one stream to OUTPUT, RATE bytes a
//   second stream_file ADDR:PORT KEY FILE  sends FILE, borrowed from a mapping: never copied by the application
#include <fcntl.h>
#include <godwit/godwit.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace gw = godwit::v1;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kWindow = 1 << 20;

int fail(const std::string& why) {
  std::fprintf(stderr, "stream_file: %s\n", why.c_str());
  return 1;
}

// Bytes that have arrived wait here until they are written, `rate` a second.
class Reader {
 public:
  Reader(std::FILE* output, double rate) : output_(output), rate_(rate) {}

  void on_event(gw::Node& node, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kChunk) {
      connection_ = event.connection;
      total_ = event.total;
      waiting_.insert(waiting_.end(), event.bytes.begin(), event.bytes.end());
      most_ = std::max(most_, waiting_.size());
    } else if (event.kind == gw::Event::Kind::kClosed) {
      node.stop();
    }
  }

  // Once a turn: writes what the rate allows by now, and tells the sender.
  void on_turn(gw::Node& node) {
    const auto now = std::chrono::steady_clock::now();
    const double allowance = std::chrono::duration<double>(now - last_).count() * rate_;
    const std::size_t bytes = std::min(waiting_.size(), static_cast<std::size_t>(allowance));
    if (bytes == 0) {
      if (waiting_.empty()) last_ = now;
      return;
    }
    last_ = now;
    std::fwrite(waiting_.data(), 1, bytes, output_);
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(bytes));
    used_ += bytes;
    std::array<std::uint8_t, 8> limit;
    const std::uint64_t value = used_ + kWindow;
    std::memcpy(limit.data(), &value, sizeof value);
    (void)node.send(connection_, limit);  // a lost chance is made good by the next one
    if (used_ == total_) std::fflush(output_);
  }

  int report() const {
    if (total_ == 0 || used_ != total_) return fail("the stream did not arrive whole");
    std::printf("received %llu bytes, at most %zu waiting\n", static_cast<unsigned long long>(used_), most_);
    return 0;
  }

 private:
  std::FILE* output_;
  double rate_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  gw::ConnectionId connection_ = 0;
  std::vector<std::uint8_t> waiting_;
  std::size_t most_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t total_ = 0;
};

int receive(const char* path, double rate) {
  std::FILE* const output = std::fopen(path, "wb");
  if (output == nullptr) return fail(std::string("cannot write ") + path);
  const auto key = gw::SecretKey::generate();
  gw::NodeOptions options;
  options.bind = "127.0.0.1:0";
  options.transport.stream_in_chunks = true;
  const auto node = gw::Node::open(options, *key);
  if (!node) return fail(node.error().message);
  std::printf("listening on %s\npublic key %s\n", (*node)->local_address().c_str(), key->public_key().c_str());
  std::fflush(stdout);
  Reader reader(output, rate);
  bool ended = false;
  const gw::Node::Handler handler = [&](gw::Node& self, const gw::Event& event) {
    reader.on_event(self, event);
    ended = ended || event.kind == gw::Event::Kind::kClosed;
  };
  while (!ended) {
    (*node)->turn(handler, 10ms);
    reader.on_turn(**node);
  }
  std::fclose(output);
  return reader.report();
}

int send(const char* address, const char* public_key, const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) return fail(std::string("cannot read ") + path);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) return fail(std::string("cannot map ") + path);
  const auto key = gw::SecretKey::generate();
  const auto node = gw::Node::open({.bind = "127.0.0.1:0"}, *key);
  if (!node) return fail(node.error().message);
  const auto connection = (*node)->connect(address, public_key);
  if (!connection) return fail(connection.error().message);
  const auto message = (*node)->send_borrowed(*connection, {static_cast<const std::uint8_t*>(mapped), size},
                                              {.send_limit = kWindow, .stream = true});
  if (!message) return fail(message.error().message);

  int result = 0;
  const gw::Node::Handler handler = [&](gw::Node& self, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kMessage && event.bytes.size() == 8) {
      std::uint64_t limit = 0;
      std::memcpy(&limit, event.bytes.data(), sizeof limit);
      self.extend_send_limit(event.connection, *message, limit);
      if (limit >= size + kWindow) self.close(event.connection, "done");  // all of it was used
    } else if (event.kind == gw::Event::Kind::kFailed) {
      result = fail(event.text);
    } else if (event.kind == gw::Event::Kind::kClosed) {
      if (event.reason != gw::CloseReason::kLocal) result = fail(event.text);
      self.stop();
    }
  };
  (*node)->run(handler);
  (*node)->shut_down(handler, 1s);
  munmap(mapped, size);
  close(file);
  return result;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 || count == 3) return receive(words[1], count == 3 ? std::atof(words[2]) : 1e12);
  if (count == 4) return send(words[1], words[2], words[3]);
  return fail("usage: stream_file OUTPUT [RATE], or stream_file ADDR:PORT KEY FILE");
}
