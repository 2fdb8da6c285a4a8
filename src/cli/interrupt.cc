#include "cli/interrupt.h"

#include <array>
#include <atomic>
#include <csignal>

namespace godwit::cli {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

// A signal handler has no other way to reach its loop.
std::atomic<Node*> watched_node{nullptr};
std::atomic<DescriptorSet*> watched_descriptors{nullptr};
std::atomic<bool> was_interrupted{false};

extern "C" void on_interrupt(int signal) {
  if (was_interrupted.exchange(true)) {
    // Both the kernel and the shell say that a terminal has been closed.
    if (signal == SIGHUP) return;
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  if (Node* const node = watched_node.load()) node->wake();
  if (DescriptorSet* const descriptors = watched_descriptors.load()) descriptors->wake();
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction present{};
  return sigaction(signal, nullptr, &present) == 0 && present.sa_handler == SIG_IGN;
}

}  // namespace

InterruptWatch::InterruptWatch(Node& node, DescriptorSet* descriptors) {
  watched_node = &node;
  watched_descriptors = descriptors;
  for (const int signal : kSignals) {
    if (signal != SIGHUP || !is_ignored(signal)) install(signal, on_interrupt);
  }
}

InterruptWatch::~InterruptWatch() {
  for (const int signal : kSignals) {
    if (!is_ignored(signal)) install(signal, SIG_DFL);
  }
  watched_node = nullptr;
  watched_descriptors = nullptr;
}

bool InterruptWatch::requested() const {
  return was_interrupted.load();
}

}  // namespace godwit::cli
