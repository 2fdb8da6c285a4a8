// A child by fork() never uses what its parent would use again: real processes.

#include "runtime/fork_guard.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>

#include "runtime/node.h"

namespace godwit {
namespace {

using Drawn = std::array<std::uint8_t, 32>;

// What `work` returns in a child; nothing when the child was ended by a signal, which `signal` then holds.
std::optional<Drawn> in_child(const std::function<Drawn()>& work, int* signal = nullptr) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const Drawn result = work();
    _exit(write(ends[1], result.data(), result.size()) == static_cast<ssize_t>(result.size()) ? 0 : 1);
  }
  close(ends[1]);
  Drawn result{};
  const bool whole = read(ends[0], result.data(), result.size()) == static_cast<ssize_t>(result.size());
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status) && signal != nullptr) *signal = WTERMSIG(status);
  return whole ? std::optional(result) : std::nullopt;
}

Drawn draw(RandomSource& random) {
  Drawn drawn{};
  random.fill(drawn);
  return drawn;
}

TEST(ForkGuard, KnowsTheChildFromItsParent) {
  const ForkGuard guard;
  EXPECT_FALSE(guard.in_child());
  const auto told = in_child([&] {
    Drawn result{};
    result[0] = guard.in_child() ? 1 : 0;
    const ForkGuard own;
    result[1] = own.in_child() ? 1 : 0;
    result[2] = guard.in_child() ? 1 : 0;
    return result;
  });
  ASSERT_TRUE(told);
  EXPECT_EQ((*told)[0], 1);  // the parent's
  EXPECT_EQ((*told)[1], 0);  // the child's own
  EXPECT_EQ((*told)[2], 1);  // still the parent's
  EXPECT_FALSE(guard.in_child());
}

TEST(SystemRandom, DrawsOtherBytesInAChild) {
  SystemRandom random;
  // Bytes are drawn ahead here, before the fork.
  static_cast<void>(draw(random));
  const auto child = in_child([&] { return draw(random); });
  ASSERT_TRUE(child);
  EXPECT_NE(*child, draw(random));
}

class Nothing final : public Node::Handler {
 public:
  void on_event(Node&, ConnectionId, Event&) override {}
};

TEST(Node, EndsAChildThatWouldUseItsKeysAndNoncesAgain) {
  SystemRandom random;
  NodeConfig config;
  config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  auto node = Node::open(config, *KeyPair::generate(random));
  ASSERT_TRUE(node);
  Nothing handler;
  const SocketAddress peer = SocketAddress::ipv4({127, 0, 0, 1}, 9);
  const std::array<std::function<void()>, 3> uses = {
      [&] { (*node)->turn(handler, Duration::zero()); },
      [&] { static_cast<void>((*node)->connect(peer, PublicKey{})); },
      [&] { static_cast<void>((*node)->send(1, Body::borrowed({}))); },
  };
  for (const auto& use : uses) {
    int signal = 0;
    EXPECT_FALSE(in_child(
        [&] {
          if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(1);
          use();
          return Drawn{};
        },
        &signal));
    EXPECT_EQ(signal, SIGABRT);
  }
  // In the parent all is as before, and a child may open a node of its own.
  (*node)->turn(handler, Duration::zero());
  EXPECT_TRUE(in_child([&] {
    auto own = Node::open(config, *KeyPair::generate(random));
    if (!own) _exit(1);
    (*own)->turn(handler, Duration::zero());
    return Drawn{};
  }));
}

}  // namespace
}  // namespace godwit
