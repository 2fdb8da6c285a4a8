#include "cli/interrupt.h"

#include <csignal>

#include <atomic>

namespace godwit::cli {
namespace {

// A signal handler has no other way to reach its loop.
std::atomic<Node*> watched_node{nullptr};
std::atomic<bool> interrupted{false};

extern "C" void on_interrupt(int signal) {
  if (interrupted.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  if (Node* const node = watched_node.load()) node->wake();
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

InterruptWatch::InterruptWatch(Node& node) {
  watched_node = &node;
  install(SIGINT, on_interrupt);
  install(SIGTERM, on_interrupt);
  install(SIGPIPE, SIG_IGN);
  install(SIGXFSZ, SIG_IGN);
}

InterruptWatch::~InterruptWatch() {
  install(SIGINT, SIG_DFL);
  install(SIGTERM, SIG_DFL);
  watched_node = nullptr;
}

bool InterruptWatch::requested() const { return interrupted.load(); }

}  // namespace godwit::cli
