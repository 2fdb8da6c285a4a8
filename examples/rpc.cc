// Remote calls with 1,000 requests in flight and back-pressure: the client sends on until the window is full or the
// transport refuses, and goes on at the next answer or at kWritable. A request is its number and an operand, eight
// bytes each; the answer is the number and the operand's square.
//
//   rpc                       prints its address and public key, and serves
//   rpc ADDR:PORT KEY [CALLS]  makes 100,000 calls or as many as told, and checks each answer
#include <godwit/godwit.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace gw = godwit::v1;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kWindow = 1000;

using Frame = std::array<std::uint64_t, 2>;  // number, value; in the byte order of this machine

int fail(const std::string& why) {
  std::fprintf(stderr, "rpc: %s\n", why.c_str());
  return 1;
}

gw::ByteView bytes_of(const Frame& frame) {
  return {reinterpret_cast<const std::uint8_t*>(frame.data()), sizeof frame};
}

bool read_frame(gw::ByteView bytes, Frame& frame) {
  if (bytes.size() != sizeof frame) return false;
  std::memcpy(frame.data(), bytes.data(), sizeof frame);
  return true;
}

// Answers that the transport refuses wait here, and go out at the next event. A client that asks faster than it reads
// answers is closed before they grow without bound.
class Server {
 public:
  void on_event(gw::Node& node, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kMessage) {
      Frame frame;
      if (!read_frame(event.bytes, frame)) return node.close(event.connection, "this is no request");
      frame[1] *= frame[1];
      waiting_.push_back({event.connection, frame});
      if (waiting_.size() > kMaxWaiting) return node.close(event.connection, "answers are not read");
    }
    if (event.kind == gw::Event::Kind::kClosed) {
      std::erase_if(waiting_, [&](const Answer& answer) { return answer.connection == event.connection; });
    }
    std::size_t sent = 0;
    while (sent < waiting_.size() && node.send(waiting_[sent].connection, bytes_of(waiting_[sent].frame))) ++sent;
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(sent));
  }

 private:
  static constexpr std::size_t kMaxWaiting = 100'000;
  struct Answer {
    gw::ConnectionId connection;
    Frame frame;
  };
  std::vector<Answer> waiting_;
};

class Client {
 public:
  explicit Client(std::uint64_t calls) : calls_(calls) {}

  void on_event(gw::Node& node, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kClosed) {
      if (answered_ != calls_) result_ = fail(event.text);
      return node.stop();
    }
    if (event.kind == gw::Event::Kind::kMessage) {
      Frame frame;
      if (!read_frame(event.bytes, frame) || frame[0] >= begun_ || frame[1] != frame[0] * frame[0]) {
        result_ = fail("a wrong answer");
        return node.stop();
      }
      if (++answered_ == calls_) return node.close(event.connection, "done");
    }
    // Messages may overtake one another, so that answers are counted and not awaited in order.
    while (begun_ < calls_ && begun_ - answered_ < kWindow) {
      if (!node.send(event.connection, bytes_of({begun_, begun_}))) {
        ++refused_;
        break;  // kWritable comes when there is room
      }
      ++begun_;
      most_ = std::max(most_, begun_ - answered_);
    }
  }

  int report() const {
    if (result_ == 0) {
      std::printf("%llu calls answered, at most %llu in flight, %llu times refused\n",
                  static_cast<unsigned long long>(answered_), static_cast<unsigned long long>(most_),
                  static_cast<unsigned long long>(refused_));
    }
    return result_;
  }

 private:
  std::uint64_t calls_;
  std::uint64_t begun_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t most_ = 0;
  std::uint64_t refused_ = 0;
  int result_ = 0;
};

}  // namespace

int main(int count, char** words) {
  if (count == 2 || count > 4) return fail("usage: rpc [ADDR:PORT KEY [CALLS]]");
  const auto key = gw::SecretKey::generate();
  if (!key) return fail(key.error().message);
  gw::NodeOptions options;
  options.bind = "127.0.0.1:0";
  const auto node = gw::Node::open(options, *key);
  if (!node) return fail(node.error().message);
  if (count == 1) {
    std::printf("listening on %s\npublic key %s\n", (*node)->local_address().c_str(), key->public_key().c_str());
    std::fflush(stdout);
    Server server;
    (*node)->run([&](gw::Node& self, const gw::Event& event) { server.on_event(self, event); });
    return 0;
  }
  Client client(count == 4 ? std::strtoull(words[3], nullptr, 10) : 100'000);
  const gw::Node::Handler handler = [&](gw::Node& self, const gw::Event& event) { client.on_event(self, event); };
  if (const auto connected = (*node)->connect(words[1], words[2]); !connected) return fail(connected.error().message);
  (*node)->run(handler);
  (*node)->shut_down(handler, 1s);
  return client.report();
}
